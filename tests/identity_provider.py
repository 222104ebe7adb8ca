"""An identity provider on a real socket, whose tokens a test signs as it likes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from gallery.platform.identity import CodeFlow, JwtVerifier, SigningKeys
from gallery.settings_auth import OidcSettings
from tests.entities import NOON
from tests.fakes.clock import StandingClock

CLIENT_ID, CLIENT_SECRET = "photos", "a secret: of photos"
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
    visits: dict[str, dict[str, str]] = field(default_factory=dict)
    """What was asked for with each code that was not used yet."""
    given_forms: list[tuple[str | None, dict[str, str]]] = field(default_factory=list)
    """What was sent for tokens: the header and the form."""
    token_status: int = 200
    is_public: bool = False
    """Whether the client has no secret."""
    id_claims: dict[str, Any] = field(default_factory=dict)
    """What ID tokens say otherwise."""
    also_told: dict[str, Any] = field(default_factory=dict)
    """What the discovery document says beside, or otherwise."""
    sent_back: dict[str, str] = field(default_factory=dict)
    """What a browser comes back with beside, or otherwise."""

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

    def flow(self, **settings: object) -> CodeFlow:
        """Visits to this provider, of a gallery that it knows as `photos`."""
        wanted = {"issuer": self.url, "audience": "gallery", "editors": "photo-editors", "client_id": CLIENT_ID}
        oidc = OidcSettings.model_validate(wanted | {"client_secret": CLIENT_SECRET} | settings)
        for_client = oidc.model_copy(update={"audience": CLIENT_ID})
        verifier = JwtVerifier(for_client, SigningKeys(oidc, clock=self.clock.monotonic), self.clock)
        return CodeFlow(oidc, verifier, clock=self.clock.monotonic)

    def authorize(self, url: str) -> str:
        """What the provider does once somebody has signed in there: where the browser is sent back to."""
        asked = dict(parse_qsl(urlsplit(url).query))
        code = f"code {len(self.visits)}"
        self.visits[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']} | self.sent_back)}"

    async def give_token(self, request: web.Request) -> web.Response:
        """What the provider gives for a code, once, to who shows the secret and the verifier."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.given_forms.append((request.headers.get("Authorization"), form))
        if self.token_status != 200:
            return web.json_response({"error": "server_error"}, status=self.token_status)
        visit = self.visits.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            visit is None
            or form["redirect_uri"] != visit["redirect_uri"]
            or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != visit["code_challenge"]
            or not self._is_client(request, form)
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        claims = {"aud": visit["client_id"], "nonce": visit["nonce"]} | self.id_claims
        return web.json_response({"access_token": "x", "token_type": "Bearer", "id_token": self.signed(**claims)})

    def _is_client(self, request: web.Request, form: Mapping[str, str]) -> bool:
        basic = base64.b64encode(f"{CLIENT_ID}:{quote_plus(CLIENT_SECRET)}".encode()).decode()
        if request.headers.get("Authorization") is not None:
            return request.headers["Authorization"] == f"Basic {basic}" and "client_secret" not in form
        return self.is_public or form.get("client_secret") == CLIENT_SECRET

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if self.status != 200:
            return web.Response(status=self.status, headers={"Location": "/keys"})
        if request.path.endswith("openid-configuration"):
            told = {
                "issuer": self.named or self.url,
                "jwks_uri": f"{self.url}/keys",
                "authorization_endpoint": f"{self.url}/authorize?tenant=1",
                "token_endpoint": f"{self.url}/token",
            }
            return web.json_response(told | self.also_told)
        return web.json_response({**KeySet(self.keys).as_dict(private=False), "padding": self.padding})


@asynccontextmanager
async def identity_provider() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    app = web.Application()
    app.router.add_get("/{path:.*}", issuer.answer)
    app.router.add_post("/token", issuer.give_token)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    issuer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield issuer
    finally:
        await runner.cleanup()
