"""The whole product while a service is slow, silent, broken or gone: what the client is told, and what is left.

Whatever happens, an image that is a row has its bytes, and bytes without a row are named by an open intent, which the
sweep ends. The services are real; a proxy stands before each. Staged uploads: `test_staged_faults.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.e2e.places import Place, fresh_place
from tests.integration.faulty_product import (
    CONTENTS,
    CREATED,
    IMAGE,
    LARGE,
    NOTHING,
    UNAVAILABLE,
    Left,
    Product,
    faulty_product,
)
from tests.integration.scripted_s3 import error
from tests.services import Services


@pytest.fixture(scope="module")
async def place(services: Services, migrated_template: str) -> AsyncIterator[Place]:
    """One place for all: making a bucket takes longer than any of the tests."""
    async with fresh_place(services, migrated_template, cache_database=2) as place:
        yield place


@pytest.fixture
async def product(place: Place, request: pytest.FixtureRequest) -> AsyncIterator[Product]:
    async with faulty_product(place, request.node.name) as product:
        yield product


@pytest.mark.parametrize("size", CONTENTS)
async def test_without_faults_an_upload_leaves_an_image(product: Product, size: str) -> None:
    assert await product.upload(CONTENTS[size]) == CREATED
    assert await product.left() == IMAGE


# The storage


@pytest.mark.parametrize("size", CONTENTS)
async def test_a_slow_storage_takes_its_time(product: Product, size: str) -> None:
    product.s3.latency_seconds = 0.02

    assert await product.upload(CONTENTS[size]) == CREATED
    assert await product.left() == IMAGE


@pytest.mark.parametrize("size", CONTENTS)
async def test_a_storage_that_refuses_connections_is_unavailable(product: Product, size: str) -> None:
    await product.s3.refuse()

    assert await product.upload(CONTENTS[size]) == UNAVAILABLE
    await product.s3.heal()
    assert await product.left() == NOTHING


@pytest.mark.parametrize("size", CONTENTS)
async def test_a_storage_that_resets_connections_is_unavailable(product: Product, size: str) -> None:
    product.s3.resets = True

    assert await product.upload(CONTENTS[size]) == UNAVAILABLE
    assert product.s3.faults > 0
    assert await product.left() == NOTHING


@pytest.mark.parametrize("size", CONTENTS)
async def test_a_storage_that_says_nothing_is_unavailable(product: Product, size: str) -> None:
    product.s3.black_hole = True

    assert await product.upload(CONTENTS[size]) == UNAVAILABLE
    assert await product.left() == NOTHING


async def test_a_part_that_is_cut_off_every_time_leaves_nothing(product: Product) -> None:
    product.s3.cut(to_server_bytes=2 * 1024 * 1024)

    assert await product.upload(LARGE) == UNAVAILABLE
    assert product.s3.faults > 0
    assert await product.left() == NOTHING


async def test_a_part_that_is_cut_off_once_is_sent_again(product: Product) -> None:
    product.s3.lose_request(b"partNumber=1")

    assert await product.upload(LARGE) == CREATED
    assert product.s3.faults == 1
    assert await product.left() == IMAGE


@pytest.mark.parametrize(("size", "call"), [("small", b"PUT /"), ("large", b"<CompleteMultipartUpload")])
async def test_the_answer_of_the_storage_to_the_deciding_call_may_be_lost(
    product: Product, size: str, call: bytes
) -> None:
    product.s3.lose_answer(call)

    assert await product.upload(CONTENTS[size]) == CREATED
    assert product.s3.faults == 1
    assert await product.left() == IMAGE


CALLS = [
    ("small", "PutObject"),
    ("large", "CreateMultipartUpload"),
    ("large", "UploadPart"),
    ("large", "CompleteMultipartUpload"),
]
ERRORS = [(500, "InternalError"), (503, "SlowDown"), (507, "InsufficientStorage")]


@pytest.mark.parametrize(("status", "code"), ERRORS)
@pytest.mark.parametrize(("size", "operation"), CALLS)
async def test_a_storage_that_answers_with_errors_is_unavailable_and_keeps_nothing(
    product: Product, size: str, operation: str, status: int, code: str
) -> None:
    product.store.answers(operation, [error(status, code)] * 9)

    assert await product.upload(CONTENTS[size]) == UNAVAILABLE
    assert operation in product.store.operations
    assert await product.left() == NOTHING


@pytest.mark.parametrize(("status", "code"), ERRORS[:2])
@pytest.mark.parametrize(("size", "operation"), CALLS)
async def test_a_storage_that_is_busy_for_a_moment_is_asked_again(
    product: Product, size: str, operation: str, status: int, code: str
) -> None:
    product.store.answers(operation, [error(status, code)])

    assert await product.upload(CONTENTS[size]) == CREATED
    assert await product.left() == IMAGE


# The database

RECORDING = b"INSERT INTO images"


async def test_without_a_database_nothing_reaches_the_storage(product: Product) -> None:
    await product.database.refuse()

    assert await product.upload() == UNAVAILABLE
    assert "PutObject" not in product.store.operations
    assert await product.left() == NOTHING


async def test_an_upload_whose_connection_breaks_before_the_commit_is_recorded_over_another(product: Product) -> None:
    product.database.lose_request(RECORDING)

    assert await product.upload() == CREATED
    assert product.database.faults == 1
    assert product.store.operations.count("PutObject") == 1
    assert await product.left() == IMAGE


async def test_a_database_that_is_gone_once_the_bytes_are_stored_leaves_an_intent_that_names_them(
    product: Product,
) -> None:
    product.database.lose_request(RECORDING, then_resets=True)

    assert await product.upload() == UNAVAILABLE
    assert await product.left() == Left(objects=1, intents=1)

    await product.database.heal()
    assert await product.upload() == CREATED
    assert await product.left() == Left(objects=2, images=1, jobs=1, intents=1)


async def test_a_database_that_says_nothing_is_unavailable(product: Product) -> None:
    product.database.black_hole = True

    assert await product.upload() == UNAVAILABLE
    assert "PutObject" not in product.store.operations
    assert await product.left() == NOTHING


async def test_the_answer_to_the_commit_may_be_lost(product: Product) -> None:
    product.database.lose_answer(RECORDING, b"COMMIT")

    assert await product.upload() == CREATED
    assert product.database.faults == 1
    assert await product.left() == IMAGE


async def test_a_database_that_is_gone_after_the_commit_has_the_image_when_it_is_back(product: Product) -> None:
    product.database.lose_answer(RECORDING, b"COMMIT", then_resets=True)

    assert await product.upload() == UNAVAILABLE
    assert await product.left() == IMAGE

    await product.database.heal()
    assert await product.upload() == (200, "EXISTING")
    assert await product.left() == IMAGE


# The cache


@pytest.mark.parametrize("fault", ["refuses", "resets", "says nothing"])
async def test_without_a_cache_uploads_work_all_the_same(product: Product, fault: str) -> None:
    if fault == "refuses":
        await product.cache.refuse()
    product.cache.resets = fault == "resets"
    product.cache.black_hole = fault == "says nothing"
    product.cache.reset_all()

    assert await product.upload() == CREATED
    assert await product.left() == IMAGE
