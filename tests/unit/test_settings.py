"""Settings: what each is without being set, which values are taken, and what is said of the others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from platformdirs import user_data_path
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from gallery.settings import (
    AddressingStyle,
    DatabaseSettings,
    LogFormat,
    LogLevel,
    Settings,
    StorageSettings,
)
from gallery.settings_auth import AuthMode
from gallery.settings_report import SettingsError, Source, list_settings, load_settings
from gallery.settings_types import _quota_in_cores

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def _environment_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("GALLERY_"):
            monkeypatch.delenv(name)


def fields(model: type[BaseModel] = Settings, path: str = "GALLERY_") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting that is no section, by its variable."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, f"{path}{name.upper()}__")
        else:
            yield f"{path}{name.upper()}", field


def value_of(settings: Settings, variable: str) -> object:
    value: object = settings
    for part in variable.removeprefix("GALLERY_").lower().split("__"):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize(("variable", "field"), [pytest.param(*each, id=each[0]) for each in fields()])
def test_every_setting_has_a_default_and_a_description(variable: str, field: FieldInfo) -> None:
    assert not field.is_required()
    assert field.description is not None
    assert field.description.rstrip().endswith(".")
    assert variable in {setting.variable for setting in list_settings(load_settings())}


def test_a_gallery_without_settings_runs_by_itself_for_its_owner_alone() -> None:
    settings = load_settings()

    assert settings.data_dir == user_data_path("gallery", appauthor=False)
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8000)
    assert settings.auth.mode is AuthMode.LOCAL
    assert settings.database.url is None
    assert settings.cache.url is None
    assert settings.storage_is_embedded
    assert settings.worker.embedded
    assert settings.server.cors_origins == settings.server.allowed_hosts == ()


def test_lifetimes_in_the_cache_are_those_that_the_documentation_promises() -> None:
    cache = load_settings().cache

    assert cache.image_ttl_seconds == 2 * 60 * 60
    assert cache.list_ttl_seconds == 30 * 60
    assert cache.stats_ttl_seconds == 5 * 60
    assert cache.default_ttl_seconds == 60 * 60


def test_a_client_of_websockets_has_ten_seconds_to_begin() -> None:
    assert load_settings().graphql.connection_init_timeout_seconds == 10


def test_settings_cannot_be_changed() -> None:
    settings = load_settings()

    with pytest.raises(ValidationError, match="frozen"):
        settings.data_dir = Path("/elsewhere")  # type: ignore[misc]  # that is the point
    with pytest.raises(ValidationError, match="frozen"):
        settings.server.port = 1  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("GALLERY_DATA_DIR", "/srv/gallery", Path("/srv/gallery")),
        ("GALLERY_SERVER__PORT", "0", 0),
        ("GALLERY_SERVER__PORT", "65535", 65_535),
        ("GALLERY_DATABASE__POOL_SIZE", "1", 1),
        ("GALLERY_STORAGE__BUCKET", "abc", "abc"),
        ("GALLERY_STORAGE__PART_SIZE_BYTES", "5242880", 5 * 1024 * 1024),
        ("GALLERY_STORAGE__ADDRESSING_STYLE", "path", AddressingStyle.PATH),
        ("GALLERY_CACHE__ENABLED", "false", False),
        ("GALLERY_CACHE__JITTER", "0", 0.0),
        ("GALLERY_CACHE__TIMEOUT_SECONDS", "5", 5.0),
        ("GALLERY_UPLOADS__MAX_FILE_SIZE", "1", 1),
        ("GALLERY_UPLOADS__MAX_REQUEST_SIZE", "2147483648", 2_147_483_648),
        ("GALLERY_UPLOADS__PROGRESS_TIMEOUT_SECONDS", "3600", 3600.0),
        ("GALLERY_UPLOADS__DRAIN_LIMIT_BYTES", "0", 0),
        ("GALLERY_THUMBNAILS__SMALL_PX", "16", 16),
        ("GALLERY_THUMBNAILS__LARGE_PX", "16383", 16_383),
        ("GALLERY_THUMBNAILS__QUALITY", "100", 100),
        ("GALLERY_AUTH__MODE", "open", AuthMode.OPEN),
        ("GALLERY_AUTH__MODE", "token", AuthMode.TOKEN),
        ("GALLERY_AUTH__OIDC__ALGORITHMS", "ES512,EdDSA", ("ES512", "EdDSA")),
        ("GALLERY_LOG__LEVEL", "debug", LogLevel.DEBUG),
        ("GALLERY_LOG__FORMAT", "json", LogFormat.JSON),
        ("gallery_log__format", "json", LogFormat.JSON),
    ],
)
def test_a_variable_sets_one_value(monkeypatch: pytest.MonkeyPatch, variable: str, text: str, value: object) -> None:
    monkeypatch.setenv(variable, text)

    assert value_of(load_settings(), variable.upper()) == value


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", ()),
        ("photos.example", ("photos.example",)),
        ("photos.example,localhost", ("photos.example", "localhost")),
        (" photos.example , ,localhost, ", ("photos.example", "localhost")),
        ("*", ("*",)),
    ],
)
def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch, text: str, hosts: tuple[str, ...]) -> None:
    monkeypatch.setenv("GALLERY_SERVER__ALLOWED_HOSTS", text)
    monkeypatch.setenv("GALLERY_SERVER__CORS_ORIGINS", text)

    settings = load_settings()

    assert settings.server.allowed_hosts == hosts
    assert settings.server.cors_origins == hosts


def test_lists_may_be_given_as_lists() -> None:
    settings = load_settings(server={"cors_origins": ["https://a.example", "https://b.example"]})

    assert settings.server.cors_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("GALLERY_SERVER__PORT", "-1"),
        ("GALLERY_SERVER__PORT", "65536"),
        ("GALLERY_SERVER__PORT", "http"),
        ("GALLERY_SERVER__PORT", ""),
        ("GALLERY_SERVER__PUBLIC_URL", "photos.example"),
        ("GALLERY_SERVER__PUBLIC_URL", "ftp://photos.example"),
        ("GALLERY_SERVER__SHUTDOWN_TIMEOUT_SECONDS", "-1"),
        ("GALLERY_DATABASE__URL", "mysql://localhost/gallery"),
        ("GALLERY_DATABASE__URL", "localhost/gallery"),
        ("GALLERY_DATABASE__POOL_SIZE", "0"),
        ("GALLERY_DATABASE__POOL_SIZE", "1001"),
        ("GALLERY_DATABASE__POOL_TIMEOUT_SECONDS", "0"),
        ("GALLERY_DATABASE__STATEMENT_TIMEOUT_SECONDS", "0"),
        ("GALLERY_STORAGE__ENDPOINT_URL", "s3.example"),
        ("GALLERY_STORAGE__ENDPOINT_URL", "https://s3.example"),
        ("GALLERY_STORAGE__PUBLIC_ENDPOINT_URL", "s3.example"),
        ("GALLERY_STORAGE__BUCKET", "ab"),
        ("GALLERY_STORAGE__BUCKET", "b" * 64),
        ("GALLERY_STORAGE__ADDRESSING_STYLE", "sideways"),
        ("GALLERY_STORAGE__ACCESS_KEY_ID", "key"),
        ("GALLERY_STORAGE__SECRET_ACCESS_KEY", "key"),
        ("GALLERY_STORAGE__PART_SIZE_BYTES", "5242879"),
        ("GALLERY_STORAGE__PART_SIZE_BYTES", "536870913"),
        ("GALLERY_STORAGE__PARTS_IN_FLIGHT", "0"),
        ("GALLERY_STORAGE__PARTS_IN_FLIGHT", "65"),
        ("GALLERY_STORAGE__TIMEOUT_SECONDS", "0"),
        ("GALLERY_STORAGE__MAX_CONNECTIONS", "0"),
        ("GALLERY_CACHE__URL", "memcached://localhost"),
        ("GALLERY_CACHE__ENABLED", "perhaps"),
        ("GALLERY_CACHE__TIMEOUT_SECONDS", "0"),
        ("GALLERY_CACHE__TIMEOUT_SECONDS", "5.1"),
        ("GALLERY_CACHE__IMAGE_TTL_SECONDS", "0"),
        ("GALLERY_CACHE__LIST_TTL_SECONDS", "0"),
        ("GALLERY_CACHE__STATS_TTL_SECONDS", "0"),
        ("GALLERY_CACHE__DEFAULT_TTL_SECONDS", "0"),
        ("GALLERY_CACHE__DEFAULT_TTL_SECONDS", "1.5"),
        ("GALLERY_CACHE__JITTER", "-0.1"),
        ("GALLERY_CACHE__JITTER", "0.6"),
        ("GALLERY_UPLOADS__MAX_FILE_SIZE", "0"),
        ("GALLERY_UPLOADS__MAX_FILE_SIZE", "2GB"),
        ("GALLERY_UPLOADS__MAX_FILES", "0"),
        ("GALLERY_UPLOADS__MAX_FILES", "10001"),
        ("GALLERY_UPLOADS__MAX_FIELD_SIZE", "1023"),
        ("GALLERY_UPLOADS__MAX_PIXELS", "0"),
        ("GALLERY_UPLOADS__MAX_REQUEST_SIZE", "2147483647"),
        ("GALLERY_UPLOADS__MAX_REQUEST_SIZE", "1099511627777"),
        ("GALLERY_UPLOADS__CLAIM_TIMEOUT_SECONDS", "0"),
        ("GALLERY_UPLOADS__PROGRESS_TIMEOUT_SECONDS", "0"),
        ("GALLERY_UPLOADS__PROGRESS_TIMEOUT_SECONDS", "3601"),
        ("GALLERY_UPLOADS__DRAIN_LIMIT_BYTES", "-1"),
        ("GALLERY_THUMBNAILS__SMALL_PX", "15"),
        ("GALLERY_THUMBNAILS__SMALL_PX", "961"),
        ("GALLERY_THUMBNAILS__MEDIUM_PX", "16384"),
        ("GALLERY_THUMBNAILS__LARGE_PX", "16384"),
        ("GALLERY_THUMBNAILS__QUALITY", "0"),
        ("GALLERY_THUMBNAILS__QUALITY", "101"),
        ("GALLERY_WORKER__EMBEDDED", "sometimes"),
        ("GALLERY_WORKER__CONCURRENCY", "0"),
        ("GALLERY_WORKER__CONCURRENCY", "65"),
        ("GALLERY_WORKER__MAX_ATTEMPTS", "0"),
        ("GALLERY_WORKER__MAX_ATTEMPTS", "101"),
        ("GALLERY_WORKER__RETRY_DELAY_SECONDS", "0"),
        ("GALLERY_AUTH__MODE", "nobody"),
        ("GALLERY_AUTH__OIDC__ISSUER", "id.example"),
        ("GALLERY_AUTH__OIDC__ALGORITHMS", "HS256"),
        ("GALLERY_LOG__LEVEL", "loud"),
        ("GALLERY_LOG__FORMAT", "xml"),
    ],
)
def test_a_wrong_value_is_refused_with_the_variable(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    monkeypatch.setenv(variable, text)

    with pytest.raises(SettingsError) as refusal:
        load_settings()

    assert variable in str(refusal.value)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"GALLERY_SERVER__PORT": "65536"},
            (
                "GALLERY_SERVER__PORT is '65536': input should be less than or equal to 65535. "
                "It is: TCP port to listen on; 0 takes a free one."
            ),
        ),
        (
            {"GALLERY_STORAGE__ENDPOINT_URL": "https://s3.example"},
            "GALLERY_STORAGE__ENDPOINT_URL needs a bucket: set GALLERY_STORAGE__BUCKET.",
        ),
        (
            {"GALLERY_STORAGE__SECRET_ACCESS_KEY": SECRET},
            "Set both GALLERY_STORAGE__ACCESS_KEY_ID and GALLERY_STORAGE__SECRET_ACCESS_KEY, or neither.",
        ),
        (
            {"GALLERY_THUMBNAILS__MEDIUM_PX": "100"},
            (
                "GALLERY_THUMBNAILS__SMALL_PX, MEDIUM_PX and LARGE_PX are 320, 100 and 2048: "
                "they must not shrink in this order."
            ),
        ),
        (
            {"GALLERY_UPLOADS__MAX_FILE_SIZE": "200", "GALLERY_UPLOADS__MAX_REQUEST_SIZE": "100"},
            (
                "GALLERY_UPLOADS__MAX_REQUEST_SIZE is 100: it must not be less than GALLERY_UPLOADS__MAX_FILE_SIZE, "
                "which is 200."
            ),
        ),
        (
            {"GALLERY_SERVR__PORT": "1"},
            "GALLERY_SERVR__PORT is not a setting of the gallery. Did you mean GALLERY_SERVER__PORT?",
        ),
    ],
)
def test_a_refusal_says_what_to_do(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], message: str) -> None:
    for variable, text in environment.items():
        monkeypatch.setenv(variable, text)

    with pytest.raises(SettingsError) as refusal:
        load_settings()

    assert str(refusal.value) == message


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERY_SERVER__PORT", "http")
    monkeypatch.setenv("GALLERY_LOG__LEVEL", "loud")

    with pytest.raises(SettingsError) as refusal:
        load_settings()

    [port, level] = str(refusal.value).splitlines()
    assert port.startswith("GALLERY_SERVER__PORT is 'http': ")
    assert level.startswith("GALLERY_LOG__LEVEL is 'loud': ")


@pytest.mark.parametrize(
    "url", ["postgresql://localhost/gallery", "postgres://localhost/gallery", "postgresql+asyncpg://localhost/gallery"]
)
def test_a_database_is_taken_by_every_usual_scheme(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("GALLERY_DATABASE__URL", url)

    found = load_settings().database.url

    assert found is not None
    assert found.get_secret_value() == url


@pytest.mark.parametrize("scheme", ["redis", "rediss", "valkey", "valkeys", "unix"])
def test_a_cache_is_taken_by_every_usual_scheme(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("GALLERY_CACHE__URL", f"{scheme}://localhost")

    found = load_settings().cache.url

    assert found is not None
    assert found.get_secret_value() == f"{scheme}://localhost"


@pytest.mark.parametrize(
    ("storage", "is_embedded"),
    [
        ({}, True),
        ({"bucket": "photos"}, False),
        ({"endpoint_url": "https://s3.example", "bucket": "photos"}, False),
    ],
)
def test_the_storage_is_embedded_unless_one_is_named(storage: dict[str, str], *, is_embedded: bool) -> None:
    assert load_settings(storage=storage).storage_is_embedded is is_embedded


def test_secrets_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERY_DATABASE__URL", f"postgresql://gallery:{SECRET}@localhost/gallery")
    monkeypatch.setenv("GALLERY_CACHE__URL", f"redis://:{SECRET}@localhost")
    monkeypatch.setenv("GALLERY_STORAGE__ACCESS_KEY_ID", SECRET)
    monkeypatch.setenv("GALLERY_STORAGE__SECRET_ACCESS_KEY", SECRET)

    settings = load_settings()

    shown = [
        repr(settings),
        str(settings),
        settings.model_dump_json(),
        repr(settings.model_dump()),
        *(repr(asdict(setting)) for setting in list_settings(settings)),
    ]
    assert [text for text in shown if SECRET in text] == []
    assert settings.storage.secret_access_key is not None
    assert settings.storage.secret_access_key.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("GALLERY_DATABASE__URL", f"mysql://gallery:{SECRET}@localhost/gallery"),
        ("GALLERY_DATABASE__URL", f"gallery:{SECRET}@localhost/gallery"),
        ("GALLERY_CACHE__URL", f"http://:{SECRET}@localhost"),
        ("GALLERY_STORAGE__ACCESS_KEY_ID", SECRET),
        ("GALLERY_STORAGE__SECRET_ACCESS_KEY", SECRET),
        ("GALLERY_DATABASE", f'{{"url": ["{SECRET}"]}}'),
        ("GALLERY_DATABASE", f"postgresql://gallery:{SECRET}@localhost/gallery"),
    ],
)
def test_a_refusal_shows_no_secret(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    monkeypatch.setenv(variable, text)

    with pytest.raises(SettingsError) as refusal:
        load_settings()

    assert SECRET not in str(refusal.value)


def test_what_is_given_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERY_SERVER__PORT", "1234")
    monkeypatch.setenv("GALLERY_SERVER__HOST", "::1")
    given = {"server": {"port": 4321}}

    settings = load_settings(**given)

    assert (settings.server.host, settings.server.port) == ("::1", 4321)
    sources = {setting.variable: setting.source for setting in list_settings(settings, given)}
    assert sources["GALLERY_SERVER__PORT"] is Source.COMMAND_LINE
    assert sources["GALLERY_SERVER__HOST"] is Source.ENVIRONMENT
    assert sources["GALLERY_LOG__LEVEL"] is Source.DEFAULT


@pytest.mark.parametrize("section", [DatabaseSettings, StorageSettings])
def test_a_section_takes_nothing_that_it_does_not_know(section: type[BaseModel]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        section(nonsense=1)


def test_more_than_one_process_needs_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERY_SERVER__WORKERS", "2")
    monkeypatch.setenv("GALLERY_CACHE__ENABLED", "false")

    with pytest.raises(SettingsError, match="GALLERY_SERVER__WORKERS is more than 1 and GALLERY_CACHE__ENABLED"):
        load_settings()


@pytest.mark.parametrize("value", ["0", "65", "many"])
def test_processes_are_counted_or_auto(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("GALLERY_SERVER__WORKERS", value)

    with pytest.raises(SettingsError, match=f"GALLERY_SERVER__WORKERS is '{value}'"):
        load_settings()


def test_auto_is_one_process_for_each_core_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERY_SERVER__WORKERS", "auto")

    assert 1 <= load_settings().server.workers <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("content", "cores"),
    [("max 100000\n", None), ("150000 100000\n", 1.5), ("", None)],
    ids=["without a bound", "one and a half", "unreadable"],
)
def test_the_quota_of_a_container_counts_as_cores(tmp_path: Path, content: str, cores: float | None) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(content)

    assert _quota_in_cores(file) == cores
    assert _quota_in_cores(tmp_path / "missing") is None
