"""Pairs join and leave while the others are traded on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest

from actors.core.system import Moment
from actors.names import NOTIFIER, PORTFOLIO
from domain.backtesting.parity import Difference
from domain.errors import ConfigError
from domain.operator.pairs import PairAction, PairChange
from domain.operator.replies import Reply, ReplyCode
from infra.operator.parity.day import parity_of
from infra.operator.reload import Reload
from infra.run.delisted import delisted
from infra.run.pairs.command import Pairs
from infra.settings import SettingsSource
from infra.store.pairs import stored_changes
from infra.store.reader import FactReader
from infra.store.settings_record import SettingsRecord
from infra.venues.bybit.starting import ask_once
from infra.venues.simulator.prices.listed import others_than
from tests.system.floor import SPEED, Floor, floor, venue_of

Found = TypeVar("Found")
OTHERS = [each for each in others_than(()) if each.symbol in {"AVAXUSDT", "ADAUSDT"}]


class Trading:
    """A running system that takes the command `pairs`."""

    def __init__(self, here: Floor) -> None:
        self.here = here
        self.source = SettingsSource(here.folder / "settings.yaml", environ={}, dotenv=None)
        self.pairs = self._pairs([], {})

    def _pairs(self, changes: list[PairChange], gone: dict[str, str]) -> Pairs:
        here, journals = self.here, self.here.run.ports.journals
        record = SettingsRecord(journals)
        record.note(here.settings, "test", 0, lambda: None)
        reload = Reload(here.settings, None, record, lambda _: None, here.run.clock.now_ms)
        return Pairs(
            here.run,
            here.connection,
            journals,
            reload,
            changes,
            self.source,
            speed=SPEED,
            delisted=gone,
        )

    def start_again(self) -> dict[str, str]:
        """Start as the next process would, and return what the exchange offers no more."""
        here, changes = self.here, stored_changes(self.here.journal)
        here.settings = self.source.settings(pairs=changes)
        gone = delisted(venue_of(here.sim), changes, ask_once, sleep=lambda _: None)
        here.restart(lambda: None, delisted=gone)
        self.pairs = self._pairs(changes, gone)
        return gone

    def pair(self, text: str) -> Reply:
        return self.pairs("test", text, None)

    def refusal(self, text: str) -> str:
        """Return why a command is refused."""
        try:
            reply = self.pair(text)
        except ConfigError as error:
            return str(error)
        assert reply.code is ReplyCode.REFUSED, reply
        return reply.title

    def assets(self) -> list[str]:
        return [rules.asset for rules in self.here.run.rules.assets]

    def lives(self) -> dict[str, int]:
        children = self.here.run.supervisor.children()
        return {child.spec.address: child.generation for child in children}

    def facts(self, read: Callable[[FactReader], list[Found]]) -> list[Found]:
        reader = FactReader(self.here.journal)
        try:
            return read(reader)
        finally:
            reader.close()

    def closes(self, asset: str) -> list[int]:
        return self.facts(
            lambda facts: [c.open_time_ms for _, name, c in facts.candles() if name == asset]
        )


@contextmanager
def trading(folder: Path) -> Iterator[Trading]:
    with floor(folder, others=OTHERS) as here:
        made = Trading(here)
        with made.pairs:
            yield made


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Trading]:
    with trading(tmp_path / "var") as found:
        yield found


def dies_after_its_fact(here: Floor) -> list[str]:
    """Let the portfolio crash once, right after it has stored that a pair joins."""
    crashes: list[str] = []

    def probe(name: str, moment: Moment) -> None:
        if (name, moment) == (PORTFOLIO, Moment.AFTER_FACTS) and stored_changes(here.journal):
            here.run.system.probe = usual
            crashes.append(name)
            raise RuntimeError("after the fact")

    usual, here.run.system.probe = here.run.system.probe, probe
    return crashes


def unexplained(journal: Path) -> list[Difference]:
    """Return what a run has done otherwise than the rules decide it, without a cause."""
    found = parity_of(journal, None, None)
    assert found.alike > 0
    return [each for each in found.differences if each.cause == "unexplained"]


def test_a_pair_joins_while_the_others_live_on_and_miss_no_candle(made: Trading) -> None:
    here = made.here
    here.wait_for_trades(1)
    before = made.lives()
    crashes = dies_after_its_fact(here)

    reply = made.pair("add AVAX --like SOL")

    assert reply.code is ReplyCode.DONE, reply
    assert crashes == [PORTFOLIO]
    after, renewed = made.lives(), {PORTFOLIO, NOTIFIER}
    assert {name for name in before if after[name] != before[name]} <= renewed
    assert after.keys() - before.keys() == {"asset/AVAX", "execution/AVAX"}
    here.rules = here.run.rules
    assert here.rules.approval.max_positions == 4  # as many as pairs
    here.wait(lambda: here.executions(symbol="AVAXUSDT"), "a fill in AVAX")
    approvals = made.facts(lambda facts: [a for _, a in facts.approvals() if a.asset == "AVAX"])
    assert min(approval.t_ms for approval in approvals) >= reply.data["from_ms"]
    here.wait_until_agreed()
    assert here.broken_promises() == []
    candle_ms = here.rules.candles.candle_ms
    for asset in ("BTC", "ETH", "SOL"):
        closes = made.closes(asset)
        assert closes == list(range(closes[0], closes[-1] + 1, candle_ms))
    # Decided once more, each close has the pairs that took part in it.
    assert unexplained(here.journal) == []


def test_a_pair_leaves_once_it_is_flat_and_what_it_earned_stays_in_the_books(
    made: Trading,
) -> None:
    here = made.here
    held: dict[str, Decimal] = {}
    here.wait(lambda: held.update(here.held()) or held, "a position")
    asset = next(iter(held)).removesuffix("USDT")
    others, before = [each for each in made.assets() if each != asset], made.lives()
    # One that is to leave can stay after all.
    assert made.pair(f"remove {asset}").code is ReplyCode.DONE
    assert here.run.portfolio_snapshot().paused == (asset,)
    assert made.pair(f"add {asset}").code is ReplyCode.DONE
    assert here.run.portfolio_snapshot().paused == ()
    assert made.pair("list").data["leaving"] == []

    removed = made.pair(f"remove {asset}")

    assert removed.code is ReplyCode.DONE, removed
    asked_ms = here.run.clock.now_ms()
    assert asset in made.assets()
    here.wait(lambda: asset not in made.assets(), "it has left")
    here.wait(lambda: made.lives()[NOTIFIER] > before[NOTIFIER], "its actors have ended")
    assert f"{asset}USDT" not in here.held()
    after = made.lives()
    assert before.keys() - after.keys() == {f"asset/{asset}", f"execution/{asset}"}
    assert {name for name in after if after[name] != before[name]} == {PORTFOLIO, NOTIFIER}
    approvals = made.facts(lambda facts: [a for _, a in facts.approvals() if a.asset == asset])
    assert max(approval.t_ms for approval in approvals) <= asked_ms
    here.wait_until_agreed()
    assert here.broken_promises() == []
    # A later process knows what it has earned, and that it has left.
    here.settings = made.source.settings(pairs=stored_changes(here.journal))
    here.restart(lambda: None)
    assert made.assets() == others
    here.wait_for_trades(1)
    here.wait_until_agreed()
    assert here.run.portfolio_snapshot().malfunctions == {}


def test_what_cannot_join_changes_nothing_and_the_last_pair_stays(made: Trading) -> None:
    here, before = made.here, made.lives()
    here.position(symbol="ADAUSDT", action="open", qty="10", side="Buy")
    refused = [
        ("add ADAUSDT", "ADAUSDT has a position of 10 at the exchange; close it first"),
        ("add BTC", "BTC is traded already"),
        ("add NONE", "NONEUSDT is not added: "),
        ("add AVAX --like XRP", "XRPUSDT is not traded; expected BTCUSDT, ETHUSDT, SOLUSDT"),
        ("remove AVAX", "AVAX is not traded; expected one of BTC, ETH, SOL"),
    ]

    found = [made.refusal(text) for text, _ in refused]
    here.fault(kind="ret_code", code=10001, path="/v5/market/kline", times=50)
    found.append(made.refusal("add AVAX"))
    here.heal()

    for text, (_, expected) in zip(found, [*refused, ("", "AVAXUSDT is not added: ")], strict=True):
        assert text.startswith(expected), text
    assert (made.lives(), made.assets()) == (before, ["BTC", "ETH", "SOL"])
    assert sorted(here.connection.market.symbols) == ["BTC", "ETH", "SOL"]
    assert stored_changes(here.journal) == []
    assert made.pair("remove BTC").code is ReplyCode.DONE
    assert made.pair("remove ETH").code is ReplyCode.DONE
    assert made.refusal("remove SOL") == "SOL is the last pair; add another first"


def test_an_added_pair_that_was_delisted_does_not_keep_the_others_from_a_start(
    made: Trading,
) -> None:
    here = made.here
    assert made.pair("add AVAX --like SOL").code is ReplyCode.DONE
    here.rules = here.run.rules
    here.wait(lambda: "AVAXUSDT" in here.held(), "a position in AVAX")
    here.fault(kind="delisted", symbol="AVAXUSDT")

    gone = made.start_again()

    assert list(gone) == ["AVAXUSDT"]
    assert "does not list AVAXUSDT" in gone["AVAXUSDT"]
    held = here.held().get("AVAXUSDT")
    with made.pairs:
        # What is open is managed on, until the exchange itself has ended it.
        here.wait(lambda: made.pair("list").data["leaving"] == ["AVAX"], "it is to leave")
        assert here.run.portfolio_snapshot().paused == ("AVAX",)
        here.wait_for_trades(1)
        if held and "AVAXUSDT" in here.held():
            here.position(symbol="AVAXUSDT", action="close")
        here.wait(lambda: made.assets() == ["BTC", "ETH", "SOL"], "it has left")
        assert "AVAXUSDT" not in here.held()
        here.wait_until_agreed()
        assert here.broken_promises() == []
    (last,) = [each for each in stored_changes(here.journal) if each.action is PairAction.LEAVE]
    assert last.symbol == "AVAXUSDT"
    # It is gone for good: the next start has nothing more to say of it.
    assert delisted(venue_of(here.sim), stored_changes(here.journal), ask_once) == {}
