"""The web application: every address of the gallery, and what requests pass on their way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from gallery.domain.access import ANONYMOUS, VISITOR
from gallery.domain.budgets import Budget
from gallery.domain.document_ports import DocumentStore
from gallery.domain.errors import UnavailableError
from gallery.domain.metrics import NO_METRICS
from gallery.domain.ports import ObjectStorage
from gallery.domain.response_ports import ResponseCache
from gallery.domain.waiting import Places
from gallery.settings import Settings
from gallery.settings_auth import Strangers
from gallery.settings_connections import OverloadSettings
from gallery.settings_graphql import Exposed
from gallery.web.auth_routes import auth_routes
from gallery.web.authentication import OPEN, Authentication, Sessions, UnauthenticatedError, require_known
from gallery.web.base_url import base_url_for
from gallery.web.compression import Codings, compressed
from gallery.web.cookies import SessionCookies
from gallery.web.graphiql import graphiql_assets
from gallery.web.graphql.context import UseCases
from gallery.web.graphql.cost import Costs
from gallery.web.graphql.endpoint import GraphQLEndpoint
from gallery.web.graphql.exposure import Exposure
from gallery.web.graphql.kept import ResponseKeeper
from gallery.web.graphql.persisted import OperationSource
from gallery.web.graphql.quick import QuickAnswers
from gallery.web.graphql.schema import schema, schema_text
from gallery.web.graphql.transport_ws import Limits
from gallery.web.graphql.trusted import trusted_documents
from gallery.web.graphql.turns import Turns
from gallery.web.graphql.websocket import WebSocketEndpoint
from gallery.web.health import Check, Health
from gallery.web.media import Media
from gallery.web.metrics import Counting, Metrics
from gallery.web.middleware.stack import middleware, wrapped
from gallery.web.origins import origin_check
from gallery.web.paths import GRAPHQL_PATH, MEDIA_PATH, SCHEMA_PATH, SHARED_PAGE_PATH, SHARED_PATH
from gallery.web.responses import ERROR_HANDLERS, error_response
from gallery.web.shared_media import SharedMedia
from gallery.web.shared_page import SharedPage


@dataclass(frozen=True, slots=True, kw_only=True)
class WebParts:
    """What the web application is made of.

    `checks` say how each dependency is, by its name. Without `counting` nothing is counted, without `documents` there
    are no persisted queries, without `responses` no answer is kept, without `budget` nobody is throttled. Setting
    `stopping` makes the gallery unready, so that a load balancer sends it nothing new before it stops.
    """

    use_cases: UseCases
    storage: ObjectStorage
    checks: Mapping[str, Check]
    settings: Settings
    counting: Counting | None = None
    documents: DocumentStore | None = None
    responses: ResponseCache | None = None
    budget: Budget | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def create_web_app(parts: WebParts) -> Starlette:
    """The application, for an ASGI server. The end of its lifespan waits for mutations whose clients went away.

    Raises:
        TrustedDocumentsError: if the documents of the settings cannot be used.
    """
    trusted = trusted_documents(parts.settings.graphql, schema)
    base_url = base_url_for(parts.settings.server)
    authentication = authentication_of(parts)
    metrics = NO_METRICS if parts.counting is None else parts.counting.metrics
    turns = _turns(parts.settings.overload)
    operations = OperationSource(schema, _told_documents(parts), trusted, parts.settings.graphql, turns)
    keeper = _keeper(parts)
    costs = Costs(parts.settings.graphql, parts.budget, metrics)
    exposure = exposure_of(parts.settings)
    graphql = GraphQLEndpoint(
        schema,
        parts.use_cases,
        parts.settings.uploads,
        base_url,
        authentication,
        exposure=exposure,
        stopping=parts.stopping,
        metrics=metrics,
        operations=operations,
        keeper=keeper,
        costs=costs,
    )
    sockets = WebSocketEndpoint(
        schema=schema,
        operations=operations,
        use_cases=parts.use_cases,
        base_url=base_url,
        authentication=authentication,
        is_allowed=origin_check(parts.settings.server),
        limits=_socket_limits(parts.settings),
        stopping=parts.stopping,
        metrics=metrics,
        costs=costs,
        exposure=exposure,
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.gather(graphql.settle(), sockets.settle())

    route = Route(GRAPHQL_PATH, _outermost(parts, authentication, graphql, keeper))
    app = _Web(
        routes=_routes(parts, authentication, route, sockets),
        middleware=middleware(parts.settings.server, metrics, parts.settings.overload),
        exception_handlers=ERROR_HANDLERS,
        lifespan=lifespan,
    )
    app.lead_to(route)
    app.router.redirect_slashes = False  # such a redirect is built of what a proxy may have changed
    return app


class _Web(Starlette):
    """Starlette, with a short way to the address that is asked most.

    It passes what every request passes, and neither the list of addresses nor what makes answers of Starlette's own
    exceptions, which that address does not raise.
    """

    def lead_to(self, route: Route) -> None:
        """Opens the short way."""
        self._short_cut = route
        self._short_way = wrapped(route.app, self.user_middleware)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == GRAPHQL_PATH and not scope.get("root_path"):
            scope["route"] = self._short_cut  # as the router would: requests are counted by it
            await self._short_way(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _told_documents(parts: WebParts) -> DocumentStore | None:
    return parts.documents if parts.settings.graphql.persisted_queries else None


def exposure_of(settings: Settings) -> Exposure:
    """Who is told the schema."""
    return Exposure.of(settings.graphql, settings.auth.mode)


def _turns(settings: OverloadSettings) -> Turns:
    return Turns(settings.max_operations, Places(settings.max_waiting), settings.queue_timeout_seconds)


def _socket_limits(settings: Settings) -> Limits:
    return Limits(
        init_timeout_seconds=settings.graphql.connection_init_timeout_seconds,
        max_message_bytes=settings.uploads.max_field_size,
        max_operations=settings.graphql.max_socket_operations,
    )


def authentication_of(parts: WebParts) -> Authentication:
    """Who may use the gallery, by its mode."""
    auth, authenticator = parts.settings.auth, parts.use_cases.authenticator
    if auth.mode.is_open:
        return OPEN
    sessions = Sessions(known_by=authenticator, cookies=SessionCookies(parts.settings.server))
    return Authentication(
        authenticator, sessions=sessions, stranger=VISITOR if auth.anonymous is Strangers.VIEWER else ANONYMOUS
    )


def _keeper(parts: WebParts) -> ResponseKeeper | None:
    if parts.responses is None:
        return None
    return ResponseKeeper(parts.responses, Codings(enabled=parts.settings.server.compression))


def _outermost(
    parts: WebParts, authentication: Authentication, graphql: GraphQLEndpoint, keeper: ResponseKeeper | None
) -> ASGIApp:
    """The endpoint with what stands before it: answers that are kept need nothing of it, and are compressed already."""
    app = compressed(graphql) if parts.settings.server.compression else graphql
    if keeper is None:
        return app
    return QuickAnswers(
        app,
        keeper,
        base_url_for(parts.settings.server),
        authentication,
        metrics=NO_METRICS if parts.counting is None else parts.counting.metrics,
        graphiql=exposure_of(parts.settings).graphiql is not Exposed.OFF,
        patience_seconds=parts.settings.uploads.progress_timeout_seconds,
    )


def _routes(
    parts: WebParts, authentication: Authentication, graphql: Route, sockets: WebSocketEndpoint
) -> list[BaseRoute]:
    return [
        Route("/", _to_graphql),
        graphql,
        WebSocketRoute(GRAPHQL_PATH, sockets),
        graphiql_assets(),
        *_schema_routes(parts, authentication),
        Route(MEDIA_PATH, Media(parts.use_cases.image_reader, parts.storage, authentication), methods=["GET"]),
        Route(SHARED_PAGE_PATH, SharedPage(parts.use_cases.shared, parts.settings.uploads), methods=["GET", "POST"]),
        Route(SHARED_PATH, SharedMedia(parts.use_cases.shared, parts.storage), methods=["GET"]),
        *Health(parts.checks, stopping=parts.stopping, authentication=authentication).routes(),
        *_metrics_routes(parts, authentication),
        *auth_routes(parts.use_cases, parts.settings, authentication),
    ]


def _metrics_routes(parts: WebParts, authentication: Authentication) -> list[BaseRoute]:
    if parts.counting is None:
        return []
    return [Metrics(parts.counting.page, parts.settings, authentication).route()]


async def _to_graphql(request: Request) -> Response:
    root_path = request.scope.get("root_path", "").rstrip("/")
    return RedirectResponse(f"{root_path}{GRAPHQL_PATH}")


def _schema_routes(parts: WebParts, authentication: Authentication) -> list[BaseRoute]:
    introspection = exposure_of(parts.settings).introspection
    if parts.settings.graphql.only_trusted or introspection is Exposed.OFF:
        return []

    async def schema_for(request: Request) -> Response:
        try:
            if introspection is not Exposed.ON:
                require_known(await authentication.viewer_in(request.scope))
        except (UnauthenticatedError, UnavailableError) as error:
            return error_response(request.scope, error)
        return PlainTextResponse(_schema_text(), headers={"Cache-Control": "no-cache"})

    return [Route(SCHEMA_PATH, schema_for)]


@cache
def _schema_text() -> str:
    return schema_text()
