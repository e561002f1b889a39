"""What the whole system sees between closes: money, orders of others, a falling equity."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from domain.trading.decisions import Protection
from tests.system.floor import Floor, floor
from tests.venues.simulator.clients import Client

CANDLE_MS = 300_000


@pytest.fixture(scope="class")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with floor(tmp_path_factory.mktemp("run") / "var") as made:
        made.wait_for_trades(1)
        yield made


def resting(here: Floor) -> set[str]:
    """Return the ids that clients gave to what rests at the exchange."""
    found = {order["orderLinkId"] for order in here.state()["open_orders"]}
    return found - {""}


def place_far_away(here: Floor, order_id: str) -> None:
    """Let somebody with the account's key leave an order at the exchange that never fills."""
    client = Client(here.sim)
    price = client.at("0.5")
    client.order("Buy", "0.001", orderType="Limit", price=price, orderLinkId=order_id)


def newest_protection(here: Floor) -> Protection | None:
    journals = here.run.ports.journals
    with journals.connected():
        return journals.open("reader", lambda: None).newest_protection()


def keeps_open_without_closes(here: Floor) -> bool:
    """Let no candle close any more, unless nothing is open; the last close has been decided."""
    if not here.held():
        return False
    here.fault(kind="lose_confirm", for_s=600)
    candle_ms = here.state()["candle_open_ms"]
    here.wait(lambda: here.state()["candle_open_ms"] > candle_ms + CANDLE_MS, "two candles more")
    is_open = bool(here.held())
    if not is_open:
        here.heal()  # so that something is opened again
    return is_open


class TestBetweenCloses:
    def test_an_orphan_of_ours_is_canceled_and_an_order_of_others_is_left_alone(
        self, here: Floor
    ) -> None:
        placed = {"BTC-1700000000-entry-1", "somebody-elses"}
        for order_id in placed:
            place_far_away(here, order_id)
        assert placed <= resting(here)  # beside an entry that is on its way

        here.fault(kind="cut", path="/v5/private")

        here.wait(lambda: resting(here) & placed == {"somebody-elses"}, "the orphan is canceled")
        here.wait_for_trades(1)
        assert "somebody-elses" in resting(here)

    @pytest.mark.parametrize("amount", ["-4000", "9000"])
    def test_money_that_comes_or_goes_is_booked_and_neither_loss_nor_gain(
        self, here: Floor, amount: str
    ) -> None:
        here.transfer(amount)

        here.wait_until_agreed()

        found = here.run.portfolio_snapshot()
        assert found is not None
        # Misread it would be 40 percent lost, or 90 won.
        assert found.drawdown < Decimal("0.2")
        assert abs(found.daily_loss) < Decimal("0.3")

    def test_an_equity_that_falls_halts_though_no_candle_closes(self, here: Floor) -> None:
        here.wait(lambda: keeps_open_without_closes(here), "what stays open without closes")

        def fall() -> bool:
            for symbol in here.held():
                here.fault(kind="price_gap", symbol=symbol, fraction="0.5")
            fired = newest_protection(here)
            return fired is not None and fired.t_ms % CANDLE_MS != 0

        here.wait(fall, "a protection between closes")

        here.wait(lambda: not here.held(), "everything is closed")
        here.wait_until_agreed()
