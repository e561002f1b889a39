"""What goes wrong at an exchange, and what the whole system makes of it."""

from pathlib import Path

import pytest

from tests.system.floor import Floor, floor

ORDER = "/v5/order/create"
TROUBLE = {
    "answers of orders get lost": [
        {"kind": "answer_lost", "path": ORDER, "probability": 0.5, "for_s": 8}
    ],
    "requests of orders get lost": [
        {"kind": "request_lost", "path": ORDER, "probability": 0.5, "for_s": 8}
    ],
    "orders answered by 502 though done": [
        {
            "kind": "http_status",
            "path": ORDER,
            "status": 502,
            "processed": True,
            "probability": 0.5,
            "for_s": 8,
        }
    ],
    "orders answered by 10016 though done": [
        {
            "kind": "ret_code",
            "path": ORDER,
            "code": 10016,
            "processed": True,
            "probability": 0.5,
            "for_s": 8,
        }
    ],
    "unreadable answers": [
        {"kind": "unreadable_body", "path": ORDER, "probability": 0.5, "for_s": 8}
    ],
    "streams cut": [{"kind": "cut", "after_s": after_s} for after_s in (1, 3, 5)],
    "messages twice and in disorder": [
        {"kind": "duplicate", "probability": 0.5, "for_s": 8},
        {"kind": "reorder", "probability": 0.5, "for_s": 8},
    ],
    "closes of candles lost": [{"kind": "lose_confirm", "probability": 0.5, "for_s": 8}],
    "half filled orders": [{"kind": "partial_fill", "probability": 0.5, "for_s": 8}],
    "a history that lags and a present that forgets": [
        {"kind": "history_lag", "seconds": 600, "for_s": 8},
        {"kind": "forget_closed", "for_s": 8},
        {"kind": "answer_lost", "path": ORDER, "probability": 0.3, "for_s": 8},
    ],
    "the exchange down for seconds": [{"kind": "down", "for_s": 4, "after_s": 2}],
    "funding out of turn": [{"kind": "funding", "probability": 0.5, "for_s": 8}],
}


@pytest.mark.parametrize("trouble", TROUBLE, ids=list(TROUBLE))
def test_nothing_is_lost_or_doubled_when_there_are(tmp_path: Path, trouble: str) -> None:
    with floor(tmp_path / "run") as here:
        here.wait_for_trades(1)
        for spec in TROUBLE[trouble]:
            here.fault(**spec)
        here.wait_for_trades(2)
        here.heal()

        here.wait_until_agreed()

        ids = [order["orderLinkId"] for order in here.records()["orders"] if order["orderLinkId"]]
        assert len(ids) == len(set(ids))
        assert here.longest_naked_s() == 0
        assert here.run.given_up() == {}


def open_symbol(here: Floor) -> str | None:
    held = here.exchange_books()[1]
    return next(iter(held), None)


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ({"action": "close"}, "EXTERNAL"),
        ({"action": "liquidate"}, "LIQUIDATION"),
        ({"action": "adl", "fraction": "0.5"}, None),
    ],
    ids=["closed by hand", "liquidated", "reduced by ADL"],
)
def test_a_position_that_others_end_is_booked_under_its_reason(
    tmp_path: Path, action: dict[str, str], reason: str | None
) -> None:
    with floor(tmp_path / "run") as here:
        here.wait(lambda: open_symbol(here), "an open position")
        symbol = open_symbol(here)

        here.position(symbol=symbol, **action)

        here.wait_until_agreed()
        if reason is not None:
            here.wait(lambda: reason in {trade.reason for trade in here.trades()}, reason)
        here.wait_for_trades(1)
        here.wait_until_agreed()
        assert here.run.given_up() == {}


def test_a_stop_that_somebody_removes_stands_again(tmp_path: Path) -> None:
    with floor(tmp_path / "run") as here:
        here.wait(lambda: open_symbol(here), "an open position")

        here.position(symbol=open_symbol(here), action="remove_stops")

        here.wait(
            lambda: any(record["stop_loss"] is None for record in here.records()["stops"]),
            "the stop is gone",
        )
        here.wait(lambda: here.records()["stops"][-1]["stop_loss"] is not None, "it stands again")
        here.wait_for_trades(1)
        here.wait_until_agreed()


@pytest.mark.parametrize(
    "spec",
    [
        {"kind": "half_open"},
        {"kind": "mute", "for_s": 5},
        {"kind": "clock_offset", "ms": 3_600_000, "for_s": 5},
        {"kind": "http_status", "path": "/v5", "status": 429, "for_s": 3, "probability": 0.5},
        {"kind": "price_gap", "symbol": "BTCUSDT", "fraction": "0.04"},
    ],
    ids=lambda spec: spec["kind"],
)
def test_the_system_trades_on_after(tmp_path: Path, spec: dict[str, object]) -> None:
    with floor(tmp_path / "run") as here:
        here.wait_for_trades(1)

        here.fault(**spec)
        here.wait_for_trades(2)
        here.heal()

        here.wait_until_agreed()
        assert here.run.given_up() == {}
