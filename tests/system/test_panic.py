"""Panic in the whole system: everything is closed, nothing is opened, whatever else goes wrong."""

from collections.abc import Iterator

import pytest

from actors.messages import Describe, OperatorAsked
from domain.operator import Command, CommandName, OperatorCommand
from domain.snapshots import AssetSnapshot, PortfolioSnapshot
from tests.simulator.clients import Client
from tests.system.floor import Floor, floor

ORDER = "/v5/order/create"
PATIENCE_S = 30.0


@pytest.fixture(scope="class")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with floor(tmp_path_factory.mktemp("run") / "var") as made:
        made.wait_for_trades(1)
        yield made


def asked(here: Floor, name: CommandName, argument: str = "") -> OperatorCommand:
    message = OperatorAsked(command=Command(name=name, argument=argument), operator="test")
    answer = here.run.system.address("portfolio").ask(message, sender="t", timeout_s=PATIENCE_S)
    assert isinstance(answer, OperatorCommand)
    return answer


def portfolio(here: Floor) -> PortfolioSnapshot:
    answer = here.run.system.address("portfolio").ask(
        Describe(), sender="test", timeout_s=PATIENCE_S
    )
    assert isinstance(answer, PortfolioSnapshot)
    return answer


def is_shown_flat(here: Floor) -> bool:
    found = portfolio(here)
    return found.panic_since_ms is not None and not found.not_flat


def entries(here: Floor) -> set[str]:
    """Return the ids of all entries that the exchange has ever accepted."""
    orders = here.records()["orders"]
    return {row["orderLinkId"] for row in orders if "-entry-" in row["orderLinkId"]}


def closes_seen(here: Floor) -> int:
    answer = here.run.system.address("asset/BTC").ask(
        Describe(), sender="test", timeout_s=PATIENCE_S
    )
    assert isinstance(answer, AssetSnapshot)
    return answer.closes_seen


def resting(here: Floor) -> list[tuple[str, ...]]:
    names = ("symbol", "orderType", "stopOrderType", "orderStatus", "createdTime", "updatedTime")
    return [tuple(order[name] for name in names) for order in here.state()["open_orders"]]


def leave_an_order(here: Floor) -> None:
    client = Client(here.sim)
    client.order("Buy", "0.001", orderType="Limit", price=client.at("0.5"))


TROUBLES = {
    "nothing else": [],
    "the exchange down": [{"kind": "down", "for_s": 4}],
    "orders of unknown outcome": [{"kind": "answer_lost", "path": ORDER, "times": 4}],
    "closes filled in part": [{"kind": "partial_fill", "times": 2}],
}


class TestPanic:
    @pytest.mark.parametrize("trouble", TROUBLES)
    def test_ends_flat_and_opens_nothing_until_rearm_with(self, here: Floor, trouble: str) -> None:
        here.wait(here.held, "an open position")
        leave_an_order(here)
        for spec in TROUBLES[trouble]:
            here.fault(**spec)

        answer = asked(here, CommandName.PANIC)

        assert answer.is_done
        assert not asked(here, CommandName.PANIC).is_done
        here.wait(lambda: is_shown_flat(here), "the exchange has shown all to be flat")
        here.wait(lambda: here.state() is not None, "the exchange answers")
        assert here.held() == {}
        assert resting(here) == []
        before, closes = entries(here), closes_seen(here)
        here.wait(lambda: closes_seen(here) > closes + 5, "more candles close")
        assert entries(here) == before

        assert asked(here, CommandName.REARM).is_done
        here.wait_for_trades(1)
        here.wait_until_agreed()
        assert here.broken_promises() == []

    def test_in_the_middle_of_an_entry_of_unknown_outcome_leaves_nothing_open(
        self, here: Floor
    ) -> None:
        here.wait(lambda: not here.held(), "nothing is open")
        before = entries(here)
        # Accepted and filled, but neither answer nor news arrive before the panic.
        here.fault(kind="answer_lost", path=ORDER, hang_s=3, times=1)
        here.wait(lambda: entries(here) - before, "an entry whose answer hangs")

        assert asked(here, CommandName.PANIC).is_done

        here.wait(lambda: is_shown_flat(here), "the exchange has shown all to be flat")
        assert here.held() == {}
        assert asked(here, CommandName.REARM).is_done
        here.heal()
        here.wait_until_agreed()
        assert here.broken_promises() == []

    def test_outlives_the_actors_that_carry_it_out(self, here: Floor) -> None:
        here.wait(here.held, "an open position")
        here.fault(kind="down", for_s=2)
        assert asked(here, CommandName.PANIC).is_done

        for address in ("portfolio", "execution/BTC", "execution/ETH", "execution/SOL"):
            here.crash(address)

        here.wait(lambda: is_shown_flat(here), "the exchange has shown all to be flat")
        assert here.held() == {}
        assert asked(here, CommandName.REARM).is_done


class TestPause:
    def test_a_paused_asset_opens_nothing_and_the_others_go_on(self, here: Floor) -> None:
        assert asked(here, CommandName.PAUSE, "btcusdt").arguments == "BTC"
        assert not asked(here, CommandName.PAUSE, "BTC").is_done
        here.crash("portfolio")
        assert portfolio(here).paused == {"BTC"}
        before = entries(here)
        here.wait_for_trades(4)

        assert not [name for name in entries(here) - before if name.startswith("BTC")]

        assert asked(here, CommandName.RESUME, "all").is_done
        here.wait(
            lambda: any(name.startswith("BTC") for name in entries(here) - before), "BTC enters"
        )

    def test_close_closes_what_is_open_and_entries_go_on(self, here: Floor) -> None:
        here.wait(here.held, "an open position")
        before = here.trades()

        assert asked(here, CommandName.CLOSE, "all").is_done

        def by_operator() -> bool:
            return any(trade.reason == "OPERATOR" for trade in here.trades()[len(before) :])

        here.wait(by_operator, "a trade that the operator has ended")
        here.wait_for_trades(1)
        here.wait_until_agreed()
        assert here.broken_promises() == []
