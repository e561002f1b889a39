"""The judge finds a trailing stop that went back, and one whose fill has the wrong reason."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.market.instruments import Side
from domain.rules import TradingRules
from domain.trading.orders import ExitReason
from domain.trading.positions import Trade
from infra.settings import load_settings
from tests.chaos.harness.command import SETTINGS, with_file
from tests.chaos.harness.journal_view import JournalView
from tests.chaos.harness.stops import levels_of, loosened, misnamed

T_MS = 1_744_802_700_000


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> TradingRules:
    file = tmp_path_factory.mktemp("settings") / "settings.yaml"
    asset = {"symbol": "BTCUSDT", "strategy": "confirmed_trend_long"}
    file.write_text(json.dumps({"portfolio": {"assets": [asset]}}))
    return load_settings(file, environ={}, dotenv=None).trading_rules()


def records(*levels: str | None, qty: str = "0.1") -> dict[str, Any]:
    """Return a position's stops over time, and its end."""
    rows = [(qty, level) for level in levels] + [("0", None)]
    return {
        "stops": [
            {"ts_ms": T_MS + place, "symbol": "BTCUSDT", "signed_qty": held, "stop_loss": level}
            for place, (held, level) in enumerate(rows)
        ]
    }


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (records("82320", "82310", "83300", "84000"), []),
        (records("82320", "83300", "83290"), ["BTC: the stop went back from 83300 to 83290"]),
        (records("82320", "83300", None, "82320"), ["BTC: the stop went back from 83300 to 82320"]),
        (
            records("85680", "84000", "84100", qty="-0.1"),
            ["BTC: the stop went back from 84000 to 84100"],
        ),
        ({"stops": records("82320", "83300")["stops"] + records("81000")["stops"]}, []),
    ],
)
def test_a_stop_that_went_back_is_found(
    rules: TradingRules, found: dict[str, Any], words: list[str]
) -> None:
    assert list(loosened(found, rules)) == words


@pytest.mark.parametrize(
    ("levels", "reason", "is_wrong"),
    [
        (("82320", "83300"), ExitReason.TRAILING_STOP, False),
        (("82320", "83300"), ExitReason.STOP_LOSS, True),
        (("82400", "82320"), ExitReason.STOP_LOSS, False),
        (("82400", "82320", "83390"), ExitReason.TRAILING_STOP, False),
        (("83300", "82320", "83300"), ExitReason.TRAILING_STOP, False),
        (("83300", "82320", "83300"), ExitReason.STOP_LOSS, True),
        (("82400", "82390"), ExitReason.STOP_LOSS, False),
        (("82320",), ExitReason.TRAILING_STOP, True),
        (("82320",), ExitReason.TAKE_PROFIT, False),
    ],
)
def test_a_wrong_reason_of_a_fill_at_the_stop_is_found(
    rules: TradingRules, levels: tuple[str, ...], reason: ExitReason, *, is_wrong: bool
) -> None:
    assert is_misnamed(rules, reason, records(*levels)) is is_wrong


@pytest.mark.parametrize("reason", [ExitReason.STOP_LOSS, ExitReason.TRAILING_STOP])
def test_a_stop_that_moved_before_a_tick_dealt_with_late_has_moved(
    rules: TradingRules, reason: ExitReason
) -> None:
    found = records("82320", "83300")["stops"]
    for record in found[1:]:
        record["ts_ms"] = T_MS + 200
    found += records("82320")["stops"]

    assert is_misnamed(rules, reason, {"stops": found}) is (reason is ExitReason.STOP_LOSS)


def is_misnamed(rules: TradingRules, reason: ExitReason, found: dict[str, Any]) -> bool:
    trade = Trade(
        asset="BTC",
        side=Side.BUY,
        entry_ms=T_MS,
        exit_ms=T_MS + 100,
        qty=Decimal("0.1"),
        entry_price=Decimal(84000),
        exit_price=Decimal(83300),
        fees=Decimal(1),
        funding=Decimal(0),
        pnl=Decimal(-71),
        reason=reason,
        decided_ms=None,
    )
    journal = JournalView(
        executions=[],
        orders={},
        updates=[],
        intended_ms={},
        intended_at={},
        approvals=[],
        samples=[],
        trades=[trade],
    )

    return bool(list(misnamed(found, journal, rules)))


def test_a_position_without_a_target_has_none_at_the_exchange() -> None:
    row = {"stopLoss": "82320", "takeProfit": ""}

    assert levels_of(row) == (Decimal(82320), None)


def test_a_file_says_what_is_traded_and_the_run_says_how_fast(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "portfolio: {correlation_limit: 0.5, max_positions: 2, assets: [{symbol: A, trail_pct: 1}]}"
    )

    found = with_file(SETTINGS, file)

    assert found["strategy"] == SETTINGS["strategy"]
    assert found["portfolio"] == SETTINGS["portfolio"] | {
        "max_positions": 2,
        "assets": [{"symbol": "A", "trail_pct": 0.003}],
    }
