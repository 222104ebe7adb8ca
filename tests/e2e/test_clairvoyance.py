"""Clairvoyance recovers a schema from what a server says of wrong documents. Of the gallery, a stranger learns nothing.

Its words are every name of the schema but for the last letter: the luckiest guesser there can be.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from strawberry.asgi import GraphQL

from gallery.web.graphql.schema import schema
from tests.e2e.clairvoyance import recovered
from tests.e2e.gallery_server import serving
from tests.e2e.places import Place
from tests.graphql_server import SCHEMA, listening

NAMES = {
    field
    for name, type_ in schema._schema.type_map.items()
    if not name.startswith("__")
    for field in getattr(type_, "fields", {})
}
NEARLY = {name[:-1] for name in NAMES} - NAMES


@pytest.mark.parametrize("strangers", ["none", "viewer"])
async def test_a_stranger_recovers_nothing(place: Place, folder: Path, strangers: str) -> None:
    """Those whom the gallery shows something have their documents validated, and are told no name either."""
    settings = {
        **place.settings,
        "GALLERY_AUTH__MODE": "token",
        "GALLERY_AUTH__ANONYMOUS": strangers,
        "GALLERY_GRAPHQL__THROTTLING": "off",
        "GALLERY_WORKER__EMBEDDED": "false",
    }
    async with serving(folder / "log", settings=settings) as (server, api):
        probe = await api.http.post("/graphql", json={"query": "{ images { totalCount } }"})
        fields = await recovered(server.graphql_url, NEARLY, folder)

    assert probe.is_success is (strangers == "viewer")
    assert {field for found in fields.values() for field in found} & NAMES == set()


async def test_of_a_server_that_makes_suggestions_it_recovers_what_was_nearly_guessed(folder: Path) -> None:
    """So that nothing recovered means something."""
    async with listening() as listener:
        listener.app = GraphQL(SCHEMA)
        fields = await recovered(f"http://127.0.0.1:{listener.port}/graphql", {"greetin", "twic", "patien"}, folder)

    assert {"greeting", "twice", "patient"} <= fields["Query"]
