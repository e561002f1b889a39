"""What people hear of a replay: the same, whoever crashes on the way."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from actors.drills.probes import CrashDrill
from infra.settings import Settings
from tests.replay.runs import made_up_market, replay

DAY = 288
_EXPOSURE = re.compile(r"\nExposure.*")
"""Depends on which of two fills of one close was stored first."""


def told(folder: Path) -> list[str]:
    """Return all that is surely told of trades and dangers, but for what crashes themselves are."""
    query = "SELECT text FROM notice WHERE kind IN ('entry', 'exit') OR key LIKE 'protection/%'"
    with closing(sqlite3.connect(folder / "journal.sqlite")) as database:
        return sorted(_EXPOSURE.sub("", row[0]) for row in database.execute(query))


def test_crashes_hide_no_entry_no_exit_and_no_protection_and_tell_none_twice(
    lively: Settings, tmp_path: Path
) -> None:
    market = made_up_market(1, 2 * DAY)
    undisturbed = replay(lively, market, tmp_path / "undisturbed")

    disturbed = replay(lively, market, tmp_path / "disturbed", CrashDrill(0.05, 1))

    assert disturbed.restarts > 100
    expected = told(tmp_path / "undisturbed")
    assert sum("closed" in text for text in expected) == len(undisturbed.trades) > 5
    assert sum("opened" in text for text in expected) >= len(undisturbed.trades)
    assert told(tmp_path / "disturbed") == expected
