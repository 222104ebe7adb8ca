"""What part of a list may be asked for."""

from __future__ import annotations

import pytest

from gallery.domain.errors import ErrorCode, InvalidInputError
from gallery.domain.ids import new_image_id
from gallery.domain.pages import Edge, Page, PageRequest, Position


@pytest.mark.parametrize("limit", [1, 20, 100])
@pytest.mark.parametrize("backward", [False, True])
def test_1_to_100_items_may_be_asked_for(limit: int, *, backward: bool) -> None:
    assert PageRequest(limit=limit, backward=backward).limit == limit


@pytest.mark.parametrize("limit", [-1, 0, 101])
@pytest.mark.parametrize(("backward", "field"), [(False, "first"), (True, "last")])
def test_another_number_of_items_is_refused_with_the_argument_that_asked_for_it(
    limit: int, field: str, *, backward: bool
) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        PageRequest(limit=limit, backward=backward)

    assert refusal.value.code is ErrorCode.INVALID_PAGE_SIZE
    assert refusal.value.field == (field,)
    assert refusal.value.message == f"`{field}` is {limit}; it takes 1 to 100."


def test_a_page_is_of_20_items_from_the_start_unless_something_else_is_asked_for() -> None:
    assert PageRequest() == PageRequest(limit=20, after=None, before=None, backward=False)


def test_a_page_gives_its_items_in_order_without_their_positions() -> None:
    edges = tuple(Edge(item, Position(item, new_image_id())) for item in ("a", "b"))

    assert Page.of(edges, has_next=False, has_previous=False).items == ("a", "b")
