"""Where the default run finds its exchange, and with which key."""

import json
from pathlib import Path

from infra.settings import load_settings
from infra.venues.simulator.gate import DEFAULT_KEYS
from infra.venues.simulator.process import SimulatedVenue


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
