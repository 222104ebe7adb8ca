"""Settings as people meet them: read with errors that name the variable, and listed with where each value is from."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined
from pydantic_settings import SettingsError as UnparsableSettingError

from gallery.settings import Settings
from gallery.settings_secrets import SUFFIX, SecretFileError, is_secret

PREFIX = "GALLERY_"
NOT_SETTINGS = "GALLERY_TEST_"
"""What the test suite reads; see tests/services.py."""

_HIDDEN = "(hidden)"


class SettingsError(ValueError):
    """Settings that cannot be used; the message has a line for each, with the variable and what it takes."""


@unique
class Source(StrEnum):
    """Where a value comes from."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as it is now. Values are text; secrets are hidden."""

    variable: str
    value: str
    default: str
    source: Source
    description: str


def load_settings(**given: Mapping[str, object] | object) -> Settings:
    """The settings from the environment; what is `given` goes before it.

    Raises:
        SettingsError: if a variable has a wrong value, or there is no setting of its name.
    """
    if unknown := sorted(_unknown_variables()):
        raise SettingsError("\n".join(map(_not_a_setting, unknown)))
    try:
        return Settings(**given)  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        raise SettingsError("\n".join(map(_explain, error.errors(include_url=False)))) from None
    except SecretFileError as error:
        raise SettingsError(str(error)) from None
    except UnparsableSettingError as error:
        message = f"{error}. Write sections as JSON, or set their values one by one with two underscores."
        raise SettingsError(message) from None


def list_settings(settings: Settings, given: Mapping[str, object] | None = None) -> Iterator[Setting]:
    """Every setting in the order of the tree; `given` is what the command line said."""
    for path, field, value in _walk(settings):
        variable = _variable(path)
        yield Setting(
            variable=variable,
            value=_text(value),
            default=_text(_default(field)),
            source=_source(path, variable, given or {}),
            description=" ".join((field.description or "").split()),
        )


def _walk(model: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo, object]]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _walk(value, (*path, name))
        else:
            yield (*path, name), field, value


def _variable(path: tuple[str | int, ...]) -> str:
    return PREFIX + "__".join(str(part) for part in path).upper()


def _default(field: FieldInfo) -> object:
    default = field.get_default(call_default_factory=True, validated_data={})
    return None if default is PydanticUndefined else default


def _text(value: object) -> str:
    match value:
        case None | ():
            return ""
        case SecretStr():
            return _HIDDEN
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(map(str, value))
    return str(value)


def _source(path: tuple[str, ...], variable: str, given: Mapping[str, Any]) -> Source:
    where: object = given
    for part in path:
        where = where.get(part) if isinstance(where, Mapping) else None
    if where is not None:
        return Source.COMMAND_LINE
    section = _variable(path[:1])
    in_environment = {name.upper() for name in os.environ} & {variable, variable + SUFFIX, section}
    return Source.ENVIRONMENT if in_environment else Source.DEFAULT


def _known_variables() -> frozenset[str]:
    known: set[str] = set()
    for path, field, _ in _walk(Settings.model_construct()):
        known.add(_variable(path))
        if is_secret(field):
            known.add(_variable(path) + SUFFIX)
    return frozenset(known | {variable.partition("__")[0] for variable in known})


def _unknown_variables() -> Iterator[str]:
    known = _known_variables()
    for name in os.environ:
        upper = name.upper()
        if upper.startswith(PREFIX) and not upper.startswith(NOT_SETTINGS) and upper not in known:
            yield name


def _not_a_setting(name: str) -> str:
    close = difflib.get_close_matches(name.upper(), _known_variables(), n=1)
    hint = f" Did you mean {close[0]}?" if close else " `gallery settings` lists all."
    return f"{name} is not a setting of the gallery.{hint}"


def _explain(error: ErrorDetails) -> str:
    """What is wrong with one value: the variable, the value unless it may be a secret, and what it takes."""
    path = error["loc"]
    problem = error["msg"].removeprefix("Value error, ")
    problem = problem[:1].lower() + problem[1:]
    if not path or (len(path) == 1 and isinstance(error["input"], Mapping | BaseModel)):
        return f"{problem[:1].upper()}{problem[1:]}."  # a rule about several values, which names them itself
    field = _field(path)
    value = _HIDDEN if field is None or is_secret(field) else repr(error["input"])
    takes = "" if field is None else f" It is: {' '.join((field.description or '').split())}"
    return f"{_variable(path)} is {value}: {problem}.{takes}"


def _field(path: tuple[str | int, ...]) -> FieldInfo | None:
    model: type[BaseModel] = Settings
    field: FieldInfo | None = None
    for part in path:
        field = model.model_fields.get(str(part))
        if field is None:
            return None
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
    return field
