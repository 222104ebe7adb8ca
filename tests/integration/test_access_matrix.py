"""Every field of the schema, asked for over HTTP by everybody: strangers, each role, each scope.

What is expected is in `tests/access_rules.py`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from graphql import is_interface_type, is_object_type

from gallery.settings_auth import AuthMode
from tests.access_rules import OK, ROOTS, SHOWN, Shown
from tests.e2e.places import fresh_place
from tests.entities import an_image
from tests.integration.access_support import (
    ASKERS,
    FORBIDDEN,
    KINDS,
    TYPES,
    UNAUTHENTICATED,
    Answer,
    Asker,
    People,
    document_of_field,
    document_of_root,
    expected,
    expected_of_others,
    names_something,
    root_type,
)
from tests.integration.database_support import open_database
from tests.integration.live_gallery import LiveGallery, live_gallery
from tests.services import Services

OTHER = "somebody else"


@pytest.fixture(scope="module")
async def people(services: Services, migrated_template: str) -> AsyncIterator[People]:
    """A gallery that wants a token."""
    async with (
        fresh_place(services, migrated_template, cache_database=2) as place,
        live_gallery(place, mode=AuthMode.TOKEN) as gallery,
        open_database(place.database_url) as database,
    ):
        await database.store(an_image())  # whose file is nowhere, so that the report of the storage has something
        yield People(gallery, database)
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
        own = expected(asker, root.needs)
        answer = await people.answer(asker, document, owner=asker.name, fresh=own == OK)
        wrong += difference(name, asker, answer, root.answer if own == OK else own)
        asked += 1
        if names_something(root):
            theirs = expected_of_others(asker, root)
            answer = await people.answer(asker, document, owner=OTHER, fresh=theirs == root.answer)
            wrong += difference(f"{name} of others", asker, answer, theirs)
            asked += 1

    assert wrong == []
    with capsys.disabled():
        print(f"\n{asker.name}: {asked} calls of {len(ROOTS)} root fields")


@pytest.mark.parametrize("asker", ASKERS, ids=lambda asker: asker.name)
async def test_fields_of_types_are_shown_to_those_who_may_have_them(
    people: People, asker: Asker, capsys: pytest.CaptureFixture[str]
) -> None:
    await people.settle(asker)
    wrong: list[str] = []
    shown_fields = 0
    for shown in SHOWN:
        fields = shown.fields.split()
        outcome = expected(asker, shown.needs)
        if outcome == OK:
            answer = await people.answer(asker, document_of_field(shown, *fields), owner=asker.name, fresh=True)
            wrong += [
                f"{shown.type}.{field} by {shown.by} for {asker.name}: {answer.text[:300]}"
                for field in fields
                if not answer.shows(shown.type, field)
            ]
            shown_fields += len(fields)
            continue
        for field in fields:
            answer = await people.answer(asker, document_of_field(shown, field), owner=asker.name, fresh=False)
            wrong += difference(f"{shown.type}.{field}", asker, answer, outcome)
            if answer.betrays(shown.type, field):
                wrong.append(f"{shown.type}.{field} is shown to {asker.name}: {answer.text[:300]}")

    assert wrong == []
    with capsys.disabled():
        print(f"\n{asker.name}: {shown_fields} of {len(ruled_fields())} fields are shown")
