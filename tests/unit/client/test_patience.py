"""Calls that fail for a while."""

from __future__ import annotations

import pytest
import stamina

from gallery.client.errors import GaveUpError, RefusedError, TransientError
from gallery.client.patience import Patience


class Failing:
    """Raises the errors one after the other, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return "answer"


@pytest.fixture(autouse=True)
def _no_pauses() -> object:
    with stamina.set_testing(True, attempts=5, cap=False):
        yield


async def test_what_passes_with_time_is_waited_for() -> None:
    call = Failing(TransientError("one"), TransientError("two"))

    assert await Patience(60).persist(call) == "answer"
    assert call.calls == 3


async def test_what_does_not_pass_is_told_at_once() -> None:
    call = Failing(RefusedError("no", code="NOT_AN_IMAGE"))

    with pytest.raises(RefusedError):
        await Patience(60).persist(call)
    assert call.calls == 1


async def test_patience_ends_with_the_last_reason() -> None:
    call = Failing(TransientError("It does not answer."))

    with pytest.raises(GaveUpError) as gave_up:
        await Patience(0).persist(call)

    assert call.calls == 1
    assert str(gave_up.value) == (
        "It does not answer. Gave up after 0 seconds; what has arrived stays: start again later."
    )
