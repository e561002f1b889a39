"""The version of a strategy of the user's own is noted, and a later reader is told of another."""

import json
import re
import sys
from pathlib import Path

import pytest

from infra.settings import Settings, load_settings
from infra.settings.stored import settings_of
from infra.settings.strategy_versions import _version, changed_since
from infra.store.opening import open_store
from infra.store.reader import FactReader
from infra.store.settings_record import SettingsRecord

NAME = "versioned_strategy:Own"
SOURCE = "from examples.own_strategy import Breakout\nclass Own(Breakout):\n    version = '{}'\n"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that writes the strategy, as a process that begins then would find it."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(version: str) -> Settings:
        (tmp_path / "versioned_strategy.py").write_text(SOURCE.format(version))
        sys.modules.pop("versioned_strategy", None)
        _version.cache_clear()
        asset = {"symbol": "BTCUSDT", "strategy": NAME, "parameters": {"channel_candles": "3"}}
        (tmp_path / "my.yaml").write_text(json.dumps({"portfolio": {"assets": [asset]}}))
        return load_settings(tmp_path / "my.yaml", environ={}, dotenv=None)

    yield write
    sys.modules.pop("versioned_strategy", None)
    _version.cache_clear()


def test_another_version_is_a_stored_change_and_is_told_to_who_replays(
    written, tmp_path: Path
) -> None:
    journals = open_store(tmp_path / "journal.sqlite", lambda: 5, busy_timeout_ms=1000)
    record = SettingsRecord(journals)

    assert record.note(written("one"), "at the start", 1, lambda: None) == {}
    assert record.note(written("one"), "at the start", 2, lambda: None) == {}
    noted = FactReader(tmp_path / "journal.sqlite").settings()
    told_before = list(changed_since(noted))
    found = record.note(written("second"), "at the start", 3, lambda: None)

    assert told_before == []
    change = found[f"strategy_versions[{NAME}]"]
    assert re.fullmatch(r"one \(source [0-9a-f]{12}\) -> second \(source [0-9a-f]{12}\)", change)
    told = list(changed_since(noted))
    assert told == [f"strategy {NAME} has changed since that run: {change}"]
    assert settings_of(noted, "journal").trading_rules() == written("second").trading_rules()


def test_a_strategy_that_is_gone_is_told(written) -> None:
    written("one")
    noted = {"strategy_versions[nowhere:Own]": "1 (source 0)", "risk.x": "1"}

    assert list(changed_since(noted)) == [
        "strategy nowhere:Own has changed since that run: 1 (source 0) -> nothing"
    ]
