"""A part of a position, or one pair, is closed at the exchange: once, whatever goes wrong."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from actors.messages import OperatorAsked
from actors.operator.portfolio_view import portfolio_view
from bin.bootstrap.finished_run import answer_of_ended
from domain.operator.commands import CommandName, OperatorCommand, parse
from domain.operator.replies import ReplyCode
from infra.store.settings_record import SettingsRecord
from tests.system.floor import Floor, floor

ORDER = "/v5/order/create"
PATIENCE_S = 30.0
ATTEMPTS = 10
CANDLE_MS = 300_000
TROUBLES = {
    "nothing else": {},
    "an answer that is lost": {"kind": "answer_lost", "path": ORDER, "times": 1},
    "a request that is lost": {"kind": "request_lost", "path": ORDER, "times": 1},
    "a fill in part": {"kind": "partial_fill", "times": 1},
}


@pytest.fixture(scope="class")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with floor(tmp_path_factory.mktemp("run") / "var") as made:
        made.wait_for_trades(1)
        yield made


def asked(here: Floor, text: str) -> OperatorCommand:
    message = OperatorAsked(command=parse(text), operator="test")
    answer = here.run.system.address("portfolio").ask(message, sender="t", timeout_s=PATIENCE_S)
    assert isinstance(answer, OperatorCommand)
    return answer


def reduces(here: Floor, answer: OperatorCommand) -> list[dict[str, str]]:
    """Return the orders of a reduce that the exchange has accepted."""
    asset, _ = answer.arguments.split()
    name = f"{asset}-{answer.ts_ms // 1000}-reduc-"
    return [row for row in here.records()["orders"] if row["orderLinkId"].startswith(name)]


def filled(here: Floor, answer: OperatorCommand) -> Decimal:
    return sum((Decimal(row["cumExecQty"]) for row in reduces(here, answer)), Decimal(0))


def is_closed_meanwhile(here: Floor, answer: OperatorCommand) -> bool:
    """Tell whether the rules, or its stop, closed what was to be reduced at about the same time."""
    asset, _ = answer.arguments.split()
    return any(
        row["symbol"] == f"{asset}USDT"
        and Decimal(row["closedSize"] or 0) > 0
        and int(row["execTime"]) > answer.ts_ms - CANDLE_MS
        for row in here.records()["executions"]
    )


def reduced_amid_crashes(here: Floor, *, is_sent: bool) -> OperatorCommand:
    """Reduce a position while its actors crash; another one if the rules close it meanwhile."""
    for _ in range(ATTEMPTS):
        answer = reduced(here)
        asset, _ = answer.arguments.split()
        for address in ("portfolio", f"execution/{asset}"):
            here.crash(address)
        if not is_sent:
            return answer
        here.wait(
            lambda answer=answer: reduces(here, answer) or is_closed_meanwhile(here, answer),
            "the order at the exchange",
        )
        if reduces(here, answer):
            return answer
    raise AssertionError(f"all of {ATTEMPTS} positions were closed before they were reduced")


def reduced(here: Floor) -> OperatorCommand:
    """Reduce whatever is open by half, once anything is."""
    found: list[OperatorCommand] = []

    def is_done() -> bool:
        for symbol in here.held():
            answer = asked(here, f"reduce {symbol} 0.5")
            if answer.is_done:
                found.append(answer)
                return True
        return False

    here.wait(is_done, "something open is reduced")
    return found[0]


class TestReduce:
    @pytest.mark.parametrize("trouble", TROUBLES)
    def test_sends_no_more_than_was_asked_for_with(self, here: Floor, trouble: str) -> None:
        here.wait(here.held, "an open position")
        if TROUBLES[trouble]:
            here.fault(**TROUBLES[trouble])

        # What never came to the exchange is told as not reduced, and not sent again.
        answer = reduced_amid_crashes(here, is_sent=trouble != "a request that is lost")
        _, written = answer.arguments.split()
        here.wait_until_agreed()
        assert filled(here, answer) <= Decimal(written)
        assert all(row["reduceOnly"] for row in reduces(here, answer))
        here.heal()
        here.wait_for_trades(1)
        here.wait_until_agreed()
        assert here.broken_promises() == []
        assert "REDUCE" not in {str(trade.reason) for trade in here.trades()}

    def test_liquidates_one_pair_and_the_others_go_on(self, here: Floor) -> None:
        found: dict[str, Decimal] = {}
        here.wait(lambda: found.update(here.held()) or found, "an open position")
        asset = next(iter(found)).removesuffix("USDT")
        assert asked(here, f"liquidate {asset}").is_done
        here.crash(f"execution/{asset}")

        here.wait(lambda: f"{asset}USDT" not in here.held(), "the pair is flat")
        before = len(here.trades())
        here.wait_for_trades(2)
        later = [trade for trade in here.trades()[before:] if trade.asset == asset]
        assert len(later) <= 1
        assert asked(here, f"resume {asset}").is_done
        here.wait_until_agreed()
        assert here.broken_promises() == []

    def test_what_is_said_of_the_portfolio_is_said_of_its_journal_too(self, here: Floor) -> None:
        here.wait_for_trades(1)
        assert asked(here, "panic").is_done
        here.wait(lambda: not here.held(), "nothing is open")
        here.wait_until_agreed()
        SettingsRecord(here.run.ports.journals).note(here.settings, "test", 1, lambda: None)
        live = portfolio_view("summary", here.run.portfolio_snapshot(), here.rules).data

        for which in ("summary", "concentration", "pairs", ""):
            reply = answer_of_ended(here.journal.parent, CommandName.PORTFOLIO, which)
            assert reply.code is ReplyCode.DONE
            assert reply.lines[0].startswith("No system is running there: as of ")
        stored = answer_of_ended(here.journal.parent, CommandName.PORTFOLIO, "summary").data
        assert stored["closed_positions"] == live["closed_positions"] > 0
        assert stored["realized_pnl"] == live["realized_pnl"]
        performance = answer_of_ended(here.journal.parent, CommandName.PERFORMANCE, "").data
        assert performance["trades"] == str(live["closed_positions"])
