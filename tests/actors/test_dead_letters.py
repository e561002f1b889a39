"""Messages that were set aside: who may come back, and what that changes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace

import pytest

from actors.core.actor import Incarnation, SupervisedActor
from actors.core.messages import Message
from actors.core.supervisor import ChildSpec, RestartPolicy, Supervisor
from actors.core.system import ActorSystem
from actors.core.trace import Record
from actors.messages import (
    CandleClosed,
    ClosePosition,
    CoordinationEnded,
    Describe,
    EntryApproved,
    FeedConnected,
    MalfunctionEnded,
    OpenPosition,
    OperatorAsked,
    OrderRejected,
    PositionChanged,
    ReconcileMatch,
    RiskRaised,
)
from actors.operator.actor_view import actor_view
from actors.operator.dead_letters import _FACTS, _NEWS, _SEEN, DeadLetters
from actors.runtime import Runtime
from domain.market.instruments import MINUTE_MS
from domain.operator.commands import Command, CommandName, parse
from domain.operator.replies import Reply, ReplyCode
from domain.trading.orders import ExitReason, Purpose
from infra.store.trace_ids import first_id, id_text
from tests.core.helpers import PATIENCE_S, POLICY
from tests.domain.builders import candle

NOW_MS = 1_764_374_400_000
ASSET = "asset/BTC"
REJECTED = OrderRejected(
    asset="BTC", client_order_id="BTC-1-entry-1", purpose=Purpose.ENTRY, detail="secret-token"
)
CANDLE = CandleClosed(candle=candle(NOW_MS, 1.5, MINUTE_MS, open=1.0, high=2.0, low=0.5))


@dataclass
class World:
    """What the actor does, and what it has handled."""

    crashes: bool = True
    handled: list[Message] = field(default_factory=list)
    newest_ms: int = 0


class Fragile(SupervisedActor):
    def __init__(self, incarnation: Incarnation, world: World) -> None:
        super().__init__(incarnation)
        self._world = world

    def handle(self, message: Message) -> object:
        if isinstance(message, Describe):
            return SimpleNamespace(report=SimpleNamespace(t_ms=self._world.newest_ms))
        if self._world.crashes:
            raise ValueError("poison with secret-token")
        self._world.handled.append(message)
        return None


class House:
    """One actor, supervised, and what answers the commands about its dead letters."""

    def __init__(self, record: Record | None = None, session: int = 0) -> None:
        self.now_ms = NOW_MS
        self.world = World()
        clock = SimpleNamespace(now_ms=lambda: self.now_ms)
        self.system = ActorSystem(
            clock.now_ms,
            record=record,
            first_id=first_id(session),
            id_text=id_text,
            hide=lambda text: text.replace("secret-token", "***"),
        )
        self.supervisor = Supervisor(self.system, RestartPolicy(**POLICY), Random(0))
        spec = ChildSpec(address=ASSET, actor=Fragile, arguments={"world": self.world})
        self.supervisor.start([spec])
        rules = SimpleNamespace(assets=())
        self.runtime = Runtime(
            rules=rules, info=None, clock=clock, system=self.system, supervisor=self.supervisor
        )
        self.dead_letters = DeadLetters(self.runtime)
        self.letters = self.dead_letters.handlers()

    def set_aside(self, message: Message) -> str:
        """Let a message crash the actor, and return its id once the next incarnation is ready."""
        self.world.crashes = True
        envelope = self.system.address(ASSET).tell(message, sender="exchange/BTC")
        self.wait()
        self.world.crashes = False
        return id_text(envelope.message_id)

    def wait(self) -> None:
        assert self.system.work.wait_quiet(PATIENCE_S)

    def ask(self, text: str) -> Reply:
        command: Command = parse(text)
        return self.letters[command.name](command.argument)


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    made.wait()
    yield made
    made.supervisor.stop(PATIENCE_S)


def test_what_crashed_an_actor_is_listed_with_its_cause_and_shown_without_secrets(
    house: House,
) -> None:
    wanted = house.set_aside(REJECTED)

    (row,) = house.ask("deadletters").table.rows
    shown = house.ask(f"deadletters show {wanted}")

    assert row[0] == wanted
    assert row[2:4] == (ASSET, "OrderRejected")
    assert "poison with ***" in row[4]
    assert row[5] == "dropped, redelivered"
    assert any("BTC-1-entry-1" in line for line in shown.lines)
    assert "secret-token" not in shown.text


def test_a_message_is_redelivered_once_and_gone(house: House) -> None:
    wanted = house.set_aside(REJECTED)

    first = house.ask(f"redeliver {wanted}")
    second = house.ask(f"redeliver {wanted}")

    assert first.code is ReplyCode.DONE
    assert first.title == f"redelivered and handled: OrderRejected to {ASSET}"
    assert second.code is ReplyCode.REFUSED
    assert house.world.handled == [REJECTED]
    assert house.ask("deadletters").title == "No message is set aside"


def test_one_that_crashes_again_is_set_aside_again(house: House) -> None:
    wanted = house.set_aside(REJECTED)
    house.world.crashes = True

    reply = house.ask(f"deadletters redeliver {wanted}")
    house.wait()

    assert reply.code is ReplyCode.REFUSED
    assert reply.title.startswith("set aside again: OrderRejected")
    (letter,) = house.ask("deadletters").data["letters"]
    assert letter["id"] != wanted
    assert letter["message"] == "OrderRejected"


def test_what_is_dropped_is_gone_and_was_handled_by_nobody(house: House) -> None:
    wanted = house.set_aside(REJECTED)

    dropped = house.ask(f"deadletters drop {wanted}")

    assert dropped.code is ReplyCode.DONE
    assert house.ask("deadletters").title == "No message is set aside"
    assert house.ask(f"drop {wanted}").code is ReplyCode.REFUSED
    assert house.world.handled == []


@pytest.mark.parametrize(
    "message",
    [
        OperatorAsked(command=Command(name=CommandName.RESUME, argument="all"), operator="cli"),
        OpenPosition(approval=None),
        EntryApproved(approval=None),
        ClosePosition(asset="BTC", t_ms=NOW_MS, purpose=Purpose.EXIT, reason=ExitReason.REGIME),
        CoordinationEnded(t_ms=NOW_MS),
        ReconcileMatch(asset="BTC"),
        MalfunctionEnded(source="journal"),
        FeedConnected(),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_could_act_on_todays_position_can_only_be_dropped(
    house: House, message: Message
) -> None:
    wanted = house.set_aside(message)

    reply = house.ask(f"redeliver {wanted}")

    assert reply.code is ReplyCode.REFUSED
    assert "can only be dropped" in reply.title
    assert house.world.handled == []
    assert house.ask(f"drop {wanted}").code is ReplyCode.DONE


def test_every_message_that_may_come_back_is_an_event() -> None:
    assert all(kind.__doc__.startswith("Event, ") for kind in (*_FACTS, *_SEEN, *_NEWS))


def test_a_stored_fact_is_already_applied_by_the_next_life(house: House) -> None:
    wanted = house.set_aside(PositionChanged(fact_id=7, execution=None))
    house.now_ms += 24 * 60 * MINUTE_MS

    reply = house.ask(f"redeliver {wanted}")

    assert (reply.code, reply.title) == (
        ReplyCode.DONE,
        f"already applied: PositionChanged to {ASSET}",
    )
    assert house.world.handled == []


@pytest.mark.parametrize("newest_ms", [NOW_MS - MINUTE_MS, NOW_MS, NOW_MS + MINUTE_MS])
def test_a_candle_is_redelivered_only_where_its_close_is_not_known(
    house: House, newest_ms: int
) -> None:
    wanted = house.set_aside(CANDLE)
    house.world.newest_ms = newest_ms
    if newest_ms > NOW_MS:
        house.now_ms += 60 * MINUTE_MS  # what is known is known, however old

    reply = house.ask(f"redeliver {wanted}")

    is_known = newest_ms >= CANDLE.candle.close_time_ms
    assert reply.title.startswith("already applied" if is_known else "redelivered and handled")
    assert house.world.handled == ([] if is_known else [CANDLE])


def test_what_is_old_can_only_be_dropped(house: House) -> None:
    risk = RiskRaised(key="a", asset=None, what="b", figures="", effect="", advice="")
    wanted = house.set_aside(risk)
    house.now_ms += 16 * MINUTE_MS

    reply = house.ask(f"redeliver {wanted}")

    assert reply.code is ReplyCode.REFUSED
    assert "older than 15 minutes" in reply.title
    assert house.world.handled == []


def test_a_message_for_an_actor_that_was_given_up_waits_until_it_is_restarted(
    house: House,
) -> None:
    house.supervisor.give_up(ASSET, "test")
    house.world.crashes = False
    envelope = house.system.address(ASSET).tell(REJECTED, sender="exchange/BTC")
    wanted = id_text(envelope.message_id)

    before = house.ask(f"redeliver {wanted}")
    house.supervisor.restart(ASSET, PATIENCE_S)
    after = house.ask(f"redeliver {wanted}")

    assert before.code is ReplyCode.REFUSED
    assert "restart it first" in before.title
    assert after.code is ReplyCode.DONE
    assert house.world.handled == [REJECTED]


def test_an_unknown_id_is_said_to_be_unknown(house: House) -> None:
    for text in ("deadletters 99", "deadletters show 99", "drop 99", "redeliver 99"):
        assert house.ask(text).code is ReplyCode.REFUSED
        assert "no message 99 is set aside" in house.ask(text).title


def test_what_waits_for_an_actor_is_seen_and_goes_on_waiting(house: House) -> None:
    house.supervisor.stop(PATIENCE_S)
    for _ in range(2):
        house.system.address(ASSET).tell(REJECTED, sender="test")
    house.system.address(ASSET).tell(CANDLE, sender="test")

    reply = actor_view(house.runtime, ASSET)

    assert reply.data["life"]["waiting"] == "2 OrderRejected, 1 CandleClosed"
    assert reply.data["life"]["status"] == "STOPPED"
    assert house.system.address(ASSET).mailbox.depth == 3
