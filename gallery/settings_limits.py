"""Settings of what one operation may cost and how long it may be, a part of `settings_graphql.py`."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Self

from pydantic import Field, model_validator

from gallery.settings_types import Section


@unique
class Throttling(StrEnum):
    """Whether it is counted what each viewer asks for in the course of time."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class LimitSettings(Section):
    """The bounds of a single operation, and of what one viewer may ask for in the course of time."""

    max_cost: int = Field(default=20_000, ge=1)
    """How many points an operation may cost: one for each object that it may answer with."""
    throttling: Throttling = Throttling.AUTO
    """Whether each viewer has so many points to spend: `on`, `off`, or `auto`: where people and programs say who they
    are, which is GALLERY_AUTH__MODE `token` and `oidc`."""
    cost_bucket: int = Field(default=100_000, ge=1)
    """How many points a viewer has at most. Not less than GALLERY_GRAPHQL__MAX_COST."""
    cost_refill_per_second: float = Field(default=2_000, gt=0, le=1_000_000_000)
    """How many points a viewer gets back in each second."""
    deadline_seconds: float = Field(default=30, gt=0)
    """How long a query may take before it is cancelled, in seconds. Mutations, once begun, are finished."""

    max_document_characters: int = Field(default=256 * 1024, ge=1)
    """How many characters a document may have."""
    max_tokens: int = Field(default=5_000, ge=10)
    """How many names, values and signs a document may have."""
    max_depth: int = Field(default=20, ge=1, le=100)
    """How many fields of a document may lie within each other."""
    max_aliases: int = Field(default=500, ge=0)
    """How many fields of a document may be answered under other names than their own."""
    max_directives: int = Field(default=100, ge=0)
    """How many directives a document may have."""
    max_root_fields: int = Field(default=100, ge=1)
    """How many fields of a query, or of a mutation, may be answered at the outermost level."""
    max_introspected_lists: int = Field(default=12, ge=0)
    """How many lists of the schema (`types`, `fields`, `args` …) a document may ask for."""
    max_list_items: int = Field(default=1_000, ge=1)
    """How many items a list in a document or in variables may have."""
    max_variable_values: int = Field(default=10_000, ge=1)
    """How many values the variables of a request may have, those within lists and objects included."""
    max_variable_depth: int = Field(default=10, ge=1, le=100)
    """How many lists and objects in variables may lie within each other."""
    max_errors: int = Field(default=100, ge=1)
    """How many errors an answer tells; of more it says how many there are."""

    @model_validator(mode="after")
    def _bucket_holds_an_operation(self) -> Self:
        if self.cost_bucket < self.max_cost:
            message = (
                f"GALLERY_GRAPHQL__COST_BUCKET is {self.cost_bucket:,}: it must not be less than "
                f"GALLERY_GRAPHQL__MAX_COST, which is {self.max_cost:,}"
            )
            raise ValueError(message)
        return self
