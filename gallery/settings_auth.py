"""Settings of who may use the gallery, and of what this machine shows to others; a part of `settings.py`."""

from __future__ import annotations

from enum import StrEnum, unique

from pydantic import SecretStr

from gallery.settings_types import Section


@unique
class AuthMode(StrEnum):
    """How the gallery knows who asks."""

    LOCAL = "local"
    OPEN = "open"
    TOKEN = "token"  # noqa: S105  # a word, no secret

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked who they are."""
        return self in {AuthMode.LOCAL, AuthMode.OPEN}


class AuthSettings(Section):
    """Who may use the gallery."""

    mode: AuthMode = AuthMode.LOCAL
    """`local`: everybody who reaches the loopback address is the administrator. `open`: so is everybody who reaches
    any address that the server listens on; only for networks that you trust wholly. `token`: everybody shows an API
    token, which `gallery token create` makes."""


class ClientSettings(Section):
    """What this machine shows to galleries elsewhere."""

    token: SecretStr | None = None
    """The API token with which `gallery import --to` sends files to a gallery that wants to know who asks."""
