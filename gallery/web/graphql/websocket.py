"""The ASGI application behind `/graphql` for WebSockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import strawberry
from graphql import ExecutionResult, OperationType
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from gallery.domain.access import Viewer
from gallery.domain.errors import UnavailableError
from gallery.domain.metrics import NO_METRICS, WebMetrics
from gallery.web.authentication import Authentication, Credentials, UnauthenticatedError, require_admitted
from gallery.web.errors import InternalError, RequestCode, RequestError, error_body
from gallery.web.graphql.admission import admit, may_tell, while_known
from gallery.web.graphql.context import Context, UseCases
from gallery.web.graphql.cost import Bill, Costs
from gallery.web.graphql.deadline import DeadlineExceededError
from gallery.web.graphql.execution import PreparedOperation, format_result, run_subscription
from gallery.web.graphql.exposure import EXPOSED, Exposure
from gallery.web.graphql.idempotency import first_answer
from gallery.web.graphql.measuring import MeasuredOperation
from gallery.web.graphql.persisted import OperationSource
from gallery.web.graphql.request import Parameters
from gallery.web.graphql.transport_ws import (
    GONE,
    SUBPROTOCOL,
    Answer,
    CloseCode,
    ClosingError,
    Connection,
    Limits,
)
from gallery.web.graphql.validation import RefusedDocumentError
from gallery.web.middleware.request_ids import request_id_of
from gallery.web.patience import wait_anew, wait_as
from gallery.web.peers import address_of
from gallery.web.responses import error_response

log = logging.getLogger(__name__)

_NOT_ALLOWED: Final = (
    "The page that asks for this WebSocket is not the gallery's. Let its operator add the origin to "
    "GALLERY_SERVER__CORS_ORIGINS, or set GALLERY_SERVER__PUBLIC_URL if it is that of a proxy before the gallery."
)


class _Peer:
    """Who is at the other end: who showed something when they connected, or does so in their first message."""

    def __init__(self, authentication: Authentication, websocket: WebSocket) -> None:
        self.websocket = websocket
        self._authentication = authentication
        self._credentials = authentication.shown_by(websocket)

    async def introduce(self, payload: dict[str, Any] | None) -> None:
        """Takes what the first message shows, which counts for more than the header does.

        Raises:
            ClosingError: if nobody known is there.
        """
        shown = Credentials.of_message(payload)
        if shown.authorization:
            self._credentials = shown
        try:
            await self.viewer()
        except (UnauthenticatedError, UnavailableError) as error:
            code = CloseCode.TRY_AGAIN_LATER if isinstance(error, UnavailableError) else CloseCode.FORBIDDEN
            raise ClosingError(code, error.message) from error

    async def viewer(self) -> Viewer:
        """Who it is, looked up again for whatever they ask for.

        Raises:
            UnauthenticatedError, UnavailableError: as `Authentication.viewer_of`.
        """
        viewer = await self._authentication.viewer_of(self._credentials)
        require_admitted(viewer)
        return viewer


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketEndpoint:
    """Executes operations of any kind over WebSockets that speak graphql-transport-ws.

    The older subprotocol graphql-ws is refused. Setting `stopping` closes all connections.
    """

    schema: strawberry.Schema
    operations: OperationSource
    use_cases: UseCases
    base_url: Callable[[HTTPConnection], str]
    authentication: Authentication
    is_allowed: Callable[[HTTPConnection], bool]
    limits: Limits
    stopping: asyncio.Event
    metrics: WebMetrics = NO_METRICS
    costs: Costs = field(default_factory=Costs)
    exposure: Exposure = EXPOSED
    _mutations: set[asyncio.Task[Answer]] = field(default_factory=set, init=False)

    async def settle(self) -> None:
        """Waits for mutations whose connections were cut off."""
        await asyncio.gather(*self._mutations, return_exceptions=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection (ASGI)."""
        websocket = WebSocket(scope, receive, send)
        if not self.is_allowed(websocket):
            error = RequestError(RequestCode.ORIGIN_NOT_ALLOWED, _NOT_ALLOWED, HTTPStatus.FORBIDDEN)
            await error_response(scope, error)(scope, receive, send)
            return
        try:
            await self.authentication.viewer_of(self.authentication.shown_by(websocket))
        except (UnauthenticatedError, UnavailableError) as refused:
            await error_response(scope, refused)(scope, receive, send)
            return
        is_spoken = SUBPROTOCOL in scope["subprotocols"]
        try:
            await websocket.accept(SUBPROTOCOL if is_spoken else None)
        except OSError:
            return  # the client did not wait
        if not is_spoken:  # the handshake is done all the same: browsers tell a page nothing of one that was refused
            with suppress(*GONE):
                await websocket.close(CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE, "Subprotocol not acceptable")
            return
        peer = _Peer(self.authentication, websocket)
        await Connection(
            websocket,
            partial(self._answers, peer),
            peer.introduce,
            self.limits,
            request_id=request_id_of(scope),
            stopping=self.stopping,
        ).serve()

    async def _answers(self, peer: _Peer, parameters: Parameters) -> AsyncGenerator[Answer]:
        """The answers to an operation. Whatever goes wrong is one of them."""
        request_id = request_id_of(peer.websocket.scope)
        with MeasuredOperation(self.metrics) as measured:
            try:
                async with aclosing(self._executed(peer, parameters, measured)) as answers:
                    async for answer in answers:
                        yield answer
            except DeadlineExceededError as error:
                measured.failed()
                yield error_body(error, request_id)
            except (RequestError, UnavailableError) as error:
                measured.refused()
                yield error_body(error, request_id)
            except Exception:
                measured.failed()
                log.exception("an operation failed: %s", request_id)
                yield error_body(InternalError(request_id), request_id)

    async def _executed(
        self, peer: _Peer, parameters: Parameters, measured: MeasuredOperation
    ) -> AsyncGenerator[Answer]:
        wait_anew()
        context = Context(
            viewer=await peer.viewer(),
            use_cases=self.use_cases,
            base_url=self.base_url(peer.websocket),
            request_id=request_id_of(peer.websocket.scope),
        )
        wait_as(context.viewer)
        try:
            parameters, operation = await self.operations.prepare(parameters, may_tell=may_tell(context.viewer))
            admit(context.viewer, operation)
            self.exposure.admit(operation, context.viewer)
            bill = self.costs.bill(operation, parameters.variables, context.viewer, address_of(peer.websocket.scope))
        except RefusedDocumentError as refused:
            measured.refused()
            errors = self.exposure.told(refused.errors, context.viewer)
            yield self._formatted(ExecutionResult(None, errors), context)
            return
        measured.is_a(operation.kind)
        await self.costs.pay(bill)
        if operation.kind is OperationType.SUBSCRIPTION:
            self.costs.executed(bill, None)
            telling = run_subscription(self.schema, operation, parameters.variables, context)
            async with aclosing(while_known(telling, context.viewer, peer.viewer)) as results:
                async for result in results:
                    measured.ended(result, context)
                    yield self._formatted(self.exposure.result_told(result, context.viewer), context)
            return
        answering = self._answer(operation, parameters, context, measured, bill)
        if operation.kind is OperationType.QUERY:
            yield await self.costs.in_time(answering)
        else:
            yield await self._finished(answering)

    async def _answer(
        self,
        operation: PreparedOperation,
        parameters: Parameters,
        context: Context,
        measured: MeasuredOperation,
        bill: Bill,
    ) -> Answer:
        result = await self.operations.run(operation, parameters.variables, context)
        measured.ended(result, context)
        self.costs.executed(bill, result.data)
        told = self.exposure.result_told(result, context.viewer)
        return await first_answer(context, parameters, operation, self._formatted(told, context))

    def _formatted(self, result: ExecutionResult, context: Context) -> Answer:
        return format_result(result, context.request_id, self.costs.limits.max_errors)

    async def _finished(self, answering: Coroutine[Any, Any, Answer]) -> Answer:
        """The answer to a mutation. Who is cut off meanwhile leaves when it is done and kept for a repeat."""
        running = asyncio.create_task(answering)
        self._mutations.add(running)
        running.add_done_callback(self._mutations.discard)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait({running})
            raise
