"""GraphiQL at the address of GraphQL: who gets its page, and who is led to the page to sign in."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from gallery.domain.access import ANONYMOUS, Viewer
from gallery.domain.errors import UnavailableError
from gallery.settings_graphql import Exposed
from gallery.web.authentication import Authentication, UnauthenticatedError
from gallery.web.graphiql.assets import ASSETS_PATH
from gallery.web.graphiql.page import SignInLink, graphiql_page
from gallery.web.graphql.exposure import shown_to
from gallery.web.paths import GRAPHQL_PATH, LOGIN_PATH, LOGOUT_PATH


class GraphiQL:
    """What browsers get; nothing if `is_off`."""

    def __init__(self, exposed: Exposed, authentication: Authentication) -> None:
        self._exposed = exposed
        self._authentication = authentication
        self.is_off = exposed is Exposed.OFF

    async def page(self, scope: Scope) -> Response:
        """The page, or the way to sign in for those who are not shown it."""
        prefix = scope.get("app_root_path", scope.get("root_path", ""))
        sign_in = None
        if not self._authentication.is_open:
            viewer = await self._visitor(scope)
            sign_in = _sign_in_link(viewer, prefix)
            if not shown_to(self._exposed, viewer):
                return RedirectResponse(sign_in.login, HTTPStatus.SEE_OTHER)
        return graphiql_page(scope["path"], assets_path=f"{prefix}{ASSETS_PATH}", sign_in=sign_in)

    async def _visitor(self, scope: Scope) -> Viewer:
        """Who shows something wrong is taken for a stranger: the page helps them to sign in."""
        try:
            return await self._authentication.viewer_in(scope)
        except (UnauthenticatedError, UnavailableError):
            return ANONYMOUS


def _sign_in_link(viewer: Viewer, prefix: str) -> SignInLink:
    then = urlencode({"next": f"{prefix}{GRAPHQL_PATH}"})
    return SignInLink(
        login=f"{prefix}{LOGIN_PATH}?{then}",
        logout=f"{prefix}{LOGOUT_PATH}?{then}",
        is_signed_in=viewer.session_id is not None,
    )
