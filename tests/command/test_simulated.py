"""Where the default run finds its exchange, and with which key."""

import json
from pathlib import Path

from infra.settings import load_settings
from infra.venues.simulator.gate import DEFAULT_KEYS
from infra.venues.simulator.process import SimulatedVenue, generated_market


def venue_in(folder: Path):
    (folder / "settings.yaml").write_text("simulation: {address: '127.0.0.1:8899'}")
    settings = load_settings(folder / "settings.yaml", environ={}, dotenv=None)
    return SimulatedVenue(settings, folder, {}, None).venue


def test_an_exchange_that_runs_by_itself_is_met_with_its_own_default_key(tmp_path: Path) -> None:
    venue = venue_in(tmp_path)

    assert venue.rest_url == "http://127.0.0.1:8899"
    assert venue.credentials.api_key == DEFAULT_KEYS.api_key
    assert venue.credentials.api_secret == DEFAULT_KEYS.api_secret


def test_another_key_is_read_from_the_run_directory(tmp_path: Path) -> None:
    (tmp_path / "sim-keys.json").write_text(json.dumps(["key", "secret"]))

    assert venue_in(tmp_path).credentials.api_key == "key"


def test_a_generated_market_begins_with_the_history_of_longer_candles(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("strategy: {candle_minutes: 15, warmup_candles: 1000}")
    settings = load_settings(tmp_path / "settings.yaml", environ={}, dotenv=None)

    market = generated_market(settings, tmp_path)

    assert int(market["--history"]) * 5 >= 1000 * 15
