"""Log lines as they are written."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import stamina
from stamina.instrumentation import set_on_retry_hooks
from structlog.contextvars import bound_contextvars

from gallery.logs import configure_logging
from gallery.settings import LogFormat, LogLevel, LogSettings
from gallery.web.errors import AbortedResponseError

PASSWORD = "s3-cret"
LIBRARIES = ("botocore.endpoint", "sqlalchemy.engine", "httpx", "urllib3.connectionpool", "redis")


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Takes back what a test configures, for the whole process."""
    root = logging.getLogger()
    names = ("", "gallery", "aiobotocore", "botocore", "httpx", "redis", "sqlalchemy", "urllib3")
    levels = {name: logging.getLogger(name).level for name in names}
    handlers = list(root.handlers)
    uvicorn = {name: logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "uvicorn.access")}
    states = {name: (list(one.handlers), list(one.filters), one.propagate) for name, one in uvicorn.items()}
    yield
    set_on_retry_hooks(None)
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    for name, one in uvicorn.items():
        one.handlers, one.filters, one.propagate = states[name]


def configured(level: LogLevel = LogLevel.INFO, log_format: LogFormat = LogFormat.AUTO) -> StringIO:
    stream = StringIO()
    configure_logging(LogSettings(level=level, format=log_format), stream)
    return stream


def lines(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def _fail(password: str) -> None:
    message = f"no room for {len(password)} characters"
    raise ValueError(message)


def failing() -> None:
    try:
        _fail(PASSWORD)
    except ValueError as error:
        message = "it failed"
        raise RuntimeError(message) from error


def test_line_is_json_with_time_level_logger_and_values() -> None:
    stream = configured()
    logging.getLogger("gallery.web").info("stored %s", "a\nb", extra={"size_bytes": 5})
    [line] = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "stored a\nb", "level": "info", "logger": "gallery.web", "size_bytes": 5}


def test_line_has_what_is_bound_meanwhile() -> None:
    stream = configured()
    with bound_contextvars(request_id="abc"):
        logging.getLogger("gallery").info("inside")
    logging.getLogger("gallery").info("outside")
    assert [line.get("request_id") for line in lines(stream)] == ["abc", None]


def test_values_that_json_has_not_are_written_all_the_same() -> None:
    stream = configured()
    logging.getLogger("gallery").info("odd", extra={"folder": Path("/photos"), "file": "\udcff.jpg"})
    [line] = lines(stream)
    assert "/photos" in line["folder"]
    assert line["file"] == "\udcff.jpg"


async def test_a_call_that_is_made_again_is_told_in_a_line_like_all_others(capsys: pytest.CaptureFixture[str]) -> None:
    stream = configured()
    failures = [OSError("gone")]

    async def call() -> None:
        if failures:
            raise failures.pop()

    await stamina.AsyncRetryingCaller(attempts=2, wait_initial=0, wait_jitter=0)(OSError, call)

    [line] = lines(stream)
    assert (line["event"], line["level"], line["logger"]) == ("stamina.retry_scheduled", "warning", "stamina")
    assert line["stamina.caused_by"] == "OSError('gone')"
    assert capsys.readouterr().out == ""


def test_exception_is_structured_without_the_values_of_variables() -> None:
    stream = configured()
    try:
        failing()
    except RuntimeError:
        logging.getLogger("gallery").exception("a request failed")
    [line] = lines(stream)
    assert [raised["exc_type"] for raised in line["exception"]] == ["RuntimeError", "ValueError"]
    assert [frame["name"] for frame in line["exception"][1]["frames"]] == ["failing", "_fail"]
    assert PASSWORD not in stream.getvalue()


def test_exception_is_text_in_a_console() -> None:
    stream = configured(log_format=LogFormat.CONSOLE)
    try:
        failing()
    except RuntimeError:
        logging.getLogger("gallery").exception("a request failed", extra={"size_bytes": 5})
    text = stream.getvalue()
    assert "a request failed" in text
    assert "size_bytes=5" in text
    assert "Traceback (most recent call last):" in text
    assert text.rstrip().endswith("RuntimeError: it failed")
    assert "\x1b[" not in text
    assert PASSWORD not in text


@pytest.mark.parametrize(
    ("stream", "log_format", "is_json"),
    [
        (StringIO(), LogFormat.AUTO, True),
        (Terminal(), LogFormat.AUTO, False),
        (Terminal(), LogFormat.JSON, True),
        (StringIO(), LogFormat.CONSOLE, False),
    ],
)
def test_format_is_readable_in_a_terminal_unless_told_otherwise(
    stream: StringIO, log_format: LogFormat, *, is_json: bool
) -> None:
    configure_logging(LogSettings(format=log_format), stream)
    logging.getLogger("gallery").info("hello")
    assert stream.getvalue().startswith("{") is is_json
    assert "hello" in stream.getvalue()


@pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.CONSOLE])
def test_users_and_passwords_of_addresses_are_hidden(log_format: LogFormat) -> None:
    stream = configured(log_format=log_format)
    log = logging.getLogger("gallery")
    log.info("connecting to %s", "postgresql://ada:s3cret@db.example:5432/gallery")
    log.info("connecting", extra={"cache": "redis://:s3cr@et@cache.example/0"})
    try:
        raise OSError("no route to https://ada:s3cret@s3.example/")  # noqa: EM101, TRY003, TRY301  # as a library would
    except OSError:
        log.exception("failed")
    text = stream.getvalue()
    assert "s3cr" not in text
    assert "ada" not in text
    for address in (
        "postgresql://***@db.example:5432/gallery",
        "redis://***@cache.example/0",
        "https://***@s3.example",
    ):
        assert address in text


def test_address_without_a_password_stays() -> None:
    stream = configured()
    logging.getLogger("gallery").info("see https://photos.example/graphql, or write to ada@photos.example")
    [line] = lines(stream)
    assert line["event"] == "see https://photos.example/graphql, or write to ada@photos.example"


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("level", [LogLevel.DEBUG, LogLevel.INFO])
def test_libraries_that_write_headers_and_statements_only_warn(name: str, level: LogLevel) -> None:
    stream = configured(level)
    logging.getLogger(name).info("Authorization: secret")
    assert stream.getvalue() == ""
    logging.getLogger(name).warning("slow")
    assert [line["event"] for line in lines(stream)] == ["slow"]


def test_what_is_odd_about_files_is_not_told() -> None:
    stream = configured()
    logging.getLogger("pyvips").warning("VIPS: read gave 1 warnings")
    assert stream.getvalue() == ""
    logging.getLogger("pyvips").error("broken")
    assert [line["event"] for line in lines(stream)] == ["broken"]


def test_debugging_is_of_the_gallery_only() -> None:
    stream = configured(LogLevel.DEBUG)
    logging.getLogger("gallery.web").debug("ours")
    logging.getLogger("uvicorn.error").debug("theirs")
    logging.getLogger("uvicorn.error").info("theirs too")
    assert [line["event"] for line in lines(stream)] == ["ours", "theirs too"]


def test_level_holds_for_everything() -> None:
    stream = configured(LogLevel.ERROR)
    for name in ("gallery", "alembic", *LIBRARIES):
        logging.getLogger(name).warning("unheard")
    assert stream.getvalue() == ""


def test_uvicorn_writes_the_same_lines_and_no_access_log() -> None:
    stream = configured()
    logging.getLogger("uvicorn.error").info("Started", extra={"color_message": "\x1b[36mStarted"})
    logging.getLogger("uvicorn.access").info("GET /?token=secret")
    logging.getLogger("uvicorn.error").info('%s - "WebSocket %s" [accepted]', "127.0.0.1:1", "/?token=secret")
    assert [(line["logger"], line["event"]) for line in lines(stream)] == [("uvicorn.error", "Started")]
    assert "color_message" not in lines(stream)[0]
    assert not logging.getLogger("uvicorn.access").hasHandlers()


def test_aborted_answer_is_not_logged_again_by_the_server() -> None:
    stream = configured()
    log = logging.getLogger("uvicorn.error")
    log.error("Exception in ASGI application\n", exc_info=AbortedResponseError())
    assert stream.getvalue() == ""
    log.error("Exception in ASGI application\n", exc_info=ValueError())
    assert len(lines(stream)) == 1


def test_configuring_again_replaces_what_was_configured() -> None:
    first = configured()
    second = configured()
    logging.getLogger("gallery").info("once")
    logging.getLogger("uvicorn.error").info("once")
    assert first.getvalue() == ""
    assert len(lines(second)) == 2


def test_warnings_are_logged() -> None:
    stream = configured()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert [line["logger"] for line in lines(stream)] == ["py.warnings"]
