"""An identity provider on a real socket, whose tokens a test signs as it likes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from gallery.platform.identity import JwtVerifier, SigningKeys
from gallery.settings_auth import OidcSettings
from tests.entities import NOON
from tests.fakes.clock import StandingClock

NOW = int(NOON.timestamp())
RSA, OTHER_RSA = (RSAKey.generate_key(2048, {"kid": kid}) for kid in ("rsa", "other"))
EC = ECKey.generate_key("P-256", {"kid": "ec"})


@dataclass
class Issuer:
    """An identity provider, and a gallery that trusts it."""

    url: str = ""
    keys: list[Any] = field(default_factory=lambda: [RSA, EC])
    asked: list[str] = field(default_factory=list)
    status: int = 200
    named: str | None = None
    padding: str = ""
    """What the keys have beside them."""
    clock: StandingClock = field(default_factory=lambda: StandingClock(NOON))
    signing_keys: SigningKeys | None = None

    def claims(self, **claims: object) -> dict[str, Any]:
        """Good ones, but for those that are given; None leaves one out."""
        good = {
            "iss": self.url,
            "aud": "gallery",
            "sub": "ada-1",
            "exp": NOW + 300,
            "iat": NOW,
            "preferred_username": "Ada",
            "groups": ["people", "photo-editors"],
        }
        return {name: value for name, value in (good | claims).items() if value is not None}

    def signed(self, key: Any = RSA, alg: str = "RS256", kid: str | None = "", **claims: object) -> str:  # noqa: ANN401  # any key
        header = {"alg": alg} | ({} if kid is None else {"kid": kid or key.kid})
        return jwt.encode(header, self.claims(**claims), key, algorithms=[alg])

    def verifier(self, **settings: object) -> JwtVerifier:
        wanted = {
            "issuer": self.url,
            "audience": "gallery",
            "editors": "photo-editors",
            "administrators": "photo-admins",
        }
        oidc = OidcSettings.model_validate(wanted | settings)
        self.signing_keys = self.signing_keys or SigningKeys(oidc, clock=self.clock.monotonic)
        return JwtVerifier(oidc, self.signing_keys, self.clock)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if self.status != 200:
            return web.Response(status=self.status, headers={"Location": "/keys"})
        if request.path.endswith("openid-configuration"):
            return web.json_response({"issuer": self.named or self.url, "jwks_uri": f"{self.url}/keys"})
        return web.json_response({**KeySet(self.keys).as_dict(private=False), "padding": self.padding})


@asynccontextmanager
async def identity_provider() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    app = web.Application()
    app.router.add_get("/{path:.*}", issuer.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    issuer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield issuer
    finally:
        await runner.cleanup()
