"""The pending queries to the exchange, and whether anything is in doubt until they are answered.

Queries are grouped into rounds, one query per message, so that no round looks like a hang: a part
that is in doubt begins a round; `reconciliation/` sends the queries and ends the round.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from loguru import logger

from actors.core.actor import SupervisedActor
from actors.messages import ContinueReconcile, Reconcile
from actors.ports import Clock, Timer
from domain.errors import AccessDeniedError, BadDataError, UnavailableError
from domain.trading.sizing import ProtectiveLevels

NO_ANSWER = (UnavailableError, AccessDeniedError, BadDataError)
"""Errors after which a query to the exchange must be repeated."""


class Ask(Enum):
    """Queries about the asset as a whole."""

    STOPS = auto()
    """Whether the stops are where they should be."""
    EXECUTIONS = auto()
    """Executions, and then each order that they do not complete."""
    LISTED = auto()
    """Executions only."""
    RESTING = auto()
    """Resting orders, whoever sent them."""
    POSITION = auto()
    """The position and its stops: the last query of a round, which makes STOPS unnecessary."""
    MOVE_STOP = auto()
    """Move the trailing stop to its current level."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """A query for the outcome of an order."""

    client_order_id: str


@dataclass(frozen=True, slots=True)
class SetStops:
    """Set both stops to where they belonged when found missing."""

    levels: ProtectiveLevels


@dataclass(frozen=True, slots=True)
class Begin:
    """A round that has not sent any query yet."""

    number: int
    is_routine: bool
    """Whether nothing is in doubt, so that rare changes need not be queried each time."""


Question = Ask | LookUp | SetStops | Begin


class Agenda:
    """The pending queries, and whether the exchange has answered all since the last doubt."""

    def __init__(
        self,
        actor: SupervisedActor,
        asset: str,
        clock: Clock,
        *,
        ask_again_ms: int,
        reconcile_ms: int | None,
    ) -> None:
        """Start unreconciled.

        Args:
            actor: that receives the queries as messages.
            asset: of the execution.
            clock: for the next round.
            ask_again_ms: pause before an unanswered query to the exchange is repeated.
            reconcile_ms: interval of routine reconciliation; None: never.
        """
        self.is_certain = False
        """Whether nothing is in doubt, and everything to be set is set."""
        self.is_answered = False
        """Whether the exchange has answered every query since the last doubt."""
        self.is_urgent = False
        """Whether rounds follow quickly, as in a panic, not after a whole period."""
        self.has_doubted = False
        """Whether the current round has found something wrong."""
        self.is_called = False
        """Whether a message for the next query is in transit to the actor."""
        self._actor = actor
        self._asset = asset
        self._clock = clock
        self._ask_again_ms = ask_again_ms
        self._reconcile_ms = reconcile_ms
        self._waiting: deque[Question] = deque()
        self._has_failed = False
        """Whether something could not be set in the newest round, whatever the answers."""
        self._is_whole = False
        """Whether the current round queries everything: only then the next waits a whole period."""
        self._is_to_repeat = False
        """Whether another round follows, as something came up during the current one."""
        self._number = 0
        self._timer: Timer | None = None

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def begin(self, *, is_routine: bool = False) -> None:
        """Begin a round, or schedule another one after the current round."""
        if self._waiting:
            # A stream of updates must not keep the current round from ending.
            self._is_to_repeat = True
            return
        self._number += 1
        self.has_doubted, self._has_failed = False, False
        self._is_whole, self._is_to_repeat = True, False
        self._waiting.append(Begin(self._number, is_routine))
        self.call_for_next()

    def ask(self, question: Ask) -> None:
        """Add a query, unless the current round contains it anyway."""
        will_ask = any(q is Ask.POSITION or isinstance(q, Begin) for q in self._waiting)
        if not will_ask:
            self._waiting.append(question)
        self.call_for_next()

    def ask_first(self, *questions: Question) -> None:
        """Add a query before all others of the current round."""
        self._waiting.extendleft(reversed(questions))

    def doubt(self, why: str) -> None:
        """Open nothing, and repeat the queries later."""
        self.is_answered = False
        self.has_doubted = True
        self._warn(why)

    def fail(self, why: str) -> None:
        """Open nothing, and retry later; answers so far are valid, so closes go on."""
        self._has_failed = True
        self._warn(why)

    def ask_again(self, doublings: int = 0) -> int:
        """Begin a round after a pause that grows with the attempts.

        It does not grow while something could not be set: that is retried soon.

        Returns:
            When the grown pause ends, ms.
        """
        pause_ms = self._ask_again_ms << doublings
        self._ask_again_in(self._ask_again_ms if self._has_failed else pause_ms)
        return self._actor.now_ms + pause_ms

    def slow_down(self) -> None:
        """Wait for a whole period: for what repeated queries do not change."""
        self._ask_again_in(max(self._ask_again_ms, self._reconcile_ms or 0))

    def take(self) -> Question | None:
        """Take the next query; None if none is pending."""
        return self._waiting.popleft() if self._waiting else None

    def take_all(self) -> list[Question]:
        """Take all pending queries."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def call_for_next(self) -> None:
        """Send the actor a message for the next query."""
        if self._waiting and not self.is_called:
            self.is_called = True
            self._actor.tell(self._actor.name, ContinueReconcile())

    def drop(self, why: str) -> None:
        """End the round, as nothing answers."""
        self._waiting.clear()
        self._has_failed = False  # nothing can be set, so the pauses may grow
        self.doubt(why)

    def put_off(self, why: str) -> None:
        """Reduce this round to the look-ups of the other orders.

        Proving an order absent takes several look-ups over some seconds, so that one after another
        would take minutes.
        """
        self._waiting = deque(q for q in self._waiting if isinstance(q, LookUp))
        self.doubt(why)

    def end_round(self) -> bool:
        """Note that everything is answered, and tell whether nothing is left in doubt."""
        if self._is_to_repeat:
            self.begin()
            return False
        if self.has_doubted:
            return False
        self.is_answered, self.is_certain = True, not self._has_failed
        return True

    def take_whole(self) -> bool:
        """Tell whether the finished round queried everything."""
        is_whole, self._is_whole = self._is_whole, False
        return is_whole

    def rest(self) -> None:
        """Schedule the next round after a whole period, unless something is left to be done."""
        if self._reconcile_ms is not None and self.is_certain and not self.is_urgent:
            self._ask_again_in(self._reconcile_ms, is_routine=True)

    def close(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _warn(self, why: str) -> None:
        logger.bind(actor=self._actor.name, asset=self._asset).warning(
            "{}: {}", self._actor.name, why
        )
        self.is_certain = False
        self.ask_again()

    def _ask_again_in(self, pause_ms: int, *, is_routine: bool = False) -> None:
        self.close()
        question = Reconcile(is_routine=is_routine)
        # A pending doubt must not be replaced by a routine query.
        latest = "routine" if is_routine else "ask"
        self._timer = self._clock.call_at(
            self._actor.now_ms + pause_ms,
            lambda: self._actor.hand_in(question, sender="clock", latest=latest),
        )
