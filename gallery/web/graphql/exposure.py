"""What is told of the schema, and to whom: by introspection, by the schema as text, and by errors in documents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from graphql import ExecutionResult, GraphQLError

from gallery.domain.access import ANONYMOUS, Viewer
from gallery.domain.errors import GalleryError
from gallery.settings_auth import AuthMode
from gallery.settings_graphql import Exposed, GraphQLSettings
from gallery.web.errors import RequestCode, RequestError
from gallery.web.graphql.errors import with_code
from gallery.web.graphql.execution import PreparedOperation, is_request_error
from gallery.web.graphql.validation import RefusedDocumentError

_SUGGESTION: Final = re.compile(r" Did you mean .*\?", re.DOTALL)
"""Whatever graphql-core guesses: fields, types, arguments, input fields, enum values."""

_UNSUITABLE: Final = "The document does not suit the schema."
_UNSUITABLE_VALUES: Final = "The variables do not suit the operation."
_INTROSPECTION: Final = "The schema is not told here."


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Who is told the schema, who gets GraphiQL, and who is told exactly what is wrong with a document."""

    introspection: Exposed
    suggestions: Exposed
    graphiql: Exposed

    @classmethod
    def of(cls, settings: GraphQLSettings, mode: AuthMode) -> Exposure:
        """As the settings say, and where they leave it open, as suits a gallery that knows who asks, or does not.

        Where only trusted documents are executed, the operator has chosen those that ask for the schema.
        """
        usual = Exposed.ON if mode.is_open else Exposed.SIGNED_IN
        return cls(
            introspection=_resolved(settings.introspection, Exposed.ON if settings.only_trusted else usual),
            suggestions=_resolved(settings.suggestions, usual),
            graphiql=Exposed.OFF if settings.only_trusted else _resolved(settings.graphiql, usual),
        )

    def admit(self, operation: PreparedOperation, viewer: Viewer) -> None:
        """Passes an operation that does not ask for the schema, or whose viewer is told it.

        Raises:
            RefusedDocumentError: INTROSPECTION_DISABLED for others.
        """
        if operation.asks_for_schema and not shown_to(self.introspection, viewer):
            error = GraphQLError(_INTROSPECTION)
            raise RefusedDocumentError([with_code(error, RequestCode.INTROSPECTION_DISABLED)])

    def told(self, errors: Sequence[GraphQLError], viewer: Viewer) -> list[GraphQLError]:
        """What a viewer is told of what is wrong with a document or its variables.

        Strangers could guess the schema name by name from more than that something is; those who are known get no
        suggestions where those are off.
        """
        if shown_to(self.suggestions, viewer):
            return list(errors)
        if viewer.id != ANONYMOUS.id:
            return [_reworded(error, _SUGGESTION.sub("", error.message)) for error in errors]
        return [_coarse(error) for error in errors[:1]]

    def result_told(self, result: ExecutionResult, viewer: Viewer) -> ExecutionResult:
        """The same for the result of an operation, of which nothing may have been executed."""
        if result.errors and is_request_error(result):
            return ExecutionResult(None, self.told(result.errors, viewer))
        return result


EXPOSED: Final = Exposure(introspection=Exposed.ON, suggestions=Exposed.ON, graphiql=Exposed.ON)
"""Everything is told to everybody."""
HIDDEN: Final = Exposure(introspection=Exposed.OFF, suggestions=Exposed.OFF, graphiql=Exposed.OFF)
"""Nothing is told to anybody."""


def shown_to(exposed: Exposed, viewer: Viewer) -> bool:
    """Whether a viewer is shown what is exposed so."""
    return exposed is Exposed.ON or (exposed is Exposed.SIGNED_IN and viewer.id != ANONYMOUS.id)


def _resolved(exposed: Exposed, usual: Exposed) -> Exposed:
    return usual if exposed is Exposed.AUTO else exposed


def _coarse(error: GraphQLError) -> GraphQLError:
    code = (error.extensions or {}).get("code")
    if isinstance(error.original_error, GalleryError | RequestError):
        return error
    if code == RequestCode.GRAPHQL_VALIDATION_FAILED:
        return with_code(GraphQLError(_UNSUITABLE), RequestCode.GRAPHQL_VALIDATION_FAILED)
    return GraphQLError(_UNSUITABLE_VALUES) if code is None else error


def _reworded(error: GraphQLError, message: str) -> GraphQLError:
    if message == error.message:
        return error
    return GraphQLError(message, error.nodes, error.source, error.positions, error.path, None, error.extensions)
