"""GraphQL over HTTP as the audits of its reference implementation look at it, under Node."""

from __future__ import annotations

from typing import Protocol

from tests.e2e.node_clients import run_script

AUDITS = 61


class Server(Protocol):
    graphql_url: str


async def test_every_audit_is_passed_and_none_gives_a_warning(server: Server) -> None:
    results = (await run_script("graphql-http.mjs", server.graphql_url))["results"]

    assert [result for result in results if result["status"] != "ok"] == []
    assert len({result["id"] for result in results}) == AUDITS
