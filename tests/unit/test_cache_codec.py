"""How values of the cache look as bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from pydantic import TypeAdapter

from gallery.domain.ids import TagId, UserId
from gallery.domain.pages import Edge, Page, Position, SortValue
from gallery.domain.tags import Tag
from gallery.platform.cache.codec import Codec, Outline, fingerprint
from gallery.platform.cache.kinds import COUNT, ID_OR_NONE, IDS, IMAGE, PAGE, STATS, TAG, Kind, Lifetime, Lifetimes
from gallery.settings import CacheSettings
from tests.entities import an_image

NOON = datetime(2024, 5, 17, 12, 0, 0, 123456, tzinfo=UTC)
A, B = UUID(int=1), UUID(int=2)
SEA = Tag(id=TagId(A), owner=UserId(B), name="Zürich 港 \U0001f30a", created_at=NOON)


def test_an_entity_is_json_of_its_fields() -> None:
    assert (
        TAG.codec.encode(SEA)
        == (
            '{"id":"00000000-0000-0000-0000-000000000001","owner":"00000000-0000-0000-0000-000000000002",'
            '"name":"Zürich 港 \U0001f30a","created_at":"2024-05-17T12:00:00.123456+00:00"}'
        ).encode()
    )


def test_ids_of_a_class_of_the_drivers_own_look_like_any_other() -> None:
    class DriverId(UUID):
        pass

    assert TAG.codec.encode(replace(SEA, id=TagId(DriverId(int=1)))) == TAG.codec.encode(SEA)


def test_what_is_no_value_of_an_entity_is_not_encoded() -> None:
    with pytest.raises(TypeError):
        TAG.codec.encode(replace(SEA, name=object()))  # type: ignore[arg-type]  # what must not happen


def test_an_entity_comes_back_equal_with_a_zone() -> None:
    tag = TAG.codec.decode(TAG.codec.encode(SEA))

    assert tag == SEA
    assert type(tag.id) is UUID
    assert tag.created_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("is_copy", [False, True])
def test_an_image_comes_back_with_all_its_fields(is_copy: bool) -> None:
    image = an_image(is_copy=is_copy)

    assert IMAGE.codec.decode(IMAGE.codec.encode(image)) == image


@pytest.mark.parametrize("value", [None, A])
def test_an_id_that_may_be_missing_comes_back(value: UUID | None) -> None:
    assert ID_OR_NONE.codec.decode(ID_OR_NONE.codec.encode(value)) == value


def test_ids_and_counts_come_back() -> None:
    assert IDS.codec.decode(IDS.codec.encode((B, A))) == (B, A)
    assert IDS.codec.decode(IDS.codec.encode(())) == ()
    assert COUNT.codec.decode(COUNT.codec.encode(3_000_000_000)) == 3_000_000_000


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b"\x80\x04\x95",
        b'{"id":"00000000-0000-0000-0000-000000000001"}',
        TAG.codec.encode(SEA)[:-1],
        TAG.codec.encode(SEA).replace(b"00000001", b"0000000x"),
        TAG.codec.encode(SEA).replace(b"2024-05", b"2024-13"),
        TAG.codec.encode(SEA).replace("港".encode(), b"\xff"),
    ],
)
def test_damaged_and_foreign_bytes_are_refused(encoded: bytes) -> None:
    with pytest.raises(ValueError, match="validation error"):
        TAG.codec.decode(encoded)


@pytest.mark.parametrize(("kind", "encoded"), [(COUNT, b"true"), (COUNT, b'"7"'), (IDS, b'["1"]'), (IMAGE, b"{}")])
def test_a_value_of_another_type_is_refused(kind: Kind[object], encoded: bytes) -> None:
    with pytest.raises(ValueError, match="validation error"):
        kind.codec.decode(encoded)


def page(*values: SortValue) -> Page[str]:
    edges = tuple(Edge(f"item {n}", Position(value, UUID(int=n))) for n, value in enumerate(values))
    return Page.of(edges, has_next=True, has_previous=False)


@pytest.mark.parametrize(
    "original",
    [page(), page("b", "2024-05-17T12:00:00+00:00"), page(3_000_000_000, 0), page(NOON, NOON + timedelta(seconds=1))],
)
def test_a_page_comes_back_with_positions_of_the_same_type(original: Page[str]) -> None:
    outline = PAGE.codec.decode(PAGE.codec.encode(Outline.of(original)))

    filled = outline.filled({edge.position.id: edge.item for edge in original.edges})

    assert filled == original
    assert [type(edge.position.value) for edge in filled.edges] == [
        type(edge.position.value) for edge in original.edges
    ]


def test_a_page_leaves_out_items_that_are_gone() -> None:
    original = page("a", "b", "c")
    first, _, third = original.edges

    filled = Outline.of(original).filled({edge.position.id: edge.item for edge in (first, third)})

    assert filled.edges == (first, third)


def test_a_page_with_more_ids_than_sort_values_is_refused() -> None:
    encoded = PAGE.codec.encode(Outline.of(page("a", "b"))).replace(b'["a","b"]', b'["a"]')

    with pytest.raises(ValueError, match="2 ids"):
        PAGE.codec.decode(encoded)


def test_another_field_is_another_format() -> None:
    @dataclass
    class One:
        name: str

    @dataclass
    class Other:
        name: str | None

    Other.__name__ = "One"

    assert fingerprint(One) != fingerprint(Other)
    assert fingerprint(One) == fingerprint(One)


def test_a_codec_serves_any_type() -> None:
    codec = Codec(TypeAdapter(dict[str, int]))

    assert codec.decode(codec.encode({"a": 1})) == {"a": 1}


def test_lifetimes_are_those_of_the_settings_or_shorter_by_the_jitter() -> None:
    lifetimes = Lifetimes(CacheSettings(image_ttl_seconds=1000, stats_ttl_seconds=10, jitter=0.2))

    drawn = [lifetimes.seconds(IMAGE.lifetime) for _ in range(1000)]
    assert 800 <= min(drawn) < 820
    assert 980 < max(drawn) <= 1000
    assert 8 <= lifetimes.seconds(STATS.lifetime) <= 10


def test_without_jitter_lifetimes_are_exact() -> None:
    lifetimes = Lifetimes(CacheSettings(jitter=0))

    assert [lifetimes.seconds(lifetime) for lifetime in Lifetime] == [7200, 1800, 300, 3600]
