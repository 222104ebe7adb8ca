"""Every field of the schema, asked for over HTTP by everybody: strangers, visitors, each role, each scope.

What is expected is in `tests/access_rules.py`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import partial

import pytest
from graphql import is_interface_type, is_object_type

from gallery.domain.access import Right, Visibility
from gallery.settings_auth import AuthMode, Strangers
from gallery.settings_graphql import GraphQLSettings
from gallery.settings_limits import Throttling
from tests.access_rules import ANYBODY, FORBIDDEN, NOT_FOUND, OK, ROOTS, SHOWN, Root, Shown
from tests.e2e.places import fresh_place
from tests.entities import an_image
from tests.integration.access_support import (
    ASKERS,
    KINDS,
    OTHER,
    TYPES,
    UNAUTHENTICATED,
    Answer,
    Asker,
    People,
    document_of_field,
    document_of_root,
    expected,
    names_something,
    root_type,
)
from tests.integration.database_support import open_database
from tests.integration.live_gallery import LiveGallery, live_gallery
from tests.services import Services

EVERYTHING = "everything"


@pytest.fixture(scope="module")
async def people(services: Services, migrated_template: str) -> AsyncIterator[People]:
    """A gallery that wants a token, and the same where strangers see something; nobody has to wait."""
    unhurried = GraphQLSettings(throttling=Throttling.OFF)
    async with (
        fresh_place(services, migrated_template, cache_database=2) as place,
        live_gallery(place, mode=AuthMode.TOKEN, graphql=unhurried) as gallery,
        live_gallery(place, mode=AuthMode.TOKEN, strangers=Strangers.VIEWER, graphql=unhurried) as visited,
        open_database(place.database_url) as database,
    ):
        await database.store(an_image())  # whose file is nowhere, so that the report of the storage has something
        yield People(gallery, visited, database)
        await gallery.container.use_cases.authenticator.settle()


@pytest.fixture
async def gallery(people: People) -> LiveGallery:
    return people.gallery


def fields_of_types() -> set[str]:
    roots = {root_type(kind).name for kind in KINDS}
    return {
        f"{name}.{field}"
        for name, type_ in TYPES.items()
        if (is_object_type(type_) or is_interface_type(type_)) and not name.startswith("__") and name not in roots
        for field in type_.fields
    }


def ruled_fields() -> list[tuple[Shown, str]]:
    return [(shown, field) for shown in SHOWN for field in shown.fields.split()]


def test_every_root_field_has_a_rule_and_every_rule_a_root_field() -> None:
    assert {name for kind in KINDS for name in root_type(kind).fields} == set(ROOTS)
    assert all(re.fullmatch(rf"{name}(\(.*\))?", root.call) for name, root in ROOTS.items())


def test_every_field_of_every_type_has_a_rule_and_every_rule_a_field() -> None:
    assert {f"{shown.type}.{field}" for shown, field in ruled_fields()} == fields_of_types()


def difference(what: str, asker: Asker, answer: Answer, outcome: str) -> list[str]:
    """A line if the answer is not what the rule says."""
    statuses = {401} if outcome == UNAUTHENTICATED else {200, 403} if outcome == FORBIDDEN else {200}
    if answer.outcome == outcome and answer.status in statuses:
        return []
    return [f"{what} for {asker.name}: {answer.outcome} ({answer.status}), not {outcome}: {answer.text[:300]}"]


@pytest.mark.parametrize("asker", ASKERS, ids=lambda asker: asker.name)
async def test_root_fields_are_answered_to_those_who_may_have_them(
    people: People, asker: Asker, capsys: pytest.CaptureFixture[str]
) -> None:
    await people.settle(asker)
    wrong: list[str] = []
    asked = 0
    for name, root in ROOTS.items():
        document = document_of_root(root)
        whose = [
            ("", asker.name, Visibility.PRIVATE, (root.own,)),
            (" of others that is public", OTHER, Visibility.PUBLIC, (root.public,)),
            (" of others that is private", OTHER, Visibility.PRIVATE, (root.private, root.public)),
        ]
        for what, owner, visibility, steps in whose if names_something(root) else whose[:1]:
            if asker.is_visitor and owner == asker.name and names_something(root):
                continue  # who has no account has nothing
            outcome = expected(asker, root.needs, *steps)
            fresh = outcome == OK
            answer = await people.answer(asker, document, owner=owner, visibility=visibility, fresh=fresh)
            wrong += difference(name + what, asker, answer, outcome)
            asked += 1

    assert wrong == []
    with capsys.disabled():
        print(f"\n{asker.name}: {asked} calls of {len(ROOTS)} root fields")


@pytest.mark.parametrize("asker", ASKERS, ids=lambda asker: asker.name)
async def test_fields_of_types_are_shown_to_those_who_may_have_them(
    people: People, asker: Asker, capsys: pytest.CaptureFixture[str]
) -> None:
    await people.settle(asker)
    ask = partial(people.answer, asker, owner=asker.name)
    if asker.is_visitor:  # who has no account has nothing
        ask = partial(people.answer, asker, owner=OTHER, visibility=Visibility.PUBLIC)
    wrong: list[str] = []
    shown_fields = 0
    for shown in SHOWN:
        fields = shown.fields.split()
        outcome = expected(asker, shown.needs, shown.own, answer=EVERYTHING)
        if outcome == EVERYTHING:
            answer = await ask(document_of_field(shown, *fields), fresh=True)
            wrong += [
                f"{shown.type}.{field} by {shown.by} for {asker.name}: {answer.text[:300]}"
                for field in fields
                if not answer.shows(shown.type, field)
            ]
            shown_fields += len(fields)
            continue
        for field in fields:
            answer = await ask(document_of_field(shown, field), fresh=False)
            wrong += difference(f"{shown.type}.{field}", asker, answer, outcome)
            if answer.betrays(shown.type, field):
                wrong.append(f"{shown.type}.{field} is shown to {asker.name}: {answer.text[:300]}")

    assert wrong == []
    with capsys.disabled():
        print(f"\n{asker.name}: {shown_fields} of {len(ruled_fields())} fields are shown")


@pytest.mark.parametrize("asker", [asker for asker in ASKERS if asker.is_known], ids=lambda asker: asker.name)
async def test_a_link_opens_nothing_if_its_maker_may_not_show_the_thing(people: People, asker: Asker) -> None:
    await people.settle(asker)
    assert asker.role is not None
    document = document_of_root(Root(call="sharedLink(token: $own_key)", needs=ANYBODY))

    answer = await people.answer(asker, document, owner=asker.name, fresh=True)

    assert answer.outcome == (OK if Right.CONTRIBUTE in asker.role.rights else NOT_FOUND)
