"""JSON Web Tokens of an identity provider on a real socket: whom they vouch for, and what is tried with forged ones."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import OctKey

from gallery.domain.access import Role
from gallery.domain.accounts import RefusedCredentialError, Vouched
from gallery.domain.errors import UnavailableError
from gallery.settings_auth import AuthMode, AuthSettings, OidcSettings
from tests.entities import NOON
from tests.identity_provider import EC, NOW, OTHER_RSA, RSA, Issuer, identity_provider

NOT_BELIEVED = "The token of the identity provider is not to be believed: sign in again."
EXPIRED = "The token of the identity provider has expired: sign in again."
NO_ROLE = "The identity provider gives you no role in this gallery."


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with identity_provider() as issuer:
        yield issuer


async def refusal(issuer: Issuer, credential: str, **settings: object) -> str:
    with pytest.raises(RefusedCredentialError) as refused:
        await issuer.verifier(**settings).verify(credential)
    return refused.value.reason


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


# Whom it vouches for


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS256"), (EC, "ES256")], ids=["RSA", "EC"])
async def test_a_signed_token_says_who_somebody_is(issuer: Issuer, key: Any, alg: str) -> None:  # noqa: ANN401  # any key
    vouched = await issuer.verifier().verify(issuer.signed(key, alg))

    assert vouched == Vouched(
        issuer=issuer.url,
        subject="ada-1",
        name="Ada",
        role=Role.EDITOR,
        expires_at=NOON.replace(minute=5),
    )


@pytest.mark.parametrize(
    ("claims", "settings", "role"),
    [
        ({"groups": ["photo-editors", "photo-admins"]}, {}, Role.ADMINISTRATOR),
        ({"groups": "photo-admins"}, {}, Role.ADMINISTRATOR),
        ({"groups": ["others"]}, {"viewers": "*"}, Role.VIEWER),
        ({"groups": None}, {"viewers": "*"}, Role.VIEWER),
        ({"groups": ["*"]}, {"contributors": "others"}, None),
        ({"groups": ["others"]}, {}, None),
        ({"groups": None}, {}, None),
        ({"groups": {"photo-admins": True}}, {}, None),
        ({"groups": [7, None]}, {}, None),
        ({"role": "photo-admins"}, {"role_claim": "role"}, Role.ADMINISTRATOR),
    ],
    ids=["highest", "word", "everybody", "without", "star", "others", "none", "object", "numbers", "other claim"],
)
async def test_roles_come_from_a_claim(
    issuer: Issuer, claims: dict[str, Any], settings: dict[str, object], role: Role | None
) -> None:
    credential = issuer.signed(**claims)

    if role is None:
        assert await refusal(issuer, credential, **settings) == NO_ROLE
    else:
        assert (await issuer.verifier(**settings).verify(credential)).role is role


@pytest.mark.parametrize("name", [None, "", " ", 7, "a\nb"], ids=["none", "empty", "blank", "number", "line"])
async def test_who_has_no_name_is_called_by_their_subject(issuer: Issuer, name: object) -> None:
    assert (await issuer.verifier().verify(issuer.signed(preferred_username=name))).name == "ada-1"


async def test_a_token_may_be_for_others_too(issuer: Issuer) -> None:
    assert (await issuer.verifier().verify(issuer.signed(aud=["mail", "gallery"]))).subject == "ada-1"


# Claims that are wrong


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": NOW - 31}, EXPIRED),
        ({"exp": None}, NOT_BELIEVED),
        ({"exp": "tomorrow"}, NOT_BELIEVED),
        ({"exp": float("nan")}, NOT_BELIEVED),
        ({"nbf": NOW + 31}, NOT_BELIEVED),
        ({"iat": NOW + 31}, NOT_BELIEVED),
        ({"aud": "mail"}, NOT_BELIEVED),
        ({"aud": ["mail"]}, NOT_BELIEVED),
        ({"aud": None}, NOT_BELIEVED),
        ({"aud": ""}, NOT_BELIEVED),
        ({"iss": "https://id.example"}, NOT_BELIEVED),
        ({"iss": None}, NOT_BELIEVED),
        ({"sub": None}, NOT_BELIEVED),
        ({"sub": ""}, NOT_BELIEVED),
        ({"sub": 7}, NOT_BELIEVED),
    ],
    ids=[
        "expired",
        "no expiry",
        "expiry in words",
        "expiry of no number",
        "not yet",
        "from the future",
        "other audience",
        "other audiences",
        "no audience",
        "empty audience",
        "other issuer",
        "no issuer",
        "no subject",
        "empty subject",
        "subject of no text",
    ],
)
async def test_wrong_claims_are_refused_however_well_they_are_signed(
    issuer: Issuer, claims: dict[str, Any], reason: str
) -> None:
    assert await refusal(issuer, issuer.signed(**claims)) == reason


async def test_clocks_may_differ_by_half_a_minute(issuer: Issuer) -> None:
    credential = issuer.signed(exp=NOW - 29, nbf=NOW + 29, iat=NOW + 29)

    assert (await issuer.verifier().verify(credential)).subject == "ada-1"


async def test_a_token_that_lasts_for_ever_is_taken(issuer: Issuer) -> None:
    assert (await issuer.verifier().verify(issuer.signed(exp=10**18))).expires_at.year == 9999


# Forgeries


def unsigned(issuer: Issuer, alg: str) -> str:
    return f"{encoded({'alg': alg, 'kid': 'rsa'})}.{encoded(issuer.claims())}."


def signed_with_the_public_key(issuer: Issuer) -> str:
    """By HMAC, for servers that take the algorithm from the token and the public key for its secret."""
    head = f"{encoded({'alg': 'HS256', 'kid': 'rsa'})}.{encoded(issuer.claims())}"
    signature = hmac.digest(RSA.as_pem(private=False), head.encode(), "sha256")
    return f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def with_a_key_of_its_own(issuer: Issuer) -> str:
    header = {"alg": "RS256", "kid": "rsa", "jwk": OTHER_RSA.as_dict(private=False)}
    registry = jws.JWSRegistry(strict_check_header=False)
    return jwt.encode(header, issuer.claims(), OTHER_RSA, algorithms=["RS256"], registry=registry)


def changed(issuer: Issuer) -> str:
    header, _, signature = issuer.signed().split(".")
    return f"{header}.{encoded(issuer.claims(groups=['photo-admins']))}.{signature}"


def cut_off(issuer: Issuer) -> str:
    return issuer.signed().rpartition(".")[0] + "."


FORGERIES: dict[str, Callable[[Issuer], str]] = {
    "none": lambda issuer: unsigned(issuer, "none"),
    "None": lambda issuer: unsigned(issuer, "None"),
    "RS256 without a signature": lambda issuer: unsigned(issuer, "RS256"),
    "cut off": cut_off,
    "changed": changed,
    "HMAC with the public key": signed_with_the_public_key,
    "another key": lambda issuer: issuer.signed(OTHER_RSA, kid="rsa"),
    "another key's id": lambda issuer: issuer.signed(OTHER_RSA),
    "no id among several keys": lambda issuer: issuer.signed(kid=None),
    "key of another kind": lambda issuer: issuer.signed(kid="ec"),
    "key in the header": with_a_key_of_its_own,
    "algorithm that is not wanted": lambda issuer: issuer.signed(alg="RS512"),
    "no JSON": lambda _: "a.b.c",
    "no object": lambda _: f"{encoded([])}.{encoded([])}.",
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_forgeries_are_refused(issuer: Issuer, forgery: str) -> None:
    credential = FORGERIES[forgery](issuer)

    assert await refusal(issuer, credential) == NOT_BELIEVED


async def test_a_shared_secret_among_the_keys_is_no_key(issuer: Issuer) -> None:
    secret = OctKey.import_key("a secret of more than thirty-two characters", {"kid": "oct"})
    issuer.keys.append(secret)

    assert await refusal(issuer, issuer.signed(secret, "HS256")) == NOT_BELIEVED
    assert (await issuer.verifier().verify(issuer.signed())).subject == "ada-1"


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256,HS512", "dir"])
def test_no_setting_lets_a_shared_secret_in(algorithm: str) -> None:
    with pytest.raises(ValueError, match=r"it takes ES256, .*, not"):
        OidcSettings.model_validate({"algorithms": algorithm})


@pytest.mark.parametrize("given", [{}, {"issuer": "https://id.example"}, {"audience": "gallery"}])
def test_the_mode_needs_an_issuer_and_an_audience(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="needs GALLERY_AUTH__OIDC__ISSUER and GALLERY_AUTH__OIDC__AUDIENCE"):
        AuthSettings.model_validate({"mode": AuthMode.OIDC, "oidc": given})


# Keys


async def test_keys_are_fetched_once_an_hour(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    for _ in range(3):
        await verifier.verify(issuer.signed())
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]

    issuer.clock.advance(minutes=60)
    await verifier.verify(issuer.signed(exp=NOW + 7200))

    assert len(issuer.asked) == 4


async def test_new_keys_are_found_as_soon_as_they_are_used(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    await verifier.verify(issuer.signed())
    issuer.keys = [OTHER_RSA]
    issuer.clock.advance(minutes=0.5)

    assert (await verifier.verify(issuer.signed(OTHER_RSA))).subject == "ada-1"
    assert await refusal(issuer, issuer.signed(RSA)) == NOT_BELIEVED


async def test_made_up_ids_of_keys_make_nobody_fetch_them_again_and_again(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    await verifier.verify(issuer.signed())
    issuer.clock.advance(minutes=0.5)
    for number in range(10):
        assert await refusal(issuer, issuer.signed(kid=f"made up {number}")) == NOT_BELIEVED

    assert len(issuer.asked) == 4


async def test_several_who_need_the_keys_wait_for_one_answer(issuer: Issuer) -> None:
    verifier = issuer.verifier()

    await asyncio.gather(*(verifier.verify(issuer.signed()) for _ in range(5)))

    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_keys_without_end_are_not_read_to_it(issuer: Issuer) -> None:
    issuer.padding = "x" * 1024 * 1024

    with pytest.raises(UnavailableError):
        await issuer.verifier().verify(issuer.signed())


async def test_keys_may_lie_where_the_settings_say(issuer: Issuer) -> None:
    await issuer.verifier(jwks_url=f"{issuer.url}/elsewhere").verify(issuer.signed())

    assert issuer.asked == ["/elsewhere"]


async def test_keys_that_are_known_outlast_an_issuer_that_is_away(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    await verifier.verify(issuer.signed())
    issuer.status = 500
    issuer.clock.advance(minutes=60)

    assert (await verifier.verify(issuer.signed(exp=NOW + 7200))).subject == "ada-1"


@pytest.mark.parametrize(("status", "named"), [(500, None), (302, None), (204, None), (200, "https://evil.example")])
async def test_without_keys_nobody_can_tell(issuer: Issuer, status: int, named: str | None) -> None:
    issuer.status, issuer.named = status, named

    with pytest.raises(UnavailableError):
        await issuer.verifier().verify(issuer.signed())
    with pytest.raises(UnavailableError):
        await issuer.verifier().verify(issuer.signed())

    assert issuer.asked == ["/.well-known/openid-configuration"]
