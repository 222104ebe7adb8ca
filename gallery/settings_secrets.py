"""Secrets in files: for every setting that is a secret, `…_FILE` names a file that holds it.

Environments are shown by process lists, crash reports and `docker inspect`; files have owners.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

SUFFIX: Final = "_FILE"
_MAX_BYTES: Final = 64 * 1024


class SecretFileError(ValueError):
    """A file that should hold a secret cannot be used. The message names variable and file, never what is in it."""


def is_secret(field: FieldInfo) -> bool:
    """Whether the setting is a secret."""
    return "SecretStr" in str(field.annotation)


class EnvironmentWithFiles(EnvSettingsSource):
    """The environment, in which a secret may be in a file."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        """The variables by their names in lower case, secrets out of files among them.

        Raises:
            SecretFileError: if a file cannot be read, or the secret is given twice.
        """
        variables = dict(super()._load_env_vars())
        for name in _secrets(self.settings_cls, self.env_prefix, self.env_nested_delimiter or ""):
            path = variables.pop((name + SUFFIX).lower(), None)
            if path is None:
                continue
            if name.lower() in variables:
                message = f"{name} and {name}{SUFFIX} are both set: leave one of them out."
                raise SecretFileError(message)
            variables[name.lower()] = _read(name + SUFFIX, Path(path))
        return variables


def _secrets(model: type[BaseModel], prefix: str, delimiter: str) -> Iterator[str]:
    """The variables of all secrets below."""
    for name, field in model.model_fields.items():
        annotation, variable = field.annotation, f"{prefix}{name}".upper()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _secrets(annotation, variable + delimiter, delimiter)
        elif is_secret(field):
            yield variable


def _read(variable: str, path: Path) -> str:
    """What the file holds, without the end of its last line.

    Raises:
        SecretFileError: if it cannot be read, or holds nothing, or no text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        message = f"{variable} is {path}: it cannot be read ({error.strerror})."
    except UnicodeDecodeError:
        message = f"{variable} is {path}: it is not in UTF-8."
    else:
        if text and len(content) <= _MAX_BYTES:
            return text
        message = f"{variable} is {path}: it is {'larger than any secret' if text else 'empty'}."
    raise SecretFileError(message) from None
