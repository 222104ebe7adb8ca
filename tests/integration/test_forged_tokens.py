"""What is tried with JSON Web Tokens (RFC 8725, and the attacks of common tools), over HTTP, in mode `oidc`.

Every forgery gets the same answer, byte for byte but for the id of the request, and leaves nothing behind.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gallery.services.authentication import Authenticator
from gallery.services.vouching import Vouching
from gallery.settings import Settings
from gallery.settings_auth import AuthMode, AuthSettings, OidcSettings
from gallery.web.app import create_web_app
from tests.fakes.gallery import MemoryGallery
from tests.identity_provider import EC, NOW, OTHER_RSA, RSA, Issuer, identity_provider
from tests.unit.test_app import parts_of

NOT_BELIEVED = "The token of the identity provider is not to be believed: sign in again."
EXPIRED = "The token of the identity provider has expired: sign in again."
UNKNOWN = "This is no token of the gallery, or one that was revoked."
NO_BEARER = "The header `Authorization` is to be `Bearer` and an API token, once."
ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

Forgery = Callable[[Issuer], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A gallery that trusts an identity provider, and a client of it."""

    issuer: Issuer
    gallery: MemoryGallery
    client: httpx.AsyncClient

    async def show(self, token: str) -> httpx.Response:
        return await self.client.post(
            "/graphql", json={"query": "{ viewer { name } }"}, headers={"Authorization": f"Bearer {token}"}
        )


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    gallery = MemoryGallery()
    async with identity_provider() as issuer:
        vouching = Vouching(issuer.verifier(), gallery.unit_of_work, gallery.clock, monotonic=gallery.clock.monotonic)
        authenticator = Authenticator(gallery.directory, gallery.unit_of_work, gallery.clock, vouching=vouching)
        parts = parts_of(gallery)
        oidc = OidcSettings.model_validate({"issuer": issuer.url, "audience": "gallery"})
        app = create_web_app(
            replace(
                parts,
                use_cases=replace(parts.use_cases, authenticator=authenticator),
                settings=Settings(auth=AuthSettings(mode=AuthMode.OIDC, oidc=oidc)),
            )
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            yield Door(issuer=issuer, gallery=gallery, client=client)


def b64(value: object) -> str:
    """In base64url: bytes and text as they are, anything else as JSON."""
    if not isinstance(value, bytes):
        value = (value if isinstance(value, str) else json.dumps(value)).encode()
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def rs256(data: bytes, key: Any = RSA) -> bytes:  # noqa: ANN401  # a key of joserfc
    signature: bytes = key.private_key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return signature


def es256(data: bytes) -> bytes:
    assert EC.private_key is not None
    r, s = decode_dss_signature(EC.private_key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def token(
    issuer: Issuer,
    header: object,
    signed: Callable[[bytes], bytes] = rs256,
    payload: object = None,
    claims: Mapping[str, object] | None = None,
) -> str:
    """A token with whatever header and payload, signed by the issuer's key unless said otherwise."""
    data = f"{b64(header)}.{b64(issuer.claims(**claims or {}) if payload is None else payload)}"
    return f"{data}.{b64(signed(data.encode()))}"


def unsigned(_data: bytes) -> bytes:
    return b""


def by_another_key(data: bytes) -> bytes:
    return rs256(data, OTHER_RSA)


def by_secret(secret: bytes, algorithm: str = "sha256") -> Callable[[bytes], bytes]:
    return lambda data: hmac.digest(secret, data, algorithm)


def always(signature: bytes) -> Callable[[bytes], bytes]:
    return lambda _data: signature


def head(**fields: object) -> dict[str, object]:
    return {"alg": "RS256", "kid": "rsa", **fields}


def public_forms() -> Mapping[str, bytes]:
    """The public key as a server may hold it, each a secret for HMAC if the algorithm is taken from the token."""
    public = RSA.public_key
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    jwk = RSA.as_dict(private=False)
    return {
        "PEM": pem,
        "PEM without its last line end": pem.rstrip(b"\n"),
        "PEM in PKCS 1": public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "JWK": json.dumps(jwk).encode(),
        "modulus": base64.urlsafe_b64decode(f"{jwk['n']}=="),
        "nothing": b"",
        "a usual secret": b"your-256-bit-secret",
    }


def without_algorithm() -> Iterator[tuple[str, Forgery]]:
    for alg in ["none", "None", "NONE", "nOnE", " none", "none ", "", None, ["none"], {"none": 1}, 0, True]:
        yield f"algorithm {alg!r}", partial(token, header=head(alg=alg), signed=unsigned)
        yield f"algorithm {alg!r} with a signature", partial(token, header=head(alg=alg))
    yield "no algorithm", partial(token, header={"kid": "rsa"})
    yield "RS256 and no signature", partial(token, header=head(), signed=unsigned)
    yield "two algorithms, the last none", partial(token, header='{"alg":"RS256","kid":"rsa","alg":"none"}')


def confusion() -> Iterator[tuple[str, Forgery]]:
    for form, secret in public_forms().items():
        for alg, digest in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")):
            yield f"{alg} with {form}", partial(token, header=head(alg=alg), signed=by_secret(secret, digest))
    for alg in ("rs256", "RS256 ", "RS384", "RS512", "PS256", "ES256", "EdDSA", "RSA-OAEP", "dir", "A128KW"):
        yield f"RS256 called {alg!r}", partial(token, header=head(alg=alg))
    yield "ES256 with the id of an RSA key", partial(token, header=head(alg="ES256"), signed=es256)


def empty_signatures() -> Iterator[tuple[str, Forgery]]:
    order = ORDER_OF_P256.to_bytes(32, "big")
    signatures = {
        "zeros": bytes(64),
        "zeros in DER": encode_dss_signature(0, 0),
        "the order": order + order,
        "zero and one": bytes(63) + b"\1",
        "one byte": b"\0",
        "too many zeros": bytes(128),
    }
    for name, signature in signatures.items():
        yield f"ES256 of {name}", partial(token, header={"alg": "ES256", "kid": "ec"}, signed=always(signature))
    for name, signature in {"zeros": bytes(256), "one": bytes(255) + b"\1", "one byte": b"\0"}.items():
        yield f"RS256 of {name}", partial(token, header=head(), signed=always(signature))


def key_ids() -> Iterator[tuple[str, Forgery]]:
    ids: dict[str, object] = {
        "a path": "../../../../../../dev/null",
        "an absolute path": "/dev/null",
        "SQL": "rsa' UNION SELECT 'secret' --",
        "SQL that is always true": "rsa' OR '1'='1",
        "a command": "rsa | sleep 10",
        "a NUL": "rsa\0",
        "an address": "http://127.0.0.1:1/keys",
        "nothing": "",
        "an object": {"$ne": None},
        "a list": ["rsa"],
        "a number": 0,
        "much": "k" * 4000,
        "another case": "RSA",
    }
    for name, kid in ids.items():
        yield f"key id of {name}", partial(token, header=head(kid=kid), signed=by_another_key)
        yield f"key id of {name}, HS256", partial(token, header=head(alg="HS256", kid=kid), signed=by_secret(b""))


def keys_of_their_own() -> Iterator[tuple[str, Forgery]]:
    own = OTHER_RSA.as_dict(private=False)
    headers = {
        "under a known id": head(),
        "under its id": head(kid="other"),
        "without an id": {"alg": "RS256"},
        "in `jwk`": head(jwk=own),
        "in `jwk`, without an id": {"alg": "RS256", "jwk": own},
        "in `jwk`, under its id": head(kid="other", jwk=own),
        "in `x5c`": head(x5c=[b64(b"certificate")]),
    }
    for name, header in headers.items():
        yield f"another key {name}", partial(token, header=header, signed=by_another_key)
    for name in ("jku", "x5u"):
        yield f"another key by `{name}`", partial(at_an_address, name)
    yield (
        "another key by another issuer",
        lambda issuer: token(issuer, head(), by_another_key, claims={"iss": f"{issuer.url}/theirs"}),
    )


def at_an_address(name: str, issuer: Issuer) -> str:
    """A token that says where its keys are. The issuer notes what it is asked for."""
    return token(issuer, head(kid="other", **{name: f"{issuer.url}/theirs"}), by_another_key)


def critical() -> Iterator[tuple[str, Forgery]]:
    unknown = "http://example.com/unknown"
    for names in (["exp"], ["b64"], [unknown], [], "exp", [0]):
        yield f"`crit` of {names!r}", partial(token, header=head(crit=names, b64=True, **{unknown: 1}))


def wrong_claims() -> Iterator[tuple[str, Forgery]]:
    wrong: dict[str, dict[str, object]] = {
        "`nbf` ahead": {"nbf": NOW + 300},
        "`iat` ahead": {"iat": NOW + 300},
        "`aud` of others": {"aud": "mail"},
        "`aud` with a tail": {"aud": "gallery "},
        "`aud` of lists": {"aud": [["gallery"]]},
        "`aud` of an object": {"aud": {"gallery": 1}},
        "no `aud`": {"aud": None},
        "`iss` of others": {"iss": "https://id.example"},
        "`iss` of a list": {"iss": ["https://id.example"]},
        "no `iss`": {"iss": None},
        "no `exp`": {"exp": None},
        "`exp` in words": {"exp": "never"},
        "`exp` as text": {"exp": str(NOW + 300)},
        "`exp` without end": {"exp": float("inf")},
        "`exp` of a list": {"exp": [NOW + 300]},
        "no `sub`": {"sub": None},
        "`sub` of an object": {"sub": {"$ne": ""}},
    }
    for name, claims in wrong.items():
        yield name, partial(token, header=head(), claims=claims)
    for name, payload in {"a list": [], "text": "ada", "a number": 7, "null": "null", "no JSON": "{"}.items():
        yield f"claims of {name}", partial(token, header=head(), payload=payload)
    past = {"exp": NOW - 300}
    yield "expired, and not signed", partial(token, header=head(), signed=unsigned, claims=past)
    yield "expired, by another key", partial(token, header=head(), signed=by_another_key, claims=past)


def shapes() -> Iterator[tuple[str, Forgery]]:
    for name, header in {"no JSON": "{", "a list": [], "much nesting": "[" * 3000}.items():
        yield f"a header of {name}", partial(token, header=header)
    yield "a changed payload", lambda issuer: with_payload(issuer, issuer.claims(groups=["photo-admins"]))
    yield "another payload", lambda issuer: with_payload(issuer, b"-")
    yield "a detached payload", partial(token, header=head(crit=["b64"], b64=False), payload="x")
    yield "compressed", partial(token, header=head(zip="DEF"), payload=b"\x78\x9c")


def with_payload(issuer: Issuer, payload: object) -> str:
    """A token of the issuer, but for its payload."""
    first, _, last = token(issuer, head()).split(".")
    return f"{first}.{b64(payload)}.{last}"


def with_audiences(issuer: Issuer, first: str, last: str) -> str:
    """A token of the issuer whose claims have two audiences under one name."""
    claims = json.dumps(issuer.claims(aud=first))
    return token(issuer, head(), payload=f'{claims[:-1]}, "aud": "{last}"}}')


FORGERIES: Mapping[str, Forgery] = dict(
    forgery
    for forgeries in (
        without_algorithm,
        confusion,
        empty_signatures,
        key_ids,
        keys_of_their_own,
        critical,
        wrong_claims,
        shapes,
    )
    for forgery in forgeries()
)


async def test_a_token_of_the_provider_is_taken(door: Door) -> None:
    """So that the others are refused for what they are."""
    for made in (token(door.issuer, head()), token(door.issuer, {"alg": "ES256", "kid": "ec"}, es256)):
        answer = await door.show(made)

        assert (answer.status_code, answer.json()) == (200, {"data": {"viewer": {"name": "Ada"}}})


@pytest.mark.parametrize("name", FORGERIES)
async def test_forgeries_are_all_refused_in_the_same_words(door: Door, name: str) -> None:
    accounts = dict(door.gallery.tables.accounts)

    answer = await door.show(FORGERIES[name](door.issuer))

    assert refused(answer) == NOT_BELIEVED
    assert answer.headers["www-authenticate"] == 'Bearer realm="gallery", error="invalid_token"'
    assert door.gallery.tables.accounts == accounts
    assert set(door.issuer.asked) <= {"/.well-known/openid-configuration", "/keys"}


async def test_only_who_has_a_token_of_the_provider_is_told_that_it_expired(door: Door) -> None:
    assert refused(await door.show(token(door.issuer, head(), claims={"exp": NOW - 300}))) == EXPIRED


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        (lambda made: made.replace(".", ""), UNKNOWN),
        (lambda made: f"{made}.e30.e30", UNKNOWN),  # encrypted, RFC 7516
        (lambda made: made.rpartition(".")[0], UNKNOWN),
        (lambda made: made + "=", UNKNOWN),
        (lambda made: made.replace("-", "+").replace("_", "/") + "+", UNKNOWN),
        (lambda _: b64({"payload": "e30", "signatures": []}), UNKNOWN),
        (lambda made: f"{made} {made}", NO_BEARER),
        (lambda made: f"{made}, Bearer {made}", NO_BEARER),
        (lambda made: made + "A" * 10_000, NO_BEARER),
    ],
    ids=["no dots", "encrypted", "two parts", "padded", "other base64", "JSON", "twice", "list", "huge"],
)
async def test_what_has_another_shape_is_looked_at_no_further(
    door: Door, shape: Callable[[str], str], told: str
) -> None:
    answer = await door.show(shape(token(door.issuer, head())))

    assert refused(answer) == told
    assert door.issuer.asked == []


async def test_the_last_of_two_audiences_counts(door: Door) -> None:
    """As parsers take it (RFC 7519, section 4), so that the provider and the gallery read the same."""
    assert refused(await door.show(with_audiences(door.issuer, "gallery", "mail"))) == NOT_BELIEVED

    assert (await door.show(with_audiences(door.issuer, "mail", "gallery"))).status_code == 200


def refused(answer: httpx.Response) -> str:
    """What is told, and that nothing else is."""
    assert answer.status_code == 401, answer.text
    (error,) = answer.json()["errors"]
    assert answer.json() == {"errors": [error]}
    assert set(error) == {"message", "extensions"}
    assert error["extensions"] == {"code": "UNAUTHENTICATED", "requestId": answer.headers["x-request-id"]}
    message: str = error["message"]
    return message
