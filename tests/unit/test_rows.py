"""Rows have the fields of the entities that they keep, and beyond them only what is said here."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from sqlalchemy import Table

from gallery.domain.accounts import Account, ApiToken
from gallery.domain.albums import Album
from gallery.domain.errors import ErrorCode
from gallery.domain.events import Event
from gallery.domain.idempotency import Claim, Snapshot
from gallery.domain.images import Image, Rendition
from gallery.domain.sessions import Session
from gallery.domain.share_links import ShareLink
from gallery.domain.tags import Tag
from gallery.domain.uploads import Refusal, Upload
from gallery.platform.database.rows import (
    album_values,
    claim_values,
    image_values,
    rendition_values,
    tag_values,
    upload_values,
)
from gallery.platform.database.tables import (
    ACCOUNTS,
    ALBUMS,
    CLAIMS,
    EVENTS,
    IMAGES,
    RENDITIONS,
    SESSIONS,
    SHARE_LINKS,
    TAGS,
    TOKENS,
    UPLOADS,
)
from tests.entities import NOON, a_claim, a_rendition, a_staged_upload, a_tag, an_album, an_image


@pytest.mark.parametrize(
    ("table", "entity", "beyond"),
    [
        (IMAGES, Image, {"sort_title"}),
        (RENDITIONS, Rendition, set()),
        (TAGS, Tag, {"key"}),
        (ALBUMS, Album, {"sort_title"}),
        (UPLOADS, Upload, set()),
        (CLAIMS, Claim, set()),
        (ACCOUNTS, Account, {"key"}),
        (TOKENS, ApiToken, set()),
        (SESSIONS, Session, set()),
        (SHARE_LINKS, ShareLink, {"guesses", "guesses_since"}),
        (EVENTS, Event, {"sequence", "entity", "previous_hash", "hash"}),
    ],
)
def test_rows_have_the_fields_of_their_entities(table: Table, entity: type[Any], beyond: set[str]) -> None:
    assert {column.name for column in table.c} - beyond == {field.name for field in fields(entity)}


def test_values_of_rows_are_those_of_their_entities() -> None:
    image, tag, album, claim = an_image(), a_tag("Straße"), an_album(), a_claim()
    rendition = a_rendition(image)
    for entity, values in (
        (image, image_values(image)),
        (rendition, rendition_values(rendition)),
        (claim, claim_values(claim)),
    ):
        assert values == {field.name: getattr(entity, field.name) for field in fields(entity)}
    assert album_values(album) == {field.name: getattr(album, field.name) for field in fields(album)}
    assert tag_values(tag) == {
        "id": tag.id,
        "owner": tag.owner,
        "name": "Straße",
        "key": "strasse",
        "created_at": tag.created_at,
    }


def test_what_a_change_answered_with_is_kept_as_json() -> None:
    tag, image_id = a_tag("Sea"), an_image().id

    values = claim_values(a_claim().changed(Snapshot(tag=tag, image_ids=(image_id,))))

    assert values["snapshot"] == {
        "image": None,
        "tag": {"id": str(tag.id), "owner": str(tag.owner), "name": "Sea", "created_at": "2026-05-01T12:00:00Z"},
        "album": None,
        "image_ids": [str(image_id)],
    }


def test_what_is_said_of_an_upload_is_kept_as_json() -> None:
    upload = a_staged_upload()

    values = upload_values(upload)

    assert values.pop("draft") == {
        "title": None,
        "description": None,
        "tag_names": [],
        "album_id": None,
        "on_duplicate": "RETURN_EXISTING",
        "visibility": None,
    }
    assert values.pop("announced") == {
        "filename": "harbour.jpg",
        "file_size_bytes": 1000,
        "content_type": "image/jpeg",
        "checksum": None,
    }
    assert values == {name: getattr(upload, name) for name in values}


def test_a_refused_upload_is_over_for_releases_that_know_no_refusals() -> None:
    refusal = Refusal(code=ErrorCode.NOT_AN_IMAGE, message="The file is not an image.")

    values = upload_values(a_staged_upload().refused(refusal, NOON))

    assert values["state"] == "COMPLETED"
    assert values["refusal"] == {"code": "NOT_AN_IMAGE", "message": "The file is not an image."}
