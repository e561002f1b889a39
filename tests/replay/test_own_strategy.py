"""A strategy of the user's own in a replay: it trades as in the plain loop, and fails alone."""

import json
import threading
from pathlib import Path

import pytest

from bin.bootstrap.recorded import build_replay
from domain.backtesting.summary import in_order
from infra.settings import Settings, load_settings
from tests.replay.runs import LIVELY, finish, made_up_market, plain_loop, replay

DAY = 288
OWN = "SOL"
BREAKOUT = "examples.own_strategy:Breakout"
QUIET = "tests.domain.foreign:Quiet"


def settings_with(folder: Path, strategy: str, **asset: object) -> Settings:
    """Return lively settings under which SOL follows a strategy of the user's own."""
    portfolio = LIVELY["portfolio"]
    *others, sol = portfolio["assets"]
    own = sol | {"strategy": strategy, "trail_pct": 0.01} | asset
    file = folder / "own.yaml"
    supervision = {"max_restarts": 2, "hang_seconds": 0.5, "start_seconds": 0.8}
    changed = {
        "portfolio": portfolio | {"assets": [*others, own]},
        "supervision": LIVELY["supervision"] | supervision,
    }
    file.write_text(json.dumps(LIVELY | changed))
    return load_settings(file, environ={}, dotenv=None)


def test_it_trades_in_a_replay_as_in_the_plain_loop(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, BREAKOUT, parameters={"channel_candles": 20})
    market = made_up_market(7, 3 * DAY)

    found = replay(settings, market, tmp_path / "run")

    backtest = plain_loop(settings, market)
    assert found.trades == in_order(backtest.result.trades, ["BTC", "ETH", "SOL"])
    assert found.balance == found.books == backtest.engine.wallet
    assert {trade.side for trade in found.trades if trade.asset == OWN} == {"BUY"}


# The interrupt may fall into a callback of the collector that another test's library has left.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("QuietRaises", "raised ZeroDivisionError: a made failure"),
        ("QuietExits", "raised SystemExit: 3"),
        ("QuietNan", "expected one to be a finite number, found nan"),
        ("QuietLoops", "0.8 s are allowed"),
    ],
)
def test_its_failure_suspends_its_asset_and_nothing_else(
    tmp_path: Path, kind: str, words: str
) -> None:
    market = made_up_market(4, 2 * DAY)
    undisturbed = replay(settings_with(tmp_path, QUIET), market, tmp_path / "undisturbed")
    settings = settings_with(tmp_path, f"tests.domain.foreign:{kind}")
    folder = tmp_path / "run"
    folder.mkdir()
    run, lockstep = build_replay(settings, market, folder)

    found = finish(run, lockstep)

    assert [name.split(":")[0] for name in run.given_up()] == ["asset/SOL"]
    children = {child.spec.address: child for child in run.supervisor.children()}
    assert words in (children["asset/SOL"].given_up_because or "")
    assert not run.supervisor.escalated.is_set()
    assert undisturbed.trades
    assert (found.trades, found.refusals) == (undisturbed.trades, undisturbed.refusals)
    assert found.balance == found.books == undisturbed.balance
    assert [t.name for t in threading.enumerate() if "AssetActor" in t.name] == []
