"""What goes wrong at an exchange, and what the whole system makes of it."""

from pathlib import Path

import pytest

from tests.system.floor import floor

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
