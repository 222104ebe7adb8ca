"""The one place where errors become what a client is told: payload errors and `extensions.code`."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import strawberry
from graphql import GraphQLError

from gallery.domain.errors import (
    ErrorCode,
    ForbiddenError,
    GalleryError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
)
from gallery.web.errors import InternalError, RequestCode, RequestError
from gallery.web.graphql.context import Info

log = logging.getLogger(__name__)

T = TypeVar("T")


@strawberry.type(description="Something in the input that a person can put right.")
class UserError:
    """An error of a mutation, as part of its payload."""

    code: ErrorCode = strawberry.field(description="What is wrong, for programs.")
    message: str = strawberry.field(description="What is wrong and what to do about it, for people.")
    field: list[str] | None = strawberry.field(
        description="The path into `input`, outermost name first; null if no single field is to blame."
    )

    @classmethod
    def of(cls, error: GalleryError) -> UserError:
        """The error as the payload has it."""
        return cls(code=error.code, message=error.message, field=list(error.field) or None)


async def answer(
    info: Info, change: Callable[[], Awaitable[T]], *, subject: str = "id"
) -> tuple[T | None, list[UserError]]:
    """What a change gives, or the errors that the caller can put right.

    Missing rights and faults of services are not among those: they go on, as top-level errors. `subject` is the part
    of the input that names what is changed: it is to blame if that is not found.
    """
    try:
        return await change(), []
    except (ForbiddenError, UnavailableError):
        raise
    except NotFoundError as error:
        info.context.has_user_errors = True
        return None, [UserError.of(NotFoundError(error.message, field=error.field or (subject,)))]
    except GalleryError as error:
        info.context.has_user_errors = True
        return None, [UserError.of(error)]
    finally:
        info.context.forget_reads()


def format_error(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """A top-level error as the response has it (GraphQL specification, section 7.1.2).

    What is not meant for clients is logged with the id of the request and masked.
    """
    message, extensions = _tell(error, request_id)
    formatted: dict[str, Any] = {"message": message}
    if error.locations:
        formatted["locations"] = [location.formatted for location in error.locations]
    if error.path:
        formatted["path"] = error.path
    formatted["extensions"] = {**extensions, "requestId": request_id}
    return formatted


def format_errors(errors: Sequence[GraphQLError], request_id: str, most: int) -> list[dict[str, Any]]:
    """The top-level errors of a response. Where there are more than may be told, the last says how many."""
    told = [format_error(error, request_id) for error in errors[:most]]
    if len(errors) > most:
        message = f"{len(errors) - most:,} more errors are not told."
        code = RequestCode.TOO_MANY_ERRORS.value
        told.append({"message": message, "extensions": {"code": code, "requestId": request_id}})
    return told


def with_code(error: GraphQLError, code: RequestCode) -> GraphQLError:
    """The same error, marked with where in the handling of a request it arose."""
    error.extensions = {**(error.extensions or {}), "code": code.value}
    return error


def _tell(error: GraphQLError, request_id: str) -> tuple[str, dict[str, Any]]:
    original = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    if isinstance(original, GalleryError):
        extensions: dict[str, Any] = {"code": original.code.value}
        if original.field:
            extensions["field"] = list(original.field)
        if isinstance(original, RateLimitedError):
            extensions["retryAfterSeconds"] = original.retry_after_seconds
        return original.message, extensions
    if isinstance(original, RequestError):
        return original.message, {"code": original.code.value}
    if original is None or isinstance(original, GraphQLError) or error.path is None:
        extensions = dict(error.extensions or {})
        extensions.setdefault("code", RequestCode.BAD_USER_INPUT.value)
        return error.message, extensions
    log.error("a resolver failed: %s", ".".join(map(str, error.path)), exc_info=original)
    masked = InternalError(request_id)
    return masked.message, {"code": masked.code.value}
