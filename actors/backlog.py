"""What an actor goes by while the journal refuses to store: full, locked or not writable.

The rule is: stored first, then acted upon. It is what keeps an order from being sent twice and a
protection from being forgotten, and it must not be what keeps a position open. A reduce-only close
can neither open nor double a position, and its client order id is a pure function of the decision
and the attempt, so the exchange itself refuses the second of two. So the rule bends for what
protects, and for nothing else:

- **What protects goes on.** The intent of a close, a risen protection epoch, a panic, a pause, the
  first move of a trailing stop and the operator's `close` are kept in the reserve (`Journal.keep`:
  a small file with disk space of its own), and acted upon. Where even the reserve fails they are
  acted upon all the same: a close that is forgotten is found at the exchange. Cancelling, and
  setting a first stop, store nothing.
- **What opens does not.** An entry needs its intent in the journal (`Journal.append` itself
  refuses one while `Journal.shortage` names a reason), a grant its decision, `rearm` and `resume`
  their command. They are refused, not queued.
- **What has happened waits in memory**: executions, news of orders, equity, transfers. The actor's
  books take it at once, in the order in which it will be stored, and nobody is told of it before
  it is. A kill forgets it, and the next process reads it from the exchange again, as it would have
  to after any kill.

Everything refused waits in one queue, and while it holds something all that follows waits behind
it, so that the journal ends with the facts in the order in which they came about. The queue is
tried again by a timer, the first batch first, each all or none.

A late booking must not hit a newer position: none is opened until it is over. Entries are refused
while any actor's record waits in the reserve (`Journal.shortage`), while this actor's own queue
holds anything, and, by the rule that holds always, while an order of the asset is not proven to
have ended; and a close from the reserve is an order of the books like any other, under way until
the exchange has said what became of it.

A new incarnation, of the actor or of the process, begins with what waits under its address, as if
that were stored. A refusal ends no incarnation: `JournalError` is caught here, once. A lost writer
lease is something else: `FencedError` comes through, before anything is kept or sent, and ends this
incarnation.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TypeVar

from loguru import logger

from actors.core.actor import SupervisedActor
from actors.messages import StoreAgain
from actors.ports import Clock, Journal, Timer
from domain.errors import JournalError
from domain.facts import Fact
from domain.portfolio.protection import ProtectionState

OnStored = Callable[[list[int]], None]
"""Takes the fact ids, once facts are stored."""
Kind = TypeVar("Kind")


def _say_nothing(_fact_ids: list[int]) -> None:
    return


@dataclass(frozen=True, slots=True)
class _Batch:
    """Facts that are stored all or none."""

    facts: tuple[Fact, ...]
    on_stored: OnStored = _say_nothing

    @property
    def is_sample(self) -> bool:
        """Tell whether a newer one makes it needless."""
        return len(self.facts) == 1 and isinstance(self.facts[0], ProtectionState)


class Backlog:
    """Stores an actor's facts; what is refused waits here, in its order."""

    def __init__(
        self, actor: SupervisedActor, journal: Journal, clock: Clock, *, again_ms: int
    ) -> None:
        """Take up what waits in the reserve, and try to store it.

        Args:
            actor: whose facts they are.
            journal: its writer.
            clock: for the timer.
            again_ms: pause before what was refused is tried again.
        """
        self._actor = actor
        self._journal = journal
        self._clock = clock
        self._again_ms = again_ms
        self._timer: Timer | None = None
        self._is_told = False
        """The log says that facts wait."""
        batches = groupby(journal.kept(), key=attrgetter("batch"))
        self._waiting = deque(_Batch(tuple(k.fact for k in kept)) for _, kept in batches)
        self.flush()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def waiting(self, kind: type[Kind]) -> list[Kind]:
        """Return the facts of a kind that wait, oldest first."""
        return [fact for batch in self._waiting for fact in batch.facts if isinstance(fact, kind)]

    def shortage(self) -> str | None:
        """Return why nothing may be opened by this actor; None where nothing waits anywhere."""
        if self._waiting:
            count = len(self._waiting)
            return f"{self._actor.name}: batches of facts that wait to be stored: {count}"
        return self._journal.shortage()

    def store_now(self, *facts: Fact) -> None:
        """Store facts, or do not: for what must not be acted upon before it is stored.

        Raises:
            JournalError: they are not stored, and do not wait.
        """
        if not self.flush():
            raise JournalError("facts before these wait to be stored")
        self._journal.append(*facts)

    def store(
        self,
        *facts: Fact,
        protects: bool = False,
        outlives: bool = False,
        on_stored: OnStored = _say_nothing,
    ) -> None:
        """Store facts, or let them wait.

        Args:
            facts: all or none.
            protects: what follows from them is done before they are stored, so that a kill must
                not forget them either.
            outlives: a kill should not forget them, and nothing is held up where it would.
            on_stored: called once they are stored, at once or later, with their fact ids.

        Raises:
            FencedError: another incarnation has taken the lease.
            JournalError: they protect, and nobody knows whether this process may still write.
        """
        batch = _Batch(facts, on_stored)
        if not self._waiting and self._try(batch):
            return
        if protects:
            self._journal.keep(*facts)
        elif outlives:
            with suppress(JournalError):
                self._journal.keep(*facts)
        if batch.is_sample and self._waiting and self._waiting[-1].is_sample:
            self._waiting.pop()
        self._waiting.append(batch)
        self._try_later()

    def flush(self) -> bool:
        """Store what waits, oldest first; False where something still waits."""
        while self._waiting:
            if not self._try(self._waiting[0]):
                self._try_later()
                return False
            self._waiting.popleft()
        if self._is_told:
            self._is_told = False
            self._log("all that waited is stored")
        return True

    def close(self) -> None:
        """Let go of the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _try(self, batch: _Batch) -> bool:
        try:
            fact_ids = self._journal.append(*batch.facts)
        except JournalError as error:
            if not self._is_told:
                self._is_told = True
                self._log(f"facts wait to be stored, and nothing is opened until they are: {error}")
            return False
        batch.on_stored(fact_ids)
        return True

    def _try_later(self) -> None:
        self.close()
        self._timer = self._clock.call_at(
            self._actor.now_ms + self._again_ms,
            lambda: self._actor.hand_in(StoreAgain(), sender="clock", latest="store"),
        )

    def _log(self, text: str) -> None:
        logger.bind(actor=self._actor.name).warning("{}: {}", self._actor.name, text)
