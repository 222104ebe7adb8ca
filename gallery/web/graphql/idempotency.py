"""Requests that may be sent again: their keys, and the answers that were given to them.

A key comes in an input that has a place for it, or for the only field of a mutation in a header.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, ClassVar, Final, Protocol, TypeVar
from uuid import UUID

import orjson
import strawberry
from graphql import OperationType
from starlette.datastructures import Headers

from gallery.domain.errors import GalleryError, NotFoundError
from gallery.domain.idempotency import Claim, Snapshot
from gallery.domain.waiting import grow_endless
from gallery.services.idempotency import FileChecksum, KeyedRequest, fingerprint_of
from gallery.web.errors import RequestCode, RequestError
from gallery.web.graphql.context import Context, Info
from gallery.web.graphql.execution import PreparedOperation, root_field_names, shaping_variables
from gallery.web.graphql.request import IDEMPOTENCY_HEADER, Parameters

log = logging.getLogger(__name__)

T = TypeVar("T")

KEY_DESCRIPTION: Final = (
    "Makes it safe to send the request again: what has the same key is done once, and answered the same. 1 to 255 "
    "printable ASCII characters, such as a UUID; a new one for every new request. It is remembered for a day, or "
    f"whatever the gallery is set to. By default that of the header `{IDEMPOTENCY_HEADER}`."
)
KEPT_ANSWER_MAX_BYTES: Final = 1024 * 1024
"""How large an answer may be to be kept. A repeat whose first answer was larger does nothing, and is answered anew."""

TOLD_ONCE: Final = frozenset({"createShareLink", "createToken"})
"""Mutations whose answers hold a secret. It is kept nowhere, so that no repeat could be answered the same."""

_NO_PART_OF_IT: Final = frozenset({"file", "files", "idempotency_key", "progress_id"})
"""Fields of inputs that may differ in a repeat. Files are compared by their checksums."""


class MutationInput(Protocol):
    """An input, with or without a place for a key: any such class of Strawberry's."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


async def once(
    info: Info,
    operation: str,
    input: MutationInput,
    work: Callable[[Claim | None], Awaitable[T]],
    find: Callable[[UUID], Awaitable[T | None]],
) -> T:
    """What the work makes, or what an earlier request with the same key has made, found by its id.

    Raises:
        GalleryError: as `IdempotencyService.once`; NotFoundError if what was made is not there any more.
    """
    request = keyed_request(info, operation, input)
    if request is None:
        return await work(None)

    async def repeat(claim: Claim) -> T:
        return await again(claim, find)

    return await info.context.use_cases.idempotency.once(info.context.viewer, request, work, repeat)


async def change_once(
    info: Info,
    input: MutationInput,
    work: Callable[[Claim | None], Awaitable[T]],
    repeat: Callable[[Snapshot], Awaitable[T]],
) -> T:
    """What the work changes, or what an earlier request with the same key has changed, as it was then.

    Raises:
        GalleryError: as `IdempotencyService.once`.
    """
    request = keyed_request(info, info.field_name, input)
    if request is None:
        return await work(None)

    async def repeat_claim(claim: Claim) -> T:
        return await repeat(claim.snapshot or Snapshot())

    return await info.context.use_cases.idempotency.once(info.context.viewer, request, work, repeat_claim)


async def once_with_file(
    info: Info,
    request: KeyedRequest | None,
    checksum: FileChecksum,
    work: Callable[[Claim | None], Awaitable[T]],
    repeat: Callable[[Claim], Awaitable[T]],
) -> T:
    """As `once`, for work that reads a file.

    Raises:
        GalleryError: as `IdempotencyService.once_with_file`.
    """
    if request is None:
        return await work(None)
    idempotency, viewer = info.context.use_cases.idempotency, info.context.viewer
    return await idempotency.once_with_file(viewer, request, checksum, work, repeat)


def keyed_request(info: Info, operation: str, input: MutationInput, *, item: int | None = None) -> KeyedRequest | None:
    """What is asked for, if it has a key; `item` is the place among several that have the same.

    Files are compared one by one, and only how many there are is part of the fingerprint: the answer tells of them all.

    Raises:
        InvalidInputError: INVALID_IDEMPOTENCY_KEY.
    """
    context = info.context
    given = {field.name: getattr(input, field.name) for field in dataclasses.fields(input)}
    key = given.get("idempotency_key")
    key = context.idempotency_key if key is None else key
    if key is None:
        return None
    grow_endless()  # all repeats are to get the same answer
    compared = {
        name: value for name, value in given.items() if name not in _NO_PART_OF_IT and value is not strawberry.UNSET
    }
    if item is not None:
        compared["file_count"] = len(given["files"])
    request = KeyedRequest(key=key, operation=operation, fingerprint=fingerprint_of(compared))
    if item is None:
        context.answer_key = request.claim_key
        return request
    context.answer_key = request.item(0).claim_key  # several answer together: they are as one for what is kept
    return request.item(item)


async def again(claim: Claim, find: Callable[[UUID], Awaitable[T | None]]) -> T:
    """What a completed claim says was made.

    Raises:
        NotFoundError: if it is not there any more.
    """
    found = None if claim.result_id is None else await find(claim.result_id)
    if found is None:
        message = "What this request made when it was sent first was deleted since."
        raise NotFoundError(message, field=("idempotencyKey",))
    return found


def key_in(headers: Headers, operation: PreparedOperation) -> str | None:
    """The key of a mutation in its headers.

    Raises:
        RequestError: BAD_REQUEST if there is one for several fields at once, or for one that takes none.
    """
    key = headers.get(IDEMPOTENCY_HEADER) if operation.kind is OperationType.MUTATION else None
    if key is None:
        return None
    if len(operation.root_fields) > 1:
        message = f"`{IDEMPOTENCY_HEADER}` is for one field. Give each of several an `idempotencyKey` in its input."
        raise RequestError(RequestCode.BAD_REQUEST, message, HTTPStatus.BAD_REQUEST)
    if secretive := root_field_names(operation) & TOLD_ONCE:
        message = (
            f"`{next(iter(secretive))}` takes no `{IDEMPOTENCY_HEADER}`: its answer holds a secret, which is kept "
            "nowhere, so sending it again makes another one."
        )
        raise RequestError(RequestCode.BAD_REQUEST, message, HTTPStatus.BAD_REQUEST)
    return key


async def first_answer(
    context: Context, parameters: Parameters, operation: PreparedOperation, answer: dict[str, Any]
) -> dict[str, Any]:
    """The answer that was given first to this request under its key: an earlier one, or else this one from now on.

    Answers that hold errors are not kept: nothing was done, and a request put right may carry the key.
    """
    key = context.answer_key if len(operation.root_fields) == 1 else None
    if key is None or context.has_user_errors or "errors" in answer:
        return answer
    body = orjson.dumps(answer)
    if len(body) > KEPT_ANSWER_MAX_BYTES:
        return answer
    try:
        first = await context.use_cases.answers.keep(context.viewer.id, key, _digest(parameters, operation), body)
    except GalleryError:
        log.warning("the answer to a request with an idempotency key could not be kept: %s", context.request_id)
        return answer
    kept: dict[str, Any] = orjson.loads(first)
    return kept


def _digest(parameters: Parameters, operation: PreparedOperation) -> str:
    """What shapes an answer beside the input: the document, and the variables that stand outside of the input."""
    shaping = shaping_variables(operation)
    variables = {name: value for name, value in parameters.variables.items() if name in shaping}
    shape = [parameters.query, parameters.operation_name, variables]
    encoded = orjson.dumps(shape, default=lambda _file: None, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(encoded).hexdigest()
