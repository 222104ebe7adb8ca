"""The chain of an entity's events: each carries a hash over itself and the hash of the one before it.

Whoever changes, removes or inserts a row behind the gallery's back breaks the chain from there on. Not seen are the
removal of the last events of an entity, and somebody who computes all later hashes anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

HASHED_FIELDS: Final = ("id", "entity", "entity_id", "kind", "actor", "occurred_at", "payload")
"""The fields of an event's row that its hash covers, beside the previous hash."""


def chain_hash(values: Mapping[str, Any], previous_hash: bytes | None) -> bytes:
    """SHA-256 over the event's canonical JSON: keys sorted, no white space, UTF-8.

    Ids and hashes are hexadecimal, times in UTC to the microsecond (RFC 3339).
    """
    previous = b"null" if previous_hash is None else b'"%b"' % previous_hash.hex().encode()
    return hashlib.sha256(chain_head(values) + previous + b"}").digest()


def chain_head(values: Mapping[str, Any]) -> bytes:
    """That JSON up to the previous hash, which comes last: PostgreSQL can add it, who knows the end of the chain."""
    fields: dict[str, object] = {name: _canonical(values[name]) for name in HASHED_FIELDS}
    fields["previous_hash"] = None
    text = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.removesuffix("null}").encode()


def _canonical(value: object) -> object:
    """The value as it looks after PostgreSQL has kept it; JSONB knows no difference between 1.0 and 1."""
    match value:
        case UUID():
            return value.hex
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case float() if value.is_integer():
            return int(value)
        case Mapping():
            return {key: _canonical(item) for key, item in value.items()}
        case list() | tuple():
            return [_canonical(item) for item in value]
        case _:
            return value
