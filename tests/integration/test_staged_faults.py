"""Uploads past the gallery while the storage or the database is broken: what the client is told, and what is left.

Whatever fails, the upload stays as it was, and repeating `completeUpload` makes the image; an upload that nobody
repeats is ended by the sweep once it has expired, with everything that has arrived of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.e2e.places import Place, fresh_place
from tests.integration.faulty_product import (
    CONTENTS,
    CREATED,
    IMAGE,
    LARGE,
    NOTHING,
    SMALL,
    UNAVAILABLE,
    Left,
    Product,
    faulty_product,
)
from tests.integration.scripted_s3 import error
from tests.services import Services

PARTS = Left(open_uploads=1, intents=1)
"""All parts are there and nothing is made of them."""
OBJECT = Left(objects=1, intents=1)
"""The parts are an object, and nothing is made of it."""

BEGINNING = b"INSERT INTO uploads"
BEGUN = b"UPDATE uploads SET"
RECORDING = b"INSERT INTO images"


@pytest.fixture(scope="module")
async def place(services: Services, migrated_template: str) -> AsyncIterator[Place]:
    """One place for all: making a bucket takes longer than any of the tests."""
    async with fresh_place(services, migrated_template, cache_database=5) as place:
        yield place


@pytest.fixture
async def product(place: Place, request: pytest.FixtureRequest) -> AsyncIterator[Product]:
    async with faulty_product(place, request.node.name) as product:
        yield product


@pytest.mark.parametrize("size", CONTENTS)
async def test_without_faults_a_staged_upload_leaves_an_image(product: Product, size: str) -> None:
    upload_id = await product.staged(CONTENTS[size])
    assert await product.left() == PARTS

    assert await product.complete(upload_id) == CREATED
    assert await product.left() == IMAGE


async def test_parts_that_nobody_completes_are_left_to_the_sweep(product: Product) -> None:
    await product.staged(LARGE)

    assert await product.left() == PARTS


# Beginning


async def test_an_upload_is_not_begun_while_the_storage_refuses_connections(product: Product) -> None:
    await product.s3.refuse()

    assert await product.begin() == UNAVAILABLE
    assert await product.left() == NOTHING


@pytest.mark.parametrize("status", [500, 503, 507])
async def test_an_upload_is_not_begun_while_the_storage_answers_with_errors(product: Product, status: int) -> None:
    product.store.answers("CreateMultipartUpload", [error(status, "Broken")] * 9)

    assert await product.begin() == UNAVAILABLE
    assert await product.left() == NOTHING


async def test_an_upload_that_is_begun_twice_since_an_answer_was_lost_leaves_the_first_to_the_sweep(
    product: Product,
) -> None:
    product.s3.lose_answer(b"?uploads")
    upload_id = await product.staged()

    assert product.s3.faults == 1
    assert await product.left() == replace(PARTS, open_uploads=2)
    assert await product.complete(upload_id) == CREATED
    assert await product.left() == replace(IMAGE, open_uploads=1)


async def test_without_a_database_nothing_is_begun(product: Product) -> None:
    product.database.lose_request(BEGINNING, then_resets=True)

    assert await product.begin() == UNAVAILABLE
    assert "CreateMultipartUpload" not in product.store.operations
    assert await product.left() == NOTHING


async def test_a_database_that_is_gone_once_the_storage_has_begun_leaves_that_to_the_sweep(product: Product) -> None:
    product.database.lose_request(BEGUN, then_resets=True)

    assert await product.begin() == UNAVAILABLE
    assert await product.left() == PARTS


async def test_an_upload_whose_beginning_was_not_answered_is_found_by_its_key(product: Product) -> None:
    product.database.lose_answer(BEGUN, b"COMMIT")

    assert await product.begin(key="harbour") == UNAVAILABLE
    _, upload_id = await product.begin(key="harbour")
    assert await product.left() == PARTS
    await product.put(upload_id, SMALL)
    assert await product.complete(upload_id) == CREATED
    assert await product.left() == IMAGE


# Completing


FINISHING = [("ListParts", PARTS), ("CompleteMultipartUpload", PARTS), ("GetObject", OBJECT)]


@pytest.mark.parametrize("status", [403, 500, 503])
@pytest.mark.parametrize(("operation", "left"), FINISHING)
async def test_a_storage_that_answers_with_errors_leaves_the_upload_to_be_completed_again(
    product: Product, operation: str, left: Left, status: int
) -> None:
    upload_id = await product.staged(LARGE)
    product.store.answers(operation, [error(status, "Broken")] * 9)

    assert await product.complete(upload_id) == UNAVAILABLE
    assert await product.left() == left

    product.store.answers(operation, [])
    assert await product.complete(upload_id) == CREATED
    assert await product.left() == IMAGE


@pytest.mark.parametrize(("operation", "left"), FINISHING)
async def test_what_is_left_of_an_upload_that_nobody_completes_again_is_swept(
    product: Product, operation: str, left: Left
) -> None:
    upload_id = await product.staged(LARGE)
    product.store.answers(operation, [error(500, "InternalError")] * 9)

    assert await product.complete(upload_id) == UNAVAILABLE
    assert await product.left() == left


@pytest.mark.parametrize("operation", [operation for operation, _ in FINISHING])
async def test_a_storage_that_is_busy_for_a_moment_is_asked_again(product: Product, operation: str) -> None:
    upload_id = await product.staged(LARGE)
    product.store.answers(operation, [error(503, "SlowDown")])

    assert await product.complete(upload_id) == CREATED
    assert await product.left() == IMAGE


@pytest.mark.parametrize("call", [b"<CompleteMultipartUpload", b"GET /"], ids=["finish", "list of parts"])
async def test_an_answer_of_the_storage_may_be_lost(product: Product, call: bytes) -> None:
    upload_id = await product.staged(LARGE)
    product.s3.lose_answer(call)

    assert await product.complete(upload_id) == CREATED
    assert product.s3.faults == 1
    assert await product.left() == IMAGE


async def test_a_file_that_is_cut_off_while_it_is_read_back_may_be_completed_again(product: Product) -> None:
    upload_id = await product.staged(LARGE)
    product.s3.cut(to_client_bytes=1024 * 1024)

    assert await product.complete(upload_id) == UNAVAILABLE
    assert await product.left() == OBJECT

    await product.s3.heal()
    assert await product.complete(upload_id) == CREATED
    assert await product.left() == IMAGE


@pytest.mark.parametrize("fault", ["refuses", "resets", "says nothing"])
async def test_a_storage_that_is_gone_leaves_the_upload_to_be_completed_again(product: Product, fault: str) -> None:
    upload_id = await product.staged()
    if fault == "refuses":
        await product.s3.refuse()
    product.s3.resets = fault == "resets"
    product.s3.black_hole = fault == "says nothing"
    product.s3.reset_all()

    assert await product.complete(upload_id) == UNAVAILABLE
    assert await product.left() == PARTS

    await product.s3.heal()
    assert await product.complete(upload_id) == CREATED
    assert await product.left() == IMAGE


async def test_a_connection_that_breaks_before_the_commit_is_replaced_by_another(product: Product) -> None:
    upload_id = await product.staged()
    product.database.lose_request(RECORDING)

    assert await product.complete(upload_id) == CREATED
    assert product.database.faults == 1
    assert await product.left() == IMAGE


async def test_a_database_that_is_gone_before_the_commit_leaves_the_upload_to_be_completed_again(
    product: Product,
) -> None:
    upload_id = await product.staged()
    product.database.lose_request(RECORDING, then_resets=True)

    assert await product.complete(upload_id) == UNAVAILABLE
    assert await product.left() == OBJECT

    await product.database.heal()
    assert await product.complete(upload_id) == CREATED
    assert await product.left() == IMAGE


async def test_the_answer_to_the_commit_may_be_lost(product: Product) -> None:
    upload_id = await product.staged()
    product.database.lose_answer(RECORDING, b"COMMIT")

    assert await product.complete(upload_id) == CREATED
    assert product.database.faults == 1
    assert await product.left() == IMAGE


async def test_who_does_not_hear_of_the_commit_hears_of_it_the_next_time(product: Product) -> None:
    upload_id = await product.staged()
    product.database.lose_answer(RECORDING, b"COMMIT", then_resets=True)

    assert await product.complete(upload_id) == UNAVAILABLE
    assert await product.left() == IMAGE

    await product.database.heal()
    assert await product.complete(upload_id) == CREATED
    assert await product.left() == IMAGE


async def test_a_commit_without_an_answer_leaves_no_bytes_that_were_there_already(product: Product) -> None:
    assert await product.upload() == CREATED
    upload_id = await product.staged()
    product.database.lose_answer(b"INSERT INTO pgqueuer", b"COMMIT")

    assert await product.complete(upload_id) == (200, "EXISTING")
    assert product.database.faults == 1
    assert await product.left() == Left(objects=2, images=1, jobs=2)


# Refusing

NO_IMAGE = b"Dear gallery, " * 1000


async def test_a_refused_file_goes_by_a_job_and_otherwise_by_the_sweep(product: Product) -> None:
    upload_id = await product.staged(NO_IMAGE)

    assert await product.complete(upload_id) == (200, "NOT_AN_IMAGE")
    assert await product.left() == Left(objects=1, jobs=1)
    assert await product.complete(upload_id) == (200, "NOT_AN_IMAGE")
    assert await product.left() == Left(objects=1, jobs=1)


async def test_a_refusal_that_cannot_be_stored_is_told_the_next_time(product: Product) -> None:
    upload_id = await product.staged(NO_IMAGE)
    product.database.lose_request(b"INSERT INTO pgqueuer")

    assert await product.complete(upload_id) == UNAVAILABLE
    assert await product.left() == OBJECT
    assert await product.complete(upload_id) == (200, "NOT_AN_IMAGE")
    assert await product.left() == Left(objects=1, jobs=1)


async def test_a_refusal_whose_answer_was_lost_is_told_the_next_time(product: Product) -> None:
    upload_id = await product.staged(NO_IMAGE)
    product.database.lose_answer(b"INSERT INTO pgqueuer", b"COMMIT")

    assert await product.complete(upload_id) == UNAVAILABLE
    assert await product.left() == Left(objects=1, jobs=1)
    assert await product.complete(upload_id) == (200, "NOT_AN_IMAGE")
    assert await product.left() == Left(objects=1, jobs=1)
