"""How several processes share the connections that the database takes: five are left, and one more pool is counted."""

from __future__ import annotations

import pytest
import typer

from gallery.cli.serve import share_connections
from gallery.settings import DatabaseSettings, ServerSettings, Settings

FOUR = Settings(server=ServerSettings(workers=4), database=DatabaseSettings(pool_size=10))


def test_pools_that_fit_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert share_connections(FOUR, 55) == FOUR
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("limit", "size"), [(54, 9), (10, 1)])
def test_pools_that_do_not_fit_are_made_smaller(limit: int, size: int, capsys: pytest.CaptureFixture[str]) -> None:
    shared = share_connections(FOUR, limit)

    assert shared.database == DatabaseSettings(pool_size=size)
    assert shared.server == FOUR.server
    assert f"each process keeps {size} at most" in capsys.readouterr().err


def test_processes_that_would_have_no_connection_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        share_connections(FOUR, 9)

    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == (
        "gallery: PostgreSQL does not take enough connections for 4 processes. "
        "Raise its max_connections, or serve with fewer --workers.\n"
    )
