"""Pairs join and leave while the others are traded on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from actors.names import NOTIFIER, PORTFOLIO
from bin.bootstrap.pairs import Pairs
from domain.operator.replies import Reply, ReplyCode
from infra.operator.reload import Reload
from infra.settings import SettingsSource
from infra.store.reader import FactReader
from infra.store.settings_record import SettingsRecord
from infra.venues.simulator.prices.listed import others_than
from tests.system.floor import SPEED, Floor, floor

Found = TypeVar("Found")
OTHERS = [each for each in others_than(()) if each.symbol in {"AVAXUSDT", "ADAUSDT"}]


class Trading:
    """A running system that takes the command `pairs`."""

    def __init__(self, here: Floor) -> None:
        self.here = here
        source = SettingsSource(here.folder / "settings.yaml", environ={}, dotenv=None)
        record = SettingsRecord(here.run.ports.journals)
        record.note(here.settings, "test", 0, lambda: None)
        reload = Reload(here.settings, None, record, lambda _: None, here.run.clock.now_ms)
        self.pairs = Pairs(here.run, here.connection, reload, [], source, speed=SPEED)

    def pair(self, text: str) -> Reply:
        return self.pairs("test", text, None)

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


def test_a_pair_joins_while_the_others_live_on_and_miss_no_candle(made: Trading) -> None:
    here = made.here
    here.wait_for_trades(1)
    before = made.lives()

    reply = made.pair("add AVAX")

    assert reply.code is ReplyCode.DONE, reply
    after, renewed = made.lives(), {PORTFOLIO, NOTIFIER}
    assert {name for name in before if after[name] != before[name]} <= renewed
    assert after.keys() - before.keys() == {"asset/AVAX", "execution/AVAX"}
    here.rules = here.run.rules
    here.wait(lambda: here.executions(symbol="AVAXUSDT"), "a fill in AVAX")
    approvals = made.facts(lambda facts: [a for _, a in facts.approvals() if a.asset == "AVAX"])
    assert min(approval.t_ms for approval in approvals) >= reply.data["from_ms"]
    here.wait_until_agreed()
    assert here.broken_promises() == []
    candle_ms = here.rules.candles.candle_ms
    for asset in ("BTC", "ETH", "SOL"):
        closes = made.closes(asset)
        assert closes == list(range(closes[0], closes[-1] + 1, candle_ms))
