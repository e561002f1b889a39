"""Panic in the whole system: everything is closed, nothing is opened, whatever else goes wrong."""

import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from actors.core.envelope import Origin
from actors.messages import Describe, OperatorAsked, OrderRejected
from actors.operator import command_service
from actors.operator.command_service import CommandService
from bin.bootstrap.live_view import SteeredRun
from bin.bootstrap.operator_ways import make_commands
from domain.operator.commands import MANUALS, Command, CommandName, OperatorCommand
from domain.operator.replies import Reply, ReplyCode
from domain.portfolio.snapshots import AssetSnapshot, PortfolioSnapshot
from domain.trading.orders import Purpose
from infra.operator.notices.telegram_commands import by_telegram
from infra.operator.terminal.live.picture import Picture
from infra.operator.terminal.live.scene import Panel
from infra.operator.terminal.screen import Screen
from infra.store.audit import read_audit
from tests.chaos.harness.journal_view import read_journal
from tests.system.floor import Floor, floor
from tests.venues.simulator.clients import Client

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


def no_reload(operator: str, origin: Callable[[], Origin]) -> Reply:
    raise AssertionError((operator, origin))


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


def seen(here: Floor) -> tuple[dict[str, Decimal], list[tuple[str, ...]]]:
    """Return what is open and what rests at the exchange, once it answers."""
    found = []
    here.wait(lambda: found.append((here.held(), resting(here))) is None, "the exchange answers")
    return found[-1]


def is_down(here: Floor) -> bool:
    try:
        here.state()
    except OSError:
        return True
    return False


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
            if spec["kind"] == "down":
                here.wait(lambda: is_down(here), "the exchange is down")

        answer = asked(here, CommandName.PANIC)

        assert answer.is_done
        assert asked(here, CommandName.PANIC).is_done  # who asks again means it
        here.wait(lambda: is_shown_flat(here), "the exchange has shown all to be flat")
        assert seen(here) == ({}, [])
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
        assert seen(here)[0] == {}
        assert asked(here, CommandName.REARM).is_done
        here.heal()
        here.wait_until_agreed()
        assert here.broken_promises() == []

    def test_outlives_the_actors_that_carry_it_out(self, here: Floor) -> None:
        here.wait(here.held, "an open position")
        here.fault(kind="down", for_s=2)
        here.wait(lambda: is_down(here), "the exchange is down")
        assert asked(here, CommandName.PANIC).is_done

        for address in ("portfolio", "execution/BTC", "execution/ETH", "execution/SOL"):
            here.crash(address)

        here.wait(lambda: is_shown_flat(here), "the exchange has shown all to be flat")
        assert seen(here)[0] == {}
        assert asked(here, CommandName.REARM).is_done


class TestPause:
    def test_a_paused_asset_opens_nothing_and_the_others_go_on(self, here: Floor) -> None:
        assert asked(here, CommandName.PAUSE, "btcusdt").arguments == "BTC"
        assert not asked(here, CommandName.PAUSE, "BTC").is_done
        here.crash("portfolio")
        assert portfolio(here).paused == ("BTC",)
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


@pytest.fixture
def commands(here: Floor, tmp_path: Path) -> Iterator[CommandService]:
    made = make_commands(here.run, tmp_path, no_reload, {})
    made.panic_file.start()
    yield made
    made.panic_file.close()


class TestDesk:
    def test_a_panic_that_is_answered_late_is_one_panic(
        self, here: Floor, commands: CommandService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(command_service, "_CHANGE_S", 0.2)
        held, asked_again, go_on = threading.Event(), threading.Event(), threading.Event()

        def hold(name: str, _: object) -> None:
            if name == "portfolio" and not held.is_set():
                held.set()
                go_on.wait(PATIENCE_S)

        def panics() -> int:
            return sum(c.command == "panic" for _, c in read_journal(here.journal).commands)

        before, usual = panics(), here.run.system.probe
        sink = logger.add(lambda _: asked_again.set(), filter=lambda r: "again" in r["message"])
        here.run.system.probe = hold
        try:
            assert held.wait(PATIENCE_S)
            commands.panic_file.request("test")
            assert asked_again.wait(PATIENCE_S)
        finally:
            here.run.system.probe = usual
            go_on.set()
            logger.remove(sink)
        assert commands.panic_file.wait_taken(PATIENCE_S)

        here.wait(lambda: is_shown_flat(here), "the exchange has shown all to be flat")
        assert panics() == before + 1
        assert asked(here, CommandName.REARM).is_done

    def test_a_panic_by_chat_is_confirmed_by_its_button_and_stored_with_who(
        self, here: Floor, commands: CommandService
    ) -> None:
        handle = by_telegram(commands.answer_text)

        asked_back = handle("telegram/7", "/panic")
        assert [button.text for button in asked_back.buttons] == ["/panic"]
        assert portfolio(here).panic_since_ms is None
        # Somebody else's word confirms nothing.
        assert handle("telegram/8", "panic").buttons

        assert handle("telegram/7", "panic").text.startswith("panic: closing everything")
        here.wait(lambda: is_shown_flat(here), "the exchange has shown all to be flat")
        assert commands.answer_text("cli", "rearm").code is ReplyCode.CONFIRM
        assert commands.answer_text("cli", "rearm").code is ReplyCode.DONE

        stored = [
            (entry.what, entry.trace_id is not None)
            for entry in read_audit(here.journal)
            if entry.kind == "operator_command" and "telegram" in entry.what
        ]
        assert stored[0][0].startswith("telegram/7: panic -> NOT DONE: Really panic?")
        assert any(what.startswith("telegram/7: panic -> panic:") and t for what, t in stored)

    def test_every_question_is_answered(self, here: Floor, commands: CommandService) -> None:
        here.wait_for_trades(1)
        for name, manual in MANUALS.items():
            if manual.changes or name is CommandName.WHY:
                continue
            reply = commands.answer_text("cli", name)
            assert reply.code in {ReplyCode.DONE, ReplyCode.LATE}, reply
            assert reply.text
            assert json.dumps(dict(reply.data))

    def test_a_message_that_crashed_an_actor_is_dropped_and_that_is_stored_with_who(
        self, here: Floor, commands: CommandService
    ) -> None:
        broken: Any = ["no text"]
        poison = OrderRejected(
            asset="BTC", client_order_id=broken, purpose=Purpose.ENTRY, detail="poison"
        )
        envelope = here.run.system.address("asset/BTC").tell(poison, sender="test")
        wanted = here.run.system.id_text(envelope.message_id)

        def listed() -> list[str]:
            letters = commands.answer_text("cli", "deadletters").data["letters"]
            return [letter["id"] for letter in letters if letter["actor"] == "asset/BTC"]

        here.wait(lambda: wanted in listed(), "it is set aside")
        assert "TypeError" in commands.answer_text("cli", f"deadletters show {wanted}").text
        assert commands.answer_text("cli-ann", f"deadletters drop {wanted}").code is ReplyCode.DONE

        assert wanted not in listed()
        stored = [entry.what for entry in read_audit(here.journal)]
        assert f"cli-ann: drop {wanted} -> dropped: OrderRejected to asset/BTC" in stored

    def test_an_actor_shows_its_life_its_mailbox_and_its_state(
        self, here: Floor, commands: CommandService
    ) -> None:
        here.wait_for_trades(1)

        found = commands.answer_text("cli", "actors portfolio")
        known = portfolio(here)

        assert found.code is ReplyCode.DONE
        assert found.data["life"]["status"] == "RUNNING"
        assert found.data["life"]["waiting"]
        assert Decimal(found.data["state"]["capital"]) == known.capital or known.capital is None
        assert int(found.data["state"]["trades"]) <= known.trades
        assert json.dumps(dict(found.data))
        asset = commands.answer_text("cli", "actors asset/BTC").data["state"]
        assert asset["asset"] == "BTC"
        assert int(asset["closes_seen"]) > 0
        assert commands.answer_text("cli", "actors notifier").code is ReplyCode.DONE
        assert commands.answer_text("cli", "actors nobody").code is ReplyCode.REFUSED

    def test_why_of_an_asset_names_each_condition_of_its_newest_close(
        self, here: Floor, commands: CommandService
    ) -> None:
        here.wait_for_trades(1)

        reply = commands.answer_text("cli", "why btc")
        screen = Screen(file=io.StringIO(), width=400)
        steered = SteeredRun(run=here.run, commands=commands, journal=here.journal, events=())
        screen.print(Picture(steered.scene(Panel.ASSETS)))

        assert reply.code is ReplyCode.DONE, reply
        assert reply.title.startswith("BTC, close of 20")
        assert sum(line.startswith(("yes ", "NO  ")) for line in reply.lines) >= 11
        assert json.dumps(dict(reply.data))
        shown = screen.file.getvalue()
        assert len(re.findall(r"no entry: .*, needs|asks to enter|stays open|exit: ", shown)) == 3

    def test_a_trades_time_leaves_room_for_the_rest_of_its_row(
        self, here: Floor, commands: CommandService
    ) -> None:
        here.wait_for_trades(1)

        table = commands.answer_text("cli", "trades").table

        assert table is not None
        assert {len(row[0]) for row in table.rows} == {len("11-26 03:41")}

    def test_the_limits_of_each_asset_have_their_present_figure(
        self, here: Floor, commands: CommandService
    ) -> None:
        here.wait_for_trades(1)

        found = commands.answer_text("cli", "risk").data

        traded = {trade["asset"] for trade in commands.answer_text("cli", "trades").data["trades"]}
        assert any(found[f"{asset} trades today"]["now"] != "0" for asset in traded)
        assert found["entries at a close"]["now"].isdigit()
        for name in ("newest signal", "newest close", "losses in a row"):
            assert found[f"BTC {name}"]["now"][0].isdigit()
        assert all(figure["now"] and figure["limit"] for figure in found.values())
