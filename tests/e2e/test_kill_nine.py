"""A few of the kills that `python -m tests.crash.kill_nine` makes by the dozen."""

from __future__ import annotations

from pathlib import Path

from tests.crash.kill_nine import Orders, kill_nine
from tests.e2e.comparison import NOTHING_AMISS


async def test_killed_with_uploads_under_way_it_keeps_what_it_acknowledged_and_the_doctor_clears_the_rest(
    folder: Path,
) -> None:
    outcome = await kill_nine(folder, Orders(kills=3, seed=20261124))
    print(outcome)

    assert outcome.acknowledged > outcome.acknowledged_staged > 0
    assert outcome.unanswered > 0
    assert (outcome.lost, outcome.wrong_bytes, outcome.refused) == (0, 0, {})
    assert (outcome.objects_read > outcome.acknowledged, outcome.wrong_objects) == (True, 0)
    assert outcome.before_repair["rows_without_object"] == 0
    assert outcome.after_repair == NOTHING_AMISS
    assert outcome.doctor_exit_code == 0
