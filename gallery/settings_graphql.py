"""The settings of GraphQL, a part of the tree in `settings.py`."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Self

from pydantic import Field, model_validator

from gallery.settings_limits import LimitSettings
from gallery.settings_types import File


@unique
class Exposed(StrEnum):
    """Who is shown something."""

    AUTO = "auto"
    ON = "on"
    SIGNED_IN = "signed-in"
    OFF = "off"


class GraphQLSettings(LimitSettings):
    """How operations may be sent, and within which limits."""

    connection_init_timeout_seconds: float = Field(default=10, gt=0)
    """How long a client that opened a WebSocket may take to send `connection_init`, in seconds."""
    max_socket_operations: int = Field(default=100, ge=1)
    """How many operations one WebSocket may have under way."""

    persisted_queries: bool = True
    """Whether clients may tell the gallery documents and name them by their hashes from then on (automatic persisted
    queries)."""
    trusted_documents: File | None = None
    """A JSON file of documents by ids, {"id": "query …"}, which requests may name by `documentId`."""
    only_trusted: bool = False
    """Whether nothing but the trusted documents is executed. Then there is no GraphiQL, and no introspection but in one
    of them."""

    introspection: Exposed = Exposed.AUTO
    """Who is told the schema, by introspection and as `/schema.graphql`: `on` (everybody), `signed-in`, `off`, or
    `auto`: everybody where GALLERY_AUTH__MODE asks nobody who they are, those who are signed in elsewhere."""
    suggestions: Exposed = Exposed.AUTO
    """Who is told exactly what is wrong with a document, and what was perhaps meant. With `off` nobody is told what was
    meant. `auto` is as above. Strangers learn only that something is wrong, since they could guess the schema."""
    graphiql: Exposed = Exposed.AUTO
    """Who gets GraphiQL's page, which tells nothing of the schema by itself: `auto` is everybody."""

    @model_validator(mode="after")
    def _something_is_trusted(self) -> Self:
        if self.only_trusted and self.trusted_documents is None:
            message = "GALLERY_GRAPHQL__ONLY_TRUSTED needs documents: set GALLERY_GRAPHQL__TRUSTED_DOCUMENTS"
            raise ValueError(message)
        return self
