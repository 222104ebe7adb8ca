"""Settings of who may use the gallery, and of what this machine shows to others; a part of `settings.py`."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Final, Self

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator

from gallery.settings_types import CommaSeparated, Section

_ASYMMETRIC: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"}
)


@unique
class AuthMode(StrEnum):
    """How the gallery knows who asks."""

    LOCAL = "local"
    OPEN = "open"
    TOKEN = "token"  # noqa: S105  # a word, no secret
    OIDC = "oidc"

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked who they are."""
        return self in {AuthMode.LOCAL, AuthMode.OPEN}


@unique
class Strangers(StrEnum):
    """What those who do not say who they are may do, where others do."""

    NONE = "none"
    VIEWER = "viewer"


class OidcSettings(Section):
    """The identity provider whose tokens the gallery takes (OpenID Connect)."""

    issuer: str | None = Field(default=None, pattern=r"^https?://[^\s?#]+$")
    """Who signs the tokens, exactly as they say in `iss`, such as https://id.example/realms/photos."""
    audience: str | None = Field(default=None, min_length=1)
    """For whom the tokens are: one of what they say in `aud`."""
    client_id: str | None = Field(default=None, min_length=1)
    """As which client the gallery is known to the provider. Set: people can sign in on its pages with a browser."""
    client_secret: SecretStr | None = None
    """The secret of that client, unless the provider knows it as one without."""
    scopes: CommaSeparated = ("openid", "profile", "groups")
    """What the gallery asks the provider for, separated by commas; `openid` is among them."""
    jwks_url: HttpUrl | None = None
    """Where the keys are with which they are signed. Unset: where the issuer's discovery document says."""
    algorithms: CommaSeparated = ("RS256", "ES256")
    """How they may be signed, separated by commas: RS256 to RS512, PS256 to PS512, ES256 to ES512, Ed25519, EdDSA."""
    name_claim: str = "preferred_username"
    """The claim with the name of an account."""
    role_claim: str = "groups"
    """The claim with what roles are given for: a word, or a list of them."""
    administrators: CommaSeparated = ()
    """Words in that claim that make an administrator, separated by commas. The highest role counts."""
    editors: CommaSeparated = ()
    """Words that make an editor."""
    contributors: CommaSeparated = ()
    """Words that make a contributor."""
    viewers: CommaSeparated = ()
    """Words that make a viewer. In all four lists `*` stands for whoever has a token for this audience. Who gets no
    role is refused."""

    @field_validator("scopes")
    @classmethod
    def _are_of_openid(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        """Without it the provider tells nobody who somebody is."""
        if "openid" not in scopes:
            message = "openid is not among them"
            raise ValueError(message)
        return scopes

    @field_validator("algorithms")
    @classmethod
    def _are_asymmetric(cls, algorithms: tuple[str, ...]) -> tuple[str, ...]:
        """A shared secret could be made of a public key, and nothing at all of `none`."""
        if unsuited := set(algorithms) - _ASYMMETRIC:
            message = f"it takes {', '.join(sorted(_ASYMMETRIC))}, not {min(unsuited)}"
            raise ValueError(message)
        return algorithms


class AuthSettings(Section):
    """Who may use the gallery."""

    mode: AuthMode = AuthMode.LOCAL
    """`local`: everybody who reaches the loopback address is the administrator. `open`: so is everybody who reaches
    any address that the server listens on; only for networks that you trust wholly. `token`: everybody shows an API
    token, which `gallery token create` makes. `oidc`: or a JSON Web Token of your identity provider."""
    anonymous: Strangers = Strangers.NONE
    """What those may do who show nothing, in the modes `token` and `oidc`: `none`, or `viewer`: see what is public."""
    passwords: bool = True
    """Whether people may sign in with a name and a password, in the modes `token` and `oidc`."""
    session_ttl_seconds: int = Field(default=7 * 24 * 3600, ge=60, le=365 * 24 * 3600)
    """How long somebody stays signed in at most, in seconds."""
    session_idle_seconds: int = Field(default=24 * 3600, ge=300, le=365 * 24 * 3600)
    """After how long without a request somebody is signed in no more, in seconds."""
    oidc: OidcSettings = OidcSettings()

    @model_validator(mode="after")
    def _knows_the_provider(self) -> Self:
        if self.mode is AuthMode.OIDC and (self.oidc.issuer is None or self.oidc.audience is None):
            message = "GALLERY_AUTH__MODE=oidc needs GALLERY_AUTH__OIDC__ISSUER and GALLERY_AUTH__OIDC__AUDIENCE"
            raise ValueError(message)
        return self


class ClientSettings(Section):
    """What this machine shows to galleries elsewhere."""

    token: SecretStr | None = None
    """The API token with which `gallery import --to` sends files to a gallery that wants to know who asks."""
