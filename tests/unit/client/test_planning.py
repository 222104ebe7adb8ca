"""Keys under which uploads are found again, and how many files are looked at together."""

from __future__ import annotations

from pathlib import Path

from yarl import URL

from gallery.cli.remote_import import gallery_url
from gallery.client.importing import batches
from gallery.client.sending import SaidOfAll, key_of
from gallery.platform.local_files import LocalFile

CHECKSUM = "ab" * 32
MEBIBYTE = 1024 * 1024


def files(*sizes: int) -> list[LocalFile]:
    return [LocalFile(Path(f"{index}.jpg"), size) for index, size in enumerate(sizes)]


def test_every_run_derives_the_same_key_from_the_same_file() -> None:
    said = SaidOfAll(tags=("sea",), album_id="alb_1")

    assert key_of(CHECKSUM, "a.jpg", said) == key_of(CHECKSUM, "a.jpg", SaidOfAll(tags=("sea",), album_id="alb_1"))


def test_what_changes_the_request_changes_its_key() -> None:
    keys = {
        key_of(CHECKSUM, "a.jpg", SaidOfAll()),
        key_of("cd" * 32, "a.jpg", SaidOfAll()),
        key_of(CHECKSUM, "b.jpg", SaidOfAll()),
        key_of(CHECKSUM, "a.jpg", SaidOfAll(tags=("sea",))),
        key_of(CHECKSUM, "a.jpg", SaidOfAll(album_id="alb_1")),
    }

    assert len(keys) == 5
    assert {len(key) for key in keys} == {len("import-") + 64}


def test_no_more_files_are_looked_at_together_than_one_question_may_name() -> None:
    assert [len(batch) for batch in batches(files(*[1] * 250))] == [100, 100, 50]


def test_large_files_are_looked_at_few_together() -> None:
    found = [[file.size_bytes // MEBIBYTE for file in batch] for batch in batches(files(*[200 * MEBIBYTE] * 5))]

    assert found == [[200, 200], [200, 200], [200]]


def test_no_files_are_no_batch() -> None:
    assert list(batches([])) == []


def test_a_gallery_is_named_by_its_address_or_by_that_of_its_endpoint() -> None:
    endpoint = URL("https://photos.example/graphql")
    assert gallery_url("https://photos.example") == endpoint
    assert gallery_url("https://photos.example/") == endpoint
    assert gallery_url("https://photos.example/graphql") == endpoint
    assert gallery_url("https://example.org/photos/") == URL("https://example.org/photos/graphql")


def test_what_is_no_address_is_none() -> None:
    assert [
        gallery_url(text) for text in ("photos.example", "/tmp", "ftp://photos.example", "http://", "http://[")
    ] == [None] * 5
