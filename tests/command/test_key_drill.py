"""Keys of a keystore take over amid the trades of a real process, and no echo of them is kept."""

import shutil
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from domain.trading.orders import OrderStatus
from infra.secrets.keystore import Keystore
from infra.secrets.sources import write_new_key
from infra.store.reading import open_reading
from tests.chaos.harness.journal_view import JournalView, read_journal
from tests.command.commands import application
from tests.command.mode_runs import ModeRun, settings_at
from tests.system.floor import SETTINGS
from tests.test_secrets import contents
from tests.venues.simulator.clients import Client, running

MODE, SPEED, CANDLE_MS = "testnet", 600, 300_000
KEYS = {name: f"planted-{name}-8314" for name in ("first", "second", "btc", "second-btc")}
ECHO = " ".join(f"{key} {key}-secret" for key in KEYS.values())


def keys(folder: Path, *words: str, key: str | None = None) -> str:
    """Run `bin/keys` of a keystore, and return what it says."""
    typed = None if key is None else f"{key}\n{key}-secret\n"
    all_words = [*words, "--store", str(folder / "store")]
    done = CliRunner().invoke(application("keys"), all_words, input=typed)
    assert done.exit_code == 0, done.output
    return done.output


def rejected(view: JournalView) -> list[str]:
    return [u.detail for _, u in view.updates if u.status is OrderStatus.REJECTED]


def gaps(journal: Path) -> set[int]:
    """Return how far apart the candles of each asset are, ms."""
    with closing(open_reading(journal)) as reading:
        rows = reading.rows("SELECT asset, open_time_ms FROM candle ORDER BY asset, open_time_ms")
    return {
        after["open_time_ms"] - before["open_time_ms"]
        for before, after in pairwise(rows)
        if before["asset"] == after["asset"]
    }


def start(folder: Path, exchange: Client) -> ModeRun:
    settings = settings_at(exchange, SPEED, **SETTINGS)
    settings["exchange"]["keystore"] = str(folder / "store")
    return ModeRun(folder, MODE, settings)


@pytest.fixture
def exchange(tmp_path: Path):
    """Run an exchange that knows all keys, and a keystore with the first of each."""
    with running(speed=SPEED, seed=120, history=540) as client:
        for key in KEYS.values():
            client.control("keys", api_key=key, api_secret=f"{key}-secret")
        write_new_key(tmp_path / "key")
        keys(tmp_path, "add", MODE, "--source", f"file:{tmp_path / 'key'}", key=KEYS["first"])
        keys(tmp_path, "add", MODE, "--asset", "BTC", key=KEYS["btc"])
        yield client


def test_keys_take_over_amid_trades_and_what_the_exchange_says_of_them_is_masked(
    tmp_path: Path, exchange: Client
) -> None:
    run = start(tmp_path, exchange)
    journal = run.run_dir / "journal.sqlite"
    try:
        run.wait_for("the account's stream works")
        run.wait(lambda: read_journal(journal).trades, "a trade")

        said = keys(tmp_path, "rotate", MODE, key=KEYS["second"])
        said += keys(tmp_path, "rotate", MODE, "--asset", "BTC", key=KEYS["second-btc"])
        for old in ("first", "btc"):
            exchange.session.delete(
                f"{exchange.sim.base_url}/sim/keys", json={"api_key": KEYS[old]}, timeout=10
            )
        before = read_journal(journal).trades
        run.wait(lambda: len(read_journal(journal).trades) >= len(before) + 2, "two trades more")
        refused_before = rejected(read_journal(journal))

        exchange.control("faults", kind="reject", reason=f"EC {ECHO}", times=1)
        exchange.control("faults", kind="ret_code", code=110007, text=ECHO, times=1)
        run.wait(lambda: len(rejected(read_journal(journal))) >= 2, "two refused orders")
        run.wait(lambda: all(f["is_over"] for f in exchange.state()["faults"]), "both echoes")
    finally:
        run.end()

    assert refused_before == []
    assert [line for line in run.lines() if "10003" in line] == []
    assert said.count("waiting until the run of") == said.count("now uses the new key") == 2
    assert [entry.next for entry in Keystore(tmp_path / "store").entries().values()] == [None] * 2
    assert gaps(journal) == {CANDLE_MS}
    assert sum("***" in detail for detail in rejected(read_journal(journal))) == 2
    shutil.rmtree(tmp_path / "store")
    stored = {str(path): contents(path) for path in tmp_path.rglob("*") if path.is_file()}
    assert any("***" in text for text in stored.values())
    assert [path for path, text in stored.items() if "planted" in text] == []
