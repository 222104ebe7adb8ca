"""GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/), with files, event streams and GraphiQL."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson
import strawberry
from graphql import ExecutionResult, GraphQLError, OperationType
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gallery.domain.access import Viewer
from gallery.domain.errors import OverloadedError, UnavailableError
from gallery.domain.metrics import NO_METRICS, WebMetrics
from gallery.domain.response_ports import KeptResponse
from gallery.domain.waiting import grow_endless
from gallery.settings import UploadSettings
from gallery.web.authentication import Authentication
from gallery.web.body import ClientDisconnectedError, RequestBody
from gallery.web.compression import vary_by_coding
from gallery.web.errors import InternalError, RequestCode, RequestError
from gallery.web.graphql.admission import admit, admit_stranger, may_tell, while_known
from gallery.web.graphql.answers import Answer, MethodNotAllowedError, overloaded, refusal, response_of, with_error
from gallery.web.graphql.context import Context, UseCases
from gallery.web.graphql.cost import COST_HEADER, Bill, Costs
from gallery.web.graphql.deadline import DeadlineExceededError
from gallery.web.graphql.execution import (
    PreparedOperation,
    format_result,
    is_request_error,
    run_subscription,
)
from gallery.web.graphql.exposure import EXPOSED, Exposure
from gallery.web.graphql.graphiql import GraphiQL
from gallery.web.graphql.idempotency import first_answer, key_in
from gallery.web.graphql.kept import ResponseKeeper, asked_of
from gallery.web.graphql.lazily import made_once
from gallery.web.graphql.leaving import SOMEBODY, Presence, WhileSomebodyWaits
from gallery.web.graphql.measuring import MeasuredOperation
from gallery.web.graphql.negotiation import MediaType, Wish, wish
from gallery.web.graphql.persisted import OperationSource
from gallery.web.graphql.request import (
    MULTIPART,
    Parameters,
    parameters_in_json,
    parameters_in_url,
    parameters_of,
    require_content_type,
    require_csrf_header,
)
from gallery.web.graphql.sse import EventStream, only
from gallery.web.graphql.validation import RefusedDocumentError
from gallery.web.middleware.request_ids import new_request_id
from gallery.web.multipart import MultipartRequest
from gallery.web.patience import wait_as
from gallery.web.peers import address_of

log = logging.getLogger(__name__)


class _Headers(Headers):
    """Those of a request, found without a look at each: several are asked for."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._first = dict(reversed(self.raw))

    def __getitem__(self, key: str) -> str:
        return self._first[key.lower().encode("latin-1")].decode("latin-1")

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower().encode("latin-1") in self._first


class _Request(Request):
    """A request that looks at its headers once."""

    @made_once
    def headers(self) -> Headers:
        return _Headers(self.scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exchange:
    """One request, and the media type of its answer."""

    request: Request
    body: RequestBody
    request_id: str
    wish: Wish
    media_type: MediaType
    viewer: Viewer
    file_bytes: int | None = None
    """About how large the only file is, if there is one and its size can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subscription:
    """What a client is told again and again, as JSON."""

    results: AsyncGenerator[bytes]


class GraphQLEndpoint:
    """The ASGI application behind `/graphql`.

    Every answer but the GraphiQL page is JSON in UTF-8, or events that hold such JSON, and every error in it has
    `extensions.code` and `extensions.requestId`. Queries of clients that went away are cancelled; mutations that
    have begun are finished. Setting `stopping` ends all subscriptions.
    """

    def __init__(  # noqa: PLR0913 - all that answers are made of
        self,
        schema: strawberry.Schema,
        use_cases: UseCases,
        uploads: UploadSettings,
        base_url: Callable[[HTTPConnection], str],
        authentication: Authentication,
        *,
        exposure: Exposure = EXPOSED,
        stopping: asyncio.Event | None = None,
        metrics: WebMetrics = NO_METRICS,
        operations: OperationSource | None = None,
        keeper: ResponseKeeper | None = None,
        costs: Costs | None = None,
    ) -> None:
        self._schema = schema
        self._operations = operations or OperationSource(schema)
        self._use_cases = use_cases
        self._uploads = uploads
        self._base_url = base_url
        self._authentication = authentication
        self._exposure = exposure
        self._graphiql = GraphiQL(exposure.graphiql, authentication)
        self._stopping = stopping or asyncio.Event()
        self._metrics = metrics
        self._keeper = keeper
        self._costs = costs or Costs()
        self._mutations: set[asyncio.Task[ExecutionResult]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request once its body is read, or not worth reading any further."""
        request, body = _Request(scope), RequestBody(scope, receive, self._uploads)
        try:
            response = await self._respond(request, body)
            await body.drain(self._uploads.drain_limit_bytes)
        except ClientDisconnectedError:
            return
        if body.is_held_back or body.has_stalled:
            response.headers["Connection"] = "close"  # nobody waits for the body that was announced
        vary_by_coding(scope, response)
        await response(scope, receive, send)

    async def settle(self) -> None:
        """Waits for mutations whose requests were cut off."""
        await asyncio.gather(*self._mutations, return_exceptions=True)

    async def _respond(self, request: Request, body: RequestBody) -> Response:
        request_id = _request_id(request.scope)
        wanted = wish(_accept(request.scope))
        media_type = MediaType.JSON
        try:
            if request.method == "GET" and wanted.prefers_html and not self._graphiql.is_off:
                return await self._graphiql.page(request.scope)
            media_type = wanted.require()
            exchange = _Exchange(
                request=request,
                body=body,
                request_id=request_id,
                wish=wanted,
                media_type=media_type,
                viewer=await self._authentication.viewer_in(request.scope),
            )
            wait_as(exchange.viewer)
            return self._sent(await self._answer(exchange), media_type)
        except ClientDisconnectedError:
            raise
        except (RequestError, UnavailableError) as error:
            return refusal(error, request_id, media_type)
        except Exception:
            log.exception("a request failed: %s", request_id)
            return refusal(InternalError(request_id), request_id, media_type)

    def _sent(self, answer: Answer | _Subscription | Response, media_type: MediaType) -> Response:
        if isinstance(answer, Response):
            return answer
        if isinstance(answer, _Subscription):
            return EventStream(answer.results, self._stopping)
        if media_type is MediaType.EVENTS:
            return EventStream(only(orjson.dumps(answer.content)), self._stopping)
        return response_of(answer, media_type)

    async def _answer(self, exchange: _Exchange) -> Answer | _Subscription | Response:
        request, body = exchange.request, exchange.body
        if request.method == "GET":
            parameters = parameters_in_url(request.query_params)
            require_csrf_header(request.headers)
            await body.drain(self._uploads.drain_limit_bytes)
            return await self._execute(exchange, parameters)
        if request.method != "POST":
            message = "Send a GraphQL operation by POST, or a query by GET."
            raise MethodNotAllowedError(message, "GET, POST")
        body.check_announced_size()
        if require_content_type(request.headers) == MULTIPART:
            require_csrf_header(request.headers)
            return await self._answer_multipart(exchange)
        parameters = parameters_in_json(await body.read_all(self._uploads.max_field_size))
        return await self._execute(exchange, parameters)

    async def _answer_multipart(self, exchange: _Exchange) -> Answer | _Subscription | Response:
        """Executes while the files arrive."""
        grow_endless()  # the file would have to be sent again
        incoming = MultipartRequest(exchange.body, exchange.request.headers["content-type"], self._uploads)
        with self._metrics.receiving(lambda: exchange.body.received_bytes):
            async with incoming:
                parameters = parameters_of(await incoming.operations())
                file_bytes = exchange.body.announced_bytes if incoming.file_count == 1 else None
                answer = await self._execute(replace(exchange, file_bytes=file_bytes), parameters)
        if isinstance(incoming.error, ClientDisconnectedError):
            raise incoming.error
        if incoming.error is not None and isinstance(answer, Answer):
            return with_error(answer, incoming.error, exchange.request_id)
        return answer

    async def _execute(self, exchange: _Exchange, parameters: Parameters) -> Answer | _Subscription | Response:
        admit_stranger(exchange.viewer, parameters)
        with MeasuredOperation(self._metrics) as measured:
            return await self._execute_measured(exchange, parameters, measured)

    async def _execute_measured(
        self, exchange: _Exchange, parameters: Parameters, measured: MeasuredOperation
    ) -> Answer | _Subscription | Response:
        try:
            parameters, operation = await self._operations.prepare(
                parameters, _presence(exchange), may_tell=may_tell(exchange.viewer)
            )
            admit(exchange.viewer, operation)
            self._exposure.admit(operation, exchange.viewer)
            bill = self._costs.bill(
                operation, parameters.variables, exchange.viewer, address_of(exchange.request.scope)
            )
        except RefusedDocumentError as refused:
            measured.refused()
            result = ExecutionResult(None, self._exposure.told(refused.errors, exchange.viewer))
            return _answer(exchange, result, self._formatted(result, exchange))
        measured.is_a(operation.kind)
        _check_method(exchange, operation.kind)
        await self._costs.pay(bill)
        context = self._context(exchange, idempotency_key=key_in(exchange.request.headers, operation))
        if operation.kind is OperationType.SUBSCRIPTION:
            results = while_known(
                run_subscription(self._schema, operation, parameters.variables, context),
                exchange.viewer,
                partial(self._authentication.viewer_of, self._authentication.shown_by(exchange.request)),
            )
            self._costs.executed(bill, None)
            return _Subscription(results=self._encoded(results, context, measured))
        ended = await self._run(exchange, operation, parameters.variables, context)
        if isinstance(ended, Response):
            measured.found()
            self._costs.found(bill)
            return ended
        measured.ended(ended, context)
        ended = self._exposure.result_told(ended, exchange.viewer)
        content = await first_answer(context, parameters, operation, self._formatted(ended, exchange))
        answer = _answer(exchange, ended, self._with_cost(exchange, bill, ended, content))
        return overloaded(answer) if ended.errors and _is_refused(ended, operation.kind) else answer

    def _formatted(self, result: ExecutionResult, exchange: _Exchange) -> dict[str, Any]:
        return format_result(result, exchange.request_id, self._costs.limits.max_errors)

    def _with_cost(
        self, exchange: _Exchange, bill: Bill, result: ExecutionResult, content: dict[str, Any]
    ) -> dict[str, Any]:
        """The answer, with what it has cost if the request wants to know: then it is none that is kept."""
        is_told = asked_of(exchange.request.scope) is None and COST_HEADER in exchange.request.headers
        self._costs.executed(bill, result.data, is_told=is_told)
        if not is_told:
            return content
        return {**content, "extensions": {**content.get("extensions", {}), "cost": self._costs.told(bill)}}

    def _context(self, exchange: _Exchange, *, idempotency_key: str | None) -> Context:
        return Context(
            viewer=exchange.viewer,
            use_cases=self._use_cases,
            base_url=self._base_url(exchange.request),
            request_id=exchange.request_id,
            file_bytes=exchange.file_bytes,
            idempotency_key=idempotency_key,
        )

    async def _encoded(
        self, results: AsyncGenerator[ExecutionResult], context: Context, measured: MeasuredOperation
    ) -> AsyncGenerator[bytes]:
        with measured:
            async with aclosing(results):
                async for result in results:
                    measured.ended(result, context)
                    told = self._exposure.result_told(result, context.viewer)
                    yield orjson.dumps(format_result(told, context.request_id, self._costs.limits.max_errors))

    async def _run(
        self, exchange: _Exchange, operation: PreparedOperation, variables: dict[str, Any], context: Context
    ) -> ExecutionResult | Response:
        if operation.kind is OperationType.MUTATION:
            mutation = asyncio.create_task(self._operations.run(operation, variables, context))
            self._mutations.add(mutation)
            mutation.add_done_callback(self._mutations.discard)
            return await asyncio.shield(mutation)
        reading = self._read(exchange, operation, variables, context)
        if not exchange.body.is_complete:
            return await self._costs.in_time(reading)
        try:
            async with WhileSomebodyWaits(exchange.body, deadline_seconds=self._costs.limits.deadline_seconds):
                return await reading
        except DeadlineExceededError:
            self._costs.was_late()
            raise

    async def _read(
        self, exchange: _Exchange, operation: PreparedOperation, variables: dict[str, Any], context: Context
    ) -> ExecutionResult | Response:
        """The answer to a query, from those that are kept if it may be one of them."""

        async def execute(context: Context) -> ExecutionResult:
            return await self._operations.run(operation, variables, context)

        asked = asked_of(exchange.request.scope)
        if self._keeper is None or asked is None:
            return await execute(context)
        found = await self._keeper.run(asked, operation, variables, context, execute)
        return await self._keeper.response(found, asked) if isinstance(found, KeptResponse) else found


def _answer(exchange: _Exchange, result: ExecutionResult, content: dict[str, Any]) -> Answer:
    is_bad = is_request_error(result) and exchange.media_type is MediaType.GRAPHQL
    return Answer(content=content, status=HTTPStatus.BAD_REQUEST if is_bad else HTTPStatus.OK)


def _is_refused(result: ExecutionResult, kind: OperationType) -> bool:
    """Whether something of a query, or everything of a mutation, was not done because others wait."""
    refused = [error for error in result.errors or () if _is_of_overload(error)]
    if kind is OperationType.MUTATION and any(value is not None for value in (result.data or {}).values()):
        return False
    return bool(refused)


def _is_of_overload(error: GraphQLError) -> bool:
    original: Exception | None = error
    while isinstance(original, GraphQLError):
        original = original.original_error
    return isinstance(original, OverloadedError)


def _presence(exchange: _Exchange) -> Presence:
    """Notices if the client goes away; the task that reads a body notices it by itself."""
    return WhileSomebodyWaits(exchange.body) if exchange.body.is_complete else SOMEBODY


def _check_method(exchange: _Exchange, kind: OperationType) -> None:
    if kind is OperationType.SUBSCRIPTION and not exchange.wish.takes_events:
        message = f'A subscription has many answers. Ask for them with "Accept: {MediaType.EVENTS}".'
        raise RequestError(RequestCode.BAD_REQUEST, message)
    if exchange.request.method == "GET" and kind is OperationType.MUTATION:
        message = "A GET request may only read. Send the mutation by POST."
        raise MethodNotAllowedError(message, "POST")


def _accept(scope: Scope) -> str:
    return b",".join([value for name, value in scope["headers"] if name == b"accept"]).decode("latin-1")


def _request_id(scope: Scope) -> str:
    """The id that the middleware gave the request, or a new one."""
    state = scope.setdefault("state", {})
    if "request_id" not in state:
        state["request_id"] = new_request_id()
    request_id: str = state["request_id"]
    return request_id
