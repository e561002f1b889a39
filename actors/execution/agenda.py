"""What the exchange is still to be asked, and whether anything is in doubt until then.

Questions come in rounds, one a message, so that no round looks like a hang: a part that cannot
know begins a round, or doubts; `reconciliation/` puts the questions and ends the round.
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
"""A question to the exchange that has to be asked again."""


class Ask(Enum):
    """What is asked of the asset as a whole."""

    STOPS = auto()
    """Whether they stand where they belong."""
    EXECUTIONS = auto()
    """What has happened, and then what became of each order that it does not end."""
    LISTED = auto()
    """What has happened, alone."""
    RESTING = auto()
    """Which orders rest, whoever sent them."""
    POSITION = auto()
    """What is held, and its stops: the last question of a round, which makes STOPS needless."""
    MOVE_STOP = auto()
    """To take the trailing stop where it belongs by now."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """What became of an order."""

    client_order_id: str


@dataclass(frozen=True, slots=True)
class SetStops:
    """To take both stops where they belonged when that was found missing."""

    levels: ProtectiveLevels


@dataclass(frozen=True, slots=True)
class Begin:
    """A round that has not asked anything yet."""

    number: int
    is_routine: bool
    """Nothing is in doubt, so what seldom changes need not be asked each time."""


Question = Ask | LookUp | SetStops | Begin


class Agenda:
    """The questions that wait, and whether the exchange has answered all since the last doubt."""

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
            actor: whom the questions come back to as messages.
            asset: whose execution it is.
            clock: for the next round.
            ask_again_ms: pause before the exchange is asked again what it did not answer.
            reconcile_ms: how often it is asked what is true, come what may; None: never.
        """
        self.is_certain = False
        """Nothing is in doubt, and all that was to be set is set."""
        self.is_answered = False
        """The exchange has answered every question since the last doubt."""
        self.is_urgent = False
        """In a panic no round waits for a whole period."""
        self.has_doubted = False
        """The round under way has found something that is not as it should be."""
        self.is_called = False
        """A message to the actor is on its way that puts the next question."""
        self._actor = actor
        self._asset = asset
        self._clock = clock
        self._ask_again_ms = ask_again_ms
        self._reconcile_ms = reconcile_ms
        self._waiting: deque[Question] = deque()
        self._has_failed = False
        """In the newest round something could not be set, whatever the exchange has answered."""
        self._is_whole = False
        """The round under way asks everything: only then the next may wait a whole period."""
        self._is_to_repeat = False
        """Something came up during the round under way: another one follows it."""
        self._number = 0
        self._timer: Timer | None = None

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def begin(self, *, is_routine: bool = False) -> None:
        """Begin a round, or have another one follow the round under way."""
        if self._waiting:
            # News that keep coming must not keep the round under way from its end.
            self._is_to_repeat = True
            return
        self._number += 1
        self.has_doubted, self._has_failed = False, False
        self._is_whole, self._is_to_repeat = True, False
        self._waiting.append(Begin(self._number, is_routine))
        self.call_for_next()

    def ask(self, question: Ask) -> None:
        """Ask something more, unless the round under way will ask it anyway."""
        will_ask = any(q is Ask.POSITION or isinstance(q, Begin) for q in self._waiting)
        if not will_ask:
            self._waiting.append(question)
        self.call_for_next()

    def ask_first(self, *questions: Question) -> None:
        """Ask something before all that waits in the round under way."""
        self._waiting.extendleft(reversed(questions))

    def doubt(self, why: str) -> None:
        """Open nothing, and ask again in a while."""
        self.is_answered = False
        self.has_doubted = True
        self._warn(why)

    def fail(self, why: str) -> None:
        """Open nothing, and try again in a while; what was answered holds, so closes go on."""
        self._has_failed = True
        self._warn(why)

    def ask_again(self, doublings: int = 0) -> int:
        """Begin a round after a pause that grows with the attempts.

        It does not grow while something could not be set: that is tried again soon.

        Returns:
            When the grown pause ends, ms.
        """
        pause_ms = self._ask_again_ms << doublings
        self._ask_again_in(self._ask_again_ms if self._has_failed else pause_ms)
        return self._actor.now_ms + pause_ms

    def slow_down(self) -> None:
        """Ask again only after a whole period: what quick questions do not change."""
        self._ask_again_in(max(self._ask_again_ms, self._reconcile_ms or 0))

    def take(self) -> Question | None:
        """Take the next question; None where none waits."""
        return self._waiting.popleft() if self._waiting else None

    def take_all(self) -> list[Question]:
        """Take all questions that wait."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def call_for_next(self) -> None:
        """Have the next question put by a message to the actor."""
        if self._waiting and not self.is_called:
            self.is_called = True
            self._actor.tell(self._actor.name, ContinueReconcile())

    def drop(self, why: str) -> None:
        """End the round where nobody answers."""
        self._waiting.clear()
        self._has_failed = False  # nothing can be set: the pauses may grow
        self.doubt(why)

    def put_off(self, why: str) -> None:
        """Ask of this round only what became of the other orders.

        Each of them takes several looks over some seconds to be proven absent, so that one after
        the other would take minutes.
        """
        self._waiting = deque(q for q in self._waiting if isinstance(q, LookUp))
        self.doubt(why)

    def end_round(self) -> bool:
        """Take note that all is answered, and tell whether nothing is left in doubt."""
        if self._is_to_repeat:
            self.begin()
            return False
        if self.has_doubted:
            return False
        self.is_answered, self.is_certain = True, not self._has_failed
        return True

    def take_whole(self) -> bool:
        """Tell whether the round that has ended asked everything."""
        is_whole, self._is_whole = self._is_whole, False
        return is_whole

    def rest(self) -> None:
        """Begin the next round after a whole period, unless something is left to be done."""
        if self._reconcile_ms is not None and self.is_certain and not self.is_urgent:
            self._ask_again_in(self._reconcile_ms, is_routine=True)

    def close(self) -> None:
        """Let go of the timer."""
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
        # A doubt that waits must not be replaced by a routine question.
        latest = "routine" if is_routine else "ask"
        self._timer = self._clock.call_at(
            self._actor.now_ms + pause_ms,
            lambda: self._actor.hand_in(question, sender="clock", latest=latest),
        )
