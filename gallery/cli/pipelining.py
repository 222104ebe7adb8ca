"""How much of what a client sends ahead is taken before it is answered."""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.flow_control import FlowControl

PIPELINED_MAX: Final = 16
"""Requests that may wait for the answer to an earlier one of their connection. What comes behind them is not parsed."""


class Flow(FlowControl):
    """Uvicorn's, which reads on whenever a request asks for its body: unless reading is held up."""

    is_held = False

    def hold(self) -> None:
        """Reads nothing until it is let go, whoever asks."""
        self.is_held = True
        self.pause_reading()

    def let_go(self) -> None:
        """Reads on."""
        self.is_held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        """Reads on, unless it is held."""
        if not self.is_held:
            super().resume_reading()
