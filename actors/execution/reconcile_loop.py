"""Rounds of questions to the exchange, until it has said what is true.

A round books what happened unseen, settles what is open, and sets the stops right. Its questions
are put one a message, so that no round looks like a hang, and asked again where nobody answers.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from loguru import logger

from actors.core.actor import SupervisedActor
from actors.execution.connectivity import VenueConnectivity
from actors.messages import ContinueReconcile, Reconcile
from actors.ports import Clock, Timer
from domain.errors import AccessDeniedError, BadDataError, UnavailableError

MOST_DOUBLINGS = 3
"""Of the pause between attempts to reach an exchange that does not answer, in a panic."""
NO_ANSWER = (UnavailableError, AccessDeniedError, BadDataError)
"""A question to the exchange that has to be asked again."""

Question = Callable[[], None]


class Plan(Protocol):
    """Who knows what a round asks."""

    def __call__(self, number: int, *, is_routine: bool) -> Sequence[Question]:
        """Return the questions of a round; the last one's answer makes all others needless."""


class ReconcileLoop:
    """The questions that wait, and whether the exchange has answered all since the last doubt."""

    def __init__(
        self,
        actor: SupervisedActor,
        asset: str,
        reach: VenueConnectivity,
        clock: Clock,
        *,
        plan: Plan,
        on_answered: Callable[[], None],
        on_settled: Callable[[], None],
        ask_again_ms: int,
        reconcile_ms: int | None,
    ) -> None:
        """Begin in doubt.

        Args:
            actor: whom the questions come back to as messages.
            asset: whose execution it is.
            reach: hears of answers and silences.
            clock: for the next round.
            plan: names the questions of a round.
            on_answered: called at the end of a round without a doubt of what is held.
            on_settled: called after it, where the round has asked everything.
            ask_again_ms: pause before the exchange is asked again what it did not answer.
            reconcile_ms: how often it is asked what is true, come what may; None: never.
        """
        self.is_certain = False
        """Nothing is in doubt, and all that was to be set is set."""
        self.is_answered = False
        """The exchange has answered every question since the last doubt."""
        self.is_urgent = False
        """In a panic no round waits for a whole period."""
        self._actor = actor
        self._asset = asset
        self._reach = reach
        self._clock = clock
        self._plan = plan
        self._on_answered = on_answered
        self._on_settled = on_settled
        self._ask_again_ms = ask_again_ms
        self._reconcile_ms = reconcile_ms
        self._agenda: deque[Question] = deque()
        self._last: Question | None = None
        """Of the newest round: its answer makes all others needless."""
        self._is_asked = False
        """A message to the actor is on its way that puts the next question."""
        self._has_doubted = False
        """The round under way has found something that is not as it should be."""
        self._has_failed = False
        """In the newest round something could not be set, whatever the exchange has answered."""
        self._is_whole = False
        """The round under way asks everything: only then the next may wait a whole period."""
        self._is_to_repeat = False
        """Something came up during the round under way: another one follows it."""
        self._number = 0
        self._timer: Timer | None = None

    def begin(self, *, is_routine: bool = False) -> None:
        """Begin a round, or have another one follow the round under way."""
        if self._agenda:
            # News that keep coming must not keep the round under way from its end.
            self._is_to_repeat = True
            return
        self._number += 1
        self._has_doubted, self._has_failed = False, False
        self._is_whole, self._is_to_repeat = True, False
        self._agenda.extend(self._plan(self._number, is_routine=is_routine))
        self._last = self._agenda[-1]
        self._go_on_asking()

    def finish(self) -> None:
        """Put all questions at once, where no message can come in between."""
        while self._agenda:
            self._put_next()

    def go_on(self) -> None:
        """Put the question that the message at hand stands for."""
        self._is_asked = False
        self._put_next()

    def ask(self, question: Question) -> None:
        """Ask something more, unless the round under way will ask it anyway."""
        if self._last not in self._agenda:
            self._agenda.append(question)
        self._go_on_asking()

    def ask_first(self, questions: Sequence[Question]) -> None:
        """Ask something before all that waits in the round under way."""
        self._agenda.extendleft(reversed(questions))

    def doubt(self, why: str) -> None:
        """Open nothing, and ask again in a while."""
        self.is_answered = False
        self._has_doubted = True
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

    def _go_on_asking(self) -> None:
        if self._agenda and not self._is_asked:
            self._is_asked = True
            self._actor.tell(self._actor.name, ContinueReconcile())

    def _put_next(self) -> None:
        """Put the next question; the round ends with the last, or where nobody answers."""
        if not self._agenda:
            return
        try:
            self._agenda.popleft()()
        except NO_ANSWER as error:
            self._agenda.clear()
            self._on_silence(error)
            return
        if self._agenda:
            self._go_on_asking()
        else:
            self._end_round()

    def _on_silence(self, error: Exception) -> None:
        self._has_failed = False  # nothing can be set: the pauses may grow
        self.doubt(str(error))
        self._reach.on_silence(error)
        if isinstance(error, AccessDeniedError):
            self.slow_down()  # a denial may pass, and asking often can prolong it
        elif self.is_urgent:
            self.ask_again(min(self._reach.silences - 1, MOST_DOUBLINGS))

    def _end_round(self) -> None:
        self._reach.on_answer()
        if self._is_to_repeat:
            self.begin()
            return
        if self._has_doubted:
            return
        self.is_answered, self.is_certain = True, not self._has_failed
        is_whole, self._is_whole = self._is_whole, False
        self._on_answered()
        if is_whole and not self._has_doubted:
            self._on_settled()
        is_at_rest = is_whole and self.is_certain and not self.is_urgent
        if self._reconcile_ms is not None and is_at_rest:
            self._ask_again_in(self._reconcile_ms, is_routine=True)

    def _ask_again_in(self, pause_ms: int, *, is_routine: bool = False) -> None:
        self.close()
        question = Reconcile(is_routine=is_routine)
        # A doubt that waits must not be replaced by a routine question.
        latest = "routine" if is_routine else "ask"
        self._timer = self._clock.call_at(
            self._actor.now_ms + pause_ms,
            lambda: self._actor.hand_in(question, sender="clock", latest=latest),
        )
