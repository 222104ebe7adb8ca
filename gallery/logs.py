"""Log lines: one format for the gallery and for every library, on standard error.

Modules log through the standard library (`logging.getLogger(__name__)`, values in `extra`); structlog renders. What is
bound in structlog's context variables, such as the id of a request, is in every line that is written meanwhile.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from json import JSONEncoder
from typing import Any, Final, TextIO

import structlog
from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks
from structlog.stdlib import ProcessorFormatter
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor

from gallery.settings import LogFormat, LogSettings
from gallery.web.errors import AbortedResponseError

_LIBRARIES_THAT_TELL_SECRETS: Final = ("aiobotocore", "botocore", "httpx", "redis", "sqlalchemy", "urllib3")
"""Below WARNING these write headers, signatures, or statements with their values."""

_LIBRARIES_THAT_TELL_TOO_MUCH: Final = ("alembic",)
"""At INFO these write about every step of what they do."""

_LIBRARIES_THAT_JUDGE_FILES: Final = ("pyvips",)
"""These warn of what is odd about the files of clients, which are refused, or shown all the same."""

_USER_INFO = re.compile(r"://[^\s/\"'<>]*@")
"""User name and password of an address."""


def configure_logging(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Makes the process log as the settings say, to `stream` or else standard error. May be called again."""
    output = stream or sys.stderr
    handler = logging.StreamHandler(output)
    in_colour = output.isatty()
    handler.setFormatter(_Formatter(_renderers(settings.format, in_colour=in_colour)))
    root = logging.getLogger()
    for former in [former for former in root.handlers if isinstance(former.formatter, _Formatter)]:
        root.removeHandler(former)
    root.addHandler(handler)
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    root.setLevel(max(level, logging.INFO))
    logging.getLogger("gallery").setLevel(level)
    for name in (*_LIBRARIES_THAT_TELL_SECRETS, *_LIBRARIES_THAT_TELL_TOO_MUCH):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in _LIBRARIES_THAT_JUDGE_FILES:
        logging.getLogger(name).setLevel(max(level, logging.ERROR))
    _adopt_uvicorn()
    set_on_retry_hooks([LoggingOnRetryHook])
    logging.captureWarnings(capture=True)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # no line tells of these


class _Formatter(ProcessorFormatter):
    """Renders records, and hides the user and password of every address in them."""

    def __init__(self, renderers: Sequence[Processor]) -> None:
        self._in_json = isinstance(renderers[-1], structlog.processors.JSONRenderer)
        super().__init__(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                _drop_repetition,
            ],
            processors=[ProcessorFormatter.remove_processors_meta, *renderers],
        )

    def format(self, record: logging.LogRecord) -> str:
        is_plain = self._in_json and type(record.msg) is str and not (record.exc_info or record.stack_info)
        line = _json_line(record) if is_plain else super().format(record)
        return _USER_INFO.sub("://***@", line) if "://" in line else line


def _json_line(record: logging.LogRecord) -> str:
    """What structlog makes of a record without an exception, at a third of the cost: every request has such a line."""
    return _encode(
        {
            "event": record.getMessage(),
            **structlog.contextvars.get_contextvars(),
            "level": record.levelname.lower(),
            "logger": record.name,
            **{name: value for name, value in record.__dict__.items() if name not in _NOT_EXTRA},
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
    )


_encode: Final = JSONEncoder(default=repr).encode
_REPETITIONS: Final = ("color_message", "message", "asctime")
"""Where a record has its message again: uvicorn in colour, other handlers as they rendered it."""
_NOT_EXTRA: Final = frozenset([*logging.makeLogRecord({}).__dict__, *_REPETITIONS])


def _renderers(log_format: LogFormat, *, in_colour: bool) -> list[Processor]:
    """The last steps of a line. Neither shows the variables of a traceback, which hold what people sent."""
    if log_format is LogFormat.CONSOLE or (log_format is LogFormat.AUTO and in_colour):
        return [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(
                colors=in_colour, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
            ),
        ]
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
        structlog.processors.JSONRenderer(),
    ]


_TOLD_ELSEWHERE: Final = "Invalid HTTP request received."
"""What uvicorn says of each of these; the gallery counts them (`cli/told_refusals.py`)."""
_HANDSHAKE: Final = '%s - "WebSocket '
"""How uvicorn begins a line about a WebSocket, which holds its query. The access log has one without."""


def _adopt_uvicorn() -> None:
    """Uvicorn writes through the root; its access lines, which hold queries, give way to those of the gallery."""
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
    errors = logging.getLogger("uvicorn.error")
    errors.removeFilter(_is_news)  # a second call adds nothing
    errors.addFilter(_is_news)
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False


def _is_news(record: logging.LogRecord) -> bool:
    """False for an aborted answer, whose cause is logged where it was caught, and for what is told elsewhere."""
    if isinstance(record.msg, str) and record.msg.startswith((_HANDSHAKE, _TOLD_ELSEWHERE)):
        return False
    return not (record.exc_info and isinstance(record.exc_info[1], AbortedResponseError))


def _drop_repetition(_logger: Any, _name: str, event: EventDict) -> EventDict:  # noqa: ANN401  # structlog's type
    """Drops the message where a record has it again."""
    for name in _REPETITIONS:
        event.pop(name, None)
    return event
