"""The addresses below `/auth`. There are none where nobody is asked who they are."""

from __future__ import annotations

from starlette.routing import Route

from gallery.settings import Settings
from gallery.web.authentication import Authentication
from gallery.web.base_url import base_url_for
from gallery.web.cookies import SessionCookies
from gallery.web.graphql.context import UseCases
from gallery.web.provider_login import ProviderEndpoints
from gallery.web.sessions import SessionEndpoints


def auth_routes(use_cases: UseCases, settings: Settings, authentication: Authentication) -> list[Route]:
    """Those of the mode and of what the settings offer."""
    if authentication.is_open:
        return []
    people = use_cases.people
    endpoints = SessionEndpoints(
        signing_in=people.signing_in,
        accounts=use_cases.accounts,
        authentication=authentication,
        cookies=SessionCookies(settings.server),
        limits=settings.uploads,
        offers_passwords=settings.auth.passwords,
        offers_provider=people.provider is not None,
    )
    if people.provider is None:
        return endpoints.routes()
    elsewhere = ProviderEndpoints(
        sessions=endpoints,
        provider=people.provider,
        issuer=settings.auth.oidc.issuer or "",
        base_url=base_url_for(settings.server),
    )
    return [*endpoints.routes(), *elsewhere.routes()]
