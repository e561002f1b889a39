"""Messages that were set aside: listed, dropped, or redelivered to their actor.

A message is set aside if it crashed its actor, or if its address no longer answers. What could act
on today's position can only be dropped: commands, approvals, closes, timers, and reports that
something works again. So nothing with a protection epoch or an approval is redelivered. What may be
redelivered passes the checks that its actor makes of each message: a repeat changes nothing. Those
that crashed an actor survive the process, until they are dealt with.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from actors.core.envelope import Envelope
from actors.core.messages import Message
from actors.core.supervisor import ChildStatus
from actors.core.system import ActorCrashedError, DeadLetter, DeadLetterError
from actors.messages import (
    CandleClosed,
    ExecutionSeen,
    LossStreakReached,
    OrderRejected,
    OrderSeen,
    PositionChanged,
    PositionOpened,
    ProtectionFired,
    RebalanceAdvised,
    RegimeChanged,
    RiskRaised,
    SystemChanged,
    TradeClosed,
    TransferSeen,
)
from actors.operator.ports import Poison, PoisonStore
from actors.operator.tables import table_reply
from actors.runtime import Runtime
from domain.market.instruments import MINUTE_MS
from domain.operator import wording as say
from domain.operator.commands import CommandName
from domain.operator.replies import Reply, ReplyCode
from domain.text import plain

_FACTS = (PositionChanged, PositionOpened, TradeClosed, ProtectionFired)
"""Messages that announce a stored fact. Every incarnation reads all facts at its start."""
_SEEN = (CandleClosed, ExecutionSeen, OrderSeen, OrderRejected, TransferSeen)
"""Observations from outside, with an id or time of their own that identifies repeats."""
_NEWS = (LossStreakReached, RebalanceAdvised, RegimeChanged, RiskRaised, SystemChanged)
"""Messages that only lead to notifications."""
_YOUNG_MS = 15 * MINUTE_MS
"""Age limit: older ones describe a state that every actor has queried again since."""
_ANSWER_S = 10.0
_LONGEST = 400


class DeadLetters:
    """Executes the commands about messages set aside."""

    def __init__(self, runtime: Runtime) -> None:
        """Manage the messages of a run."""
        self._runtime = runtime
        self._kept: PoisonStore | None = None

    def recall(self, kept: PoisonStore) -> None:
        """Also take those of earlier processes, and remove them there once dealt with."""
        self._kept = kept
        kept.read_soon(self._take)

    def _take(self, poison: Poison) -> None:
        envelope = Envelope(
            message=poison.message,
            message_id=poison.message_id,
            parent_id=poison.parent_id,
            trace_id=poison.trace_id,
            sender=poison.sender,
            sender_generation=poison.sender_generation,
            receiver=poison.receiver,
            sent_ns=0,
        )
        cause = self._runtime.system.hide(poison.cause)
        letter = DeadLetter(envelope=envelope, cause=cause, ts_ms=poison.now_ms)
        self._runtime.system.dead_letters.append(letter)

    def _exhume(self, letter: DeadLetter) -> bool:
        if not self._runtime.system.exhume(letter):
            return False
        if self._kept is not None:
            self._kept.settle(letter.envelope.receiver, letter.envelope.message_id)
        return True

    def handlers(self) -> Mapping[CommandName, Callable[[str], Reply]]:
        """Return the handler of each command."""
        return {
            CommandName.DEADLETTERS: self._look,
            CommandName.DROP: self._drop,
            CommandName.REDELIVER: self._redeliver,
        }

    def _look(self, wanted: str) -> Reply:
        letters = sorted(self._runtime.system.dead_letters, key=lambda letter: letter.ts_ms)
        if wanted:
            letter = self._found(wanted)
            return _none(wanted) if letter is None else self._shown(letter)
        columns = ("id", "set aside", "actor", "message", "cause", "may be")
        rows = [self._row(letter) for letter in letters]
        data = {"letters": [self._data(letter) for letter in letters]}
        return table_reply("Messages set aside", columns, rows, data, "No message is set aside")

    def _drop(self, wanted: str) -> Reply:
        letter = self._found(wanted)
        if letter is None or not self._exhume(letter):
            return _none(wanted)
        return Reply(
            code=ReplyCode.DONE, title=f"dropped: {_what(letter)}", data=self._data(letter)
        )

    def _redeliver(self, wanted: str) -> Reply:
        letter = self._found(wanted)
        if letter is None:
            return _none(wanted)
        is_applied = self._is_applied(letter)
        why_not = self._why_nobody(letter) or ("" if is_applied else self._why_old(letter))
        if why_not:
            return Reply(code=ReplyCode.REFUSED, title=f"{_what(letter)} {why_not}")
        if not self._exhume(letter):
            return _none(wanted)
        if is_applied:
            title = f"already applied: {_what(letter)}"
            return Reply(code=ReplyCode.DONE, title=title, data=self._data(letter))
        return self._outcome(letter)

    def _outcome(self, letter: DeadLetter) -> Reply:
        """Redeliver a message to its actor, and wait for the outcome."""
        envelope, what = letter.envelope, _what(letter)
        address = self._runtime.system.address(envelope.receiver)
        asked: Future[Any] = address.question(
            envelope.message, sender="operator", origin=envelope.origin
        )
        try:
            asked.result(_ANSWER_S)
        except TimeoutError:
            return Reply(code=ReplyCode.LATE, title=f"redelivered, still waiting: {what}")
        except (ActorCrashedError, DeadLetterError) as error:
            title = f"set aside again: {what}: {plain(str(error))}"
            return Reply(code=ReplyCode.REFUSED, title=title)
        title = f"redelivered and handled: {what}"
        return Reply(code=ReplyCode.DONE, title=title, data=self._data(letter))

    def _why_not(self, letter: DeadLetter) -> str:
        """Return why a message may not be redelivered; empty if it may."""
        return self._why_nobody(letter) or self._why_old(letter)

    def _why_nobody(self, letter: DeadLetter) -> str:
        if not isinstance(letter.envelope.message, (*_FACTS, *_SEEN, *_NEWS)):
            return "can only be dropped: it could act on today's position"
        if not self._is_running(letter.envelope.receiver):
            return f"waits: {letter.envelope.receiver} is not running; restart it first"
        return ""

    def _why_old(self, letter: DeadLetter) -> str:
        # If the clock went back, the age is unknown.
        is_young = 0 <= self._runtime.clock.now_ms() - letter.ts_ms <= _YOUNG_MS
        if is_young or isinstance(letter.envelope.message, _FACTS):
            return ""
        return f"is older than {_YOUNG_MS // MINUTE_MS} minutes and can only be dropped"

    def _is_running(self, address: str) -> bool:
        return any(
            child.spec.address == address and child.status is ChildStatus.RUNNING
            for child in self._runtime.supervisor.children()
        )

    def _is_applied(self, letter: DeadLetter) -> bool:
        """Tell whether the current incarnation already knows what a message says.

        A fact is stored before it is announced, and the incarnation that the message crashed has
        ended: the current one has read it.
        """
        message = letter.envelope.message
        if isinstance(message, CandleClosed):
            asset = letter.envelope.receiver.partition("/")[2]
            seen = self._runtime.asset_snapshot(asset)
            newest = None if seen is None else seen.report
            return newest is not None and newest.t_ms >= message.candle.close_time_ms
        return isinstance(message, _FACTS)

    def _found(self, wanted: str) -> DeadLetter | None:
        letters = list(self._runtime.system.dead_letters)
        return next((letter for letter in letters if self._id(letter) == wanted), None)

    def _id(self, letter: DeadLetter) -> str:
        return self._runtime.system.id_text(letter.envelope.message_id)

    def _row(self, letter: DeadLetter) -> tuple[str, ...]:
        may_be = "dropped" if self._why_not(letter) else "dropped, redelivered"
        at = say.utc(letter.ts_ms)
        name = type(letter.envelope.message).__name__
        return (self._id(letter), at, letter.envelope.receiver, name, plain(letter.cause), may_be)

    def _data(self, letter: DeadLetter) -> dict[str, Any]:
        why_not = self._why_not(letter)
        return {
            "id": self._id(letter),
            "ts_ms": letter.ts_ms,
            "actor": letter.envelope.receiver,
            "sender": letter.envelope.sender,
            "message": type(letter.envelope.message).__name__,
            "cause": plain(letter.cause),
            "may_redeliver": not why_not,
            "why_not": why_not,
        }

    def _shown(self, letter: DeadLetter) -> Reply:
        envelope = letter.envelope
        lines = (
            f"From {envelope.sender} to {envelope.receiver}, set aside {say.utc(letter.ts_ms)}",
            f"Cause: {plain(letter.cause)}",
            f"Holds: {self._content(envelope.message)}",
            f"May be redelivered: {self._why_not(letter) or 'yes'}",
            f"Its crash, if it caused one: bin/trace crash {self._id(letter)}",
        )
        return Reply(
            code=ReplyCode.DONE,
            title=f"{type(envelope.message).__name__} {self._id(letter)}",
            lines=lines,
            data={**self._data(letter), "holds": self._content(envelope.message)},
        )

    def _content(self, message: Message) -> str:
        return plain(self._runtime.system.hide(repr(message)))[:_LONGEST]


def _what(letter: DeadLetter) -> str:
    return f"{type(letter.envelope.message).__name__} to {letter.envelope.receiver}"


def _none(wanted: str) -> Reply:
    title = f"no message {wanted} is set aside; deadletters lists those that are"
    return Reply(code=ReplyCode.REFUSED, title=title)
