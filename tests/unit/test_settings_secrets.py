"""Secrets in files: for every secret there is a variable that names its file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from gallery.settings import Settings
from gallery.settings_report import SettingsError, Source, _walk, list_settings, load_settings
from gallery.settings_secrets import is_secret

URL = "postgresql://user:hunter2@db/gallery"


def secrets() -> list[str]:
    """The variables of all secrets."""
    found = [path for path, field, _ in _walk(Settings.model_construct()) if is_secret(field)]
    return ["GALLERY_" + "__".join(path).upper() for path in found]


SUITED: Mapping[str, str] = {"GALLERY_DATABASE__URL": URL, "GALLERY_CACHE__URL": "valkey://:hunter2@cache"}
TOGETHER = {"GALLERY_STORAGE__ACCESS_KEY_ID", "GALLERY_STORAGE__SECRET_ACCESS_KEY"}


@pytest.mark.parametrize("variable", secrets())
def test_every_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str) -> None:
    secret = SUITED.get(variable, "a secret of many characters")
    for name in TOGETHER if variable in TOGETHER else {variable}:
        file = tmp_path / name
        file.write_text(f"{secret}\n")
        monkeypatch.setenv(f"{name}_FILE", str(file))

    settings = load_settings()

    value: object = settings
    for part in variable.removeprefix("GALLERY_").lower().split("__"):
        value = getattr(value, part)
    assert isinstance(value, SecretStr)
    assert value.get_secret_value() == secret
    [listed] = [one for one in list_settings(settings) if one.variable == variable]
    assert (listed.value, listed.source) == ("(hidden)", Source.ENVIRONMENT)


@pytest.mark.parametrize(
    ("content", "secret"),
    [("a\n", "a"), ("a\r\n", "a"), ("a", "a"), (" a b \n\n", " a b \n"), ("ä\n", "ä")],
    ids=["line", "line of Windows", "no line", "blanks", "not ASCII"],
)
def test_the_end_of_the_last_line_is_no_part_of_a_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, secret: str
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content.encode())
    monkeypatch.setenv("gallery_client__token_file", str(file))

    token = load_settings().client.token

    assert token is not None
    assert token.get_secret_value() == secret


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "it cannot be read (No such file or directory)."),
        (b"", "it is empty."),
        (b"\n", "it is empty."),
        (b"hunter2\xff", "it is not in UTF-8."),
        (b"hunter2" * 10_000, "it is larger than any secret."),
    ],
    ids=["none", "empty", "empty line", "bytes", "large"],
)
def test_a_file_that_holds_no_secret_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("GALLERY_DATABASE__URL_FILE", str(file))

    with pytest.raises(SettingsError) as refused:
        load_settings()

    assert str(refused.value) == f"GALLERY_DATABASE__URL_FILE is {file}: {complaint}"


def test_what_is_wrong_with_a_secret_in_a_file_is_told_without_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text("mysql://user:hunter2@db/gallery")
    monkeypatch.setenv("GALLERY_DATABASE__URL_FILE", str(file))

    with pytest.raises(SettingsError) as refused:
        load_settings()

    assert "begins with mysql://" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_secret_is_given_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(URL)
    monkeypatch.setenv("GALLERY_DATABASE__URL", URL)
    monkeypatch.setenv("GALLERY_DATABASE__URL_FILE", str(file))

    with pytest.raises(SettingsError, match="GALLERY_DATABASE__URL and GALLERY_DATABASE__URL_FILE are both set"):
        load_settings()


def test_what_is_no_secret_is_in_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GALLERY_SERVER__PORT_FILE", str(tmp_path))

    with pytest.raises(SettingsError, match="GALLERY_SERVER__PORT_FILE is not a setting"):
        load_settings()


def test_what_the_command_line_says_goes_before_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(URL)
    monkeypatch.setenv("GALLERY_DATABASE__URL_FILE", str(file))

    url = load_settings(database={"url": "postgresql://other/gallery"}).database.url

    assert url is not None
    assert url.get_secret_value() == "postgresql://other/gallery"
