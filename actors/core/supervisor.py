"""Starts, watches, restarts, gives up and stops the actors.

The supervisor is a plain thread, not an actor: a watcher must not share the failure modes of what
it watches. Its times are monotonic real time, never the trading clock: a replay's clock waits for
the very restart that would wait for it.
"""

import queue
import sys
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any

from loguru import logger

from actors.core.actor import CrashReport, Failure, Incarnation, SupervisedActor, start_of
from actors.core.calls import cause_of
from actors.core.concurrency import Loop
from actors.core.envelope import Envelope
from actors.core.interrupt import interrupt
from actors.core.messages import GivenUp
from actors.core.system import ActorSystem, Address
from actors.core.trace import Handling, Outcome, Raised

SUPERVISOR = "supervisor"
_LOOK_AGAIN_S = 0.1
_ENDS_SOON_S = 0.01
"""Interval of checking an incarnation that was asked to end."""
_MOST_DOUBLINGS = 60
"""Cap of the exponent: far more than any back-off needs, far less than overflows a float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """How often and how fast an actor is restarted, and when it counts as hung."""

    max_restarts: int
    within_s: float
    backoff_initial_s: float
    backoff_max_s: float
    backoff_jitter_fraction: float
    hang_s: float
    start_s: float
    """How long `on_start` may take."""

    def backoff_s(self, failures: int, random: Random) -> float:
        """Return the pause before the restart that follows the n-th failure in a row."""
        doublings = min(failures - 1, _MOST_DOUBLINGS)
        pause_s = min(self.backoff_max_s, self.backoff_initial_s * 2.0**doublings)
        return pause_s * (1.0 + self.backoff_jitter_fraction * random.uniform(-1.0, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One actor to keep alive."""

    address: str
    actor: type[SupervisedActor]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    is_vital: bool = False
    """Whether the whole system shuts down when this child is given up."""
    is_kept: bool = False
    """Whether it is restarted even after being given up, after the longest back-off: what it
    serves is suspended, but something outside must still be managed."""
    ends_all: tuple[type[BaseException], ...] = ()
    """Exceptions after which no restart can help: the whole system shuts down."""
    may_end_in: Callable[..., object] | None = None
    """A function in which a hung incarnation is ended by an exception; see `interrupt`. Elsewhere
    its thread is left alone."""


class ChildStatus(StrEnum):
    """The state of a child."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    """Waiting for its restart."""
    GIVEN_UP = "GIVEN_UP"
    STOPPED = "STOPPED"


_ALIVE = (ChildStatus.STARTING, ChildStatus.RUNNING)


@dataclass(eq=False, kw_only=True)
class Child:
    """One actor and its history."""

    spec: ChildSpec
    address: Address
    status: ChildStatus = ChildStatus.STOPPED
    incarnation: Incarnation | None = None
    ref: Any = None
    generation: int = 0
    ready: int = 0
    """Generation of the newest incarnation that was ready."""
    is_to_restart: bool = False
    """Restart ordered: its incarnation is asked to end, and the next one starts once it has."""
    is_to_leave: bool = False
    """Removal ordered: its incarnation is asked to end, and none follows."""
    restarts: int = 0
    failures_s: deque[float] = field(default_factory=deque)
    """Times of its failures within the policy's time."""
    restart_at_s: float | None = None
    failure: Failure | None = None
    """Its newest failure."""
    owed: int = 0
    """Work that counts as pending until the child is ready or given up."""
    given_up_because: str | None = None
    reports: deque[CrashReport] = field(default_factory=lambda: deque(maxlen=20))


class Supervisor:
    """Keeps children alive, with the one-for-one strategy."""

    def __init__(
        self,
        system: ActorSystem,
        policy: RestartPolicy,
        random: Random,
        on_event: Callable[[str, CrashReport | None], None] = lambda _what, _report: None,
    ) -> None:
        """Prepare the supervisor; nothing is started yet.

        Args:
            system: of the children's addresses.
            policy: limits for every child.
            random: for the jitter of back-offs.
            on_event: called in the supervisor's thread with "crashed", "given up" and the report.
        """
        self._system = system
        self._policy = policy
        self._random = random
        self._on_event = on_event
        self._children: dict[str, Child] = {}
        """Replaced as a whole, never changed, as other threads read it."""
        self._left: dict[str, int] = {}
        """Generation of the last incarnation of each address that was removed."""
        self._concurrency = system.concurrency
        self._now_s = system.concurrency.now_s
        self._tasks = self._concurrency.queue()
        self._loop: Loop | None = None
        self._is_stopping = False
        self._turned = self._concurrency.condition()
        """Notified whenever an incarnation is ready."""
        self.escalated = self._concurrency.flag()
        """Set once a vital child is given up, or an incarnation ended that no restart can help."""
        self.on_turn: Callable[[], None] = lambda: None
        """Called in the supervisor's thread at least once a second while it watches."""

    # Called from other threads.

    def start(self, specs: Sequence[ChildSpec]) -> None:
        """Start all children, in this order, and start watching."""
        self._children = {spec.address: self._child(spec) for spec in specs}
        for child in self._children.values():
            self._launch(child)
        self._loop = self._concurrency.start(self._run, SUPERVISOR)

    def on_ready(self, incarnation: Incarnation) -> None:
        """Learn that an incarnation is ready."""
        self._tasks.put(lambda: self._ready(incarnation))

    def on_crash(self, incarnation: Incarnation, report: CrashReport) -> None:
        """Learn that an incarnation has crashed."""
        self._tasks.put(lambda: self._crashed(incarnation, report))

    def give_up(self, address: str, cause: str) -> None:
        """Give a child up by order, as if its limit were reached, and wait until that is done."""
        child = self._children[address]
        self._in_turn(lambda: self._give_up(child, cause))

    def add(self, specs: Sequence[ChildSpec], timeout_s: float) -> bool:
        """Start more children, in this order; the others are not affected.

        Returns:
            Whether all were ready in time; if not, they are retried like any other.
        """
        added: list[Child] = []
        self._in_turn(lambda: added.extend(self._add(specs)))
        return self._wait_for(lambda: all(child.ready for child in added), timeout_s)

    def revise(self, specs: Sequence[ChildSpec]) -> None:
        """Give the children's next incarnations other arguments; current ones go on."""

        def change() -> None:
            for spec in specs:
                self._children[spec.address].spec = spec

        self._in_turn(change)

    def remove(self, address: str, timeout_s: float) -> bool:
        """Remove a child after its waiting messages; its address then no longer answers.

        Returns:
            Whether it has ended in time; if not, it ends once it finishes, or hangs.
        """
        child = self._children[address]
        self._in_turn(lambda: self._begin_to_leave(child))
        return self._wait_for(lambda: address not in self._children, timeout_s)

    def restart(self, address: str, timeout_s: float) -> bool:
        """Replace a child's incarnation by order, after its current message, and wait for it.

        This does not count as a failure. A given-up child is revived.

        Returns:
            Whether the next incarnation was ready in time; if not, it may still become ready.
        """
        child = self._children[address]
        before = child.generation
        self._tasks.put(lambda: self._begin_restart(child))
        return self._wait_for(lambda: child.ready > before, timeout_s)

    def children(self) -> list[Child]:
        """Return all children, in start order."""
        return list(self._children.values())

    def stop(self, timeout_s: float) -> list[str]:
        """Stop all children in reverse order, each after its waiting messages.

        Returns:
            The addresses of those that did not end in time, and were abandoned.
        """
        deadline_s = self._now_s() + timeout_s
        self._tasks.put(self._begin_to_stop)
        if self._loop is not None:
            # Until it has ended: otherwise it could launch a child that is never stopped.
            self._loop.join(timeout_s / 2)
        late = self._stop_children(deadline_s)
        if not self._is_watching():
            self._finish_tasks()
        return late

    def _is_watching(self) -> bool:
        return self._loop is not None and self._loop.is_alive()

    def _in_turn(self, task: Callable[[], None]) -> None:
        """Run a task in the supervisor's thread, and wait until it is done."""
        done = self._concurrency.flag()

        def run() -> None:
            try:
                task()
            finally:
                done.set()

        self._tasks.put(run)
        while not done.wait(_LOOK_AGAIN_S) and self._is_watching():
            pass

    def _wait_for(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        with self._turned:
            return self._turned.wait_for(is_so, timeout_s)

    # Below: runs in the supervisor's own thread.

    def _run(self) -> None:
        while not self._is_stopping:
            try:
                self._run_task()
                now_s = self._now_s()
                for child in self._children.values():
                    self._watch(child, now_s)
                self.on_turn()
            except BaseException:  # noqa: BLE001 (nobody watches the one that watches)
                logger.opt(exception=True).error("the supervisor failed at a task and continues")

    def _run_task(self) -> None:
        try:
            task = self._tasks.get(timeout=self._pause_s())
        except queue.Empty:
            return
        task()

    def _pause_s(self) -> float:
        due = [c.restart_at_s for c in self._children.values() if c.restart_at_s is not None]
        until_due_s = max(0.0, min(due) - self._now_s()) if due else 1.0
        if any(child.is_to_restart or child.is_to_leave for child in self._children.values()):
            return _ENDS_SOON_S
        return min(until_due_s, self._policy.hang_s / 4, 1.0)

    def _watch(self, child: Child, now_s: float) -> None:
        if child.is_to_leave and self._has_ended(child):
            self._leave(child)
            return
        if child.restart_at_s is not None and now_s >= child.restart_at_s:
            self._launch(child)
        incarnation = child.incarnation
        if incarnation is None or child.status not in _ALIVE:
            return
        if incarnation.ended.is_set() and child.is_to_restart:
            incarnation.is_reported = True
            self._relaunch(child)
            return
        if incarnation.ended.is_set() and not incarnation.is_reported:
            poison = incarnation.lease.revoke()
            self._crashed(
                incarnation, self._report(incarnation, "ended without being asked to", poison)
            )
            return
        busy_since_s = incarnation.busy_since_s
        limit_s = self._policy.hang_s if incarnation.is_ready else self._policy.start_s
        if busy_since_s is not None and now_s - busy_since_s > limit_s:
            self._abandon(incarnation, busy_since_s, limit_s)

    def _child(self, spec: ChildSpec) -> Child:
        return Child(spec=spec, address=self._system.address(spec.address))

    def _add(self, specs: Sequence[ChildSpec]) -> list[Child]:
        if self._is_stopping:
            return []
        children = [self._child(spec) for spec in specs if spec.address not in self._children]
        for child in children:
            name = child.spec.address
            child.generation = self._left.pop(name, 0)
            child.address.mailbox.reopen()
            self._system.removed.discard(name)
            self._children = {**self._children, name: child}
            if child.generation:
                self._owe(child)
            self._launch(child)
        return children

    def _begin_to_leave(self, child: Child) -> None:
        child.is_to_leave = True
        if child.ref is not None and child.status in _ALIVE:
            child.ref.stop(block=False)

    def _has_ended(self, child: Child) -> bool:
        incarnation = child.incarnation
        return child.status not in _ALIVE or incarnation is None or incarnation.ended.is_set()

    def _leave(self, child: Child) -> None:
        name = child.spec.address
        self._system.removed.add(name)
        self._system.given_up.discard(name)
        self._abolish(child, "was removed")
        child.status = ChildStatus.STOPPED
        self._settle(child)
        with self._turned:
            self._left[name] = child.generation
            self._children = {key: c for key, c in self._children.items() if c is not child}
            self._turned.notify_all()

    def _begin_restart(self, child: Child) -> None:
        if self._is_stopping or child.is_to_leave:
            return
        self._system.given_up.discard(child.spec.address)
        child.given_up_because = None
        child.failures_s.clear()
        if child.status is ChildStatus.GIVEN_UP:
            child.address.mailbox.reopen()
            self._relaunch(child)
        elif child.status is ChildStatus.WAITING:
            child.restart_at_s = self._now_s()
        elif child.ref is not None and not child.is_to_restart:
            child.is_to_restart = True
            child.ref.stop(block=False)

    def _relaunch(self, child: Child) -> None:
        """Start an incarnation that was not caused by a failure."""
        child.is_to_restart, child.failure = False, None
        child.restarts += 1
        if not child.owed:
            self._owe(child)
        self._launch(child)

    def _launch(self, child: Child) -> None:
        child.restart_at_s = None
        child.is_to_restart = False
        child.generation += 1
        child.status = ChildStatus.STARTING
        if child.generation == 1:
            self._owe(child)
        child.incarnation = Incarnation(
            address=child.address,
            lease=child.address.mailbox.lease(child.generation),
            system=self._system,
            guardian=self,
            is_restart=child.generation > 1,
            failure=child.failure,
        )
        try:
            child.ref = child.spec.actor.start(child.incarnation, **child.spec.arguments)
        except BaseException as error:  # noqa: BLE001 (a constructor's failure is one child's)
            self._crashed(
                child.incarnation,
                self._report(child.incarnation, self._system.hide(cause_of(error))),
            )

    def _owe(self, child: Child) -> None:
        self._system.work.add()
        child.owed += 1

    def _settle(self, child: Child) -> None:
        owed, child.owed = child.owed, 0
        if owed:
            self._system.work.done(owed)

    def _ready(self, incarnation: Incarnation) -> None:
        child = self._children.get(incarnation.address.name)
        if child is None:
            return  # it was removed meanwhile
        if child.incarnation is incarnation and child.status is ChildStatus.STARTING:
            child.status = ChildStatus.RUNNING
            self._settle(child)
            with self._turned:
                child.ready = child.generation
                self._turned.notify_all()

    def _crashed(self, incarnation: Incarnation, report: CrashReport) -> None:
        child = self._children.get(incarnation.address.name)
        if child is None:
            return  # it was removed: its current message was buried then
        if report.poison is not None:
            # The message still counts as pending until the child is ready again.
            child.owed += 1
            self._system.bury(report.poison, report.cause, is_known=True)
        if child.incarnation is not incarnation or child.status not in _ALIVE:
            # Already known. If a restart is in progress, the count is kept until it is done.
            if child.status not in (ChildStatus.STARTING, ChildStatus.WAITING):
                self._settle(child)
            return
        if not child.owed:
            self._owe(child)  # It ended between two messages.
        child.reports.append(report)
        logger.bind(actor=child.spec.address).warning(
            "{} crashed in incarnation {} ({}): {}",
            child.spec.address,
            report.generation,
            report.crash_id,
            report.cause,
        )
        self._notify("hung" if report.is_hang else "crashed", report)
        self._restart_or_give_up(child, report)
        if report.kind is not None and issubclass(report.kind, child.spec.ends_all):
            self.escalated.set()

    def _abandon(self, incarnation: Incarnation, busy_since_s: float, limit_s: float) -> None:
        with incarnation.lease.fence:
            if incarnation.busy_since_s != busy_since_s:
                return  # It has just finished; its current message is not to blame.
            poison = incarnation.lease.revoke()
        busy_s = self._now_s() - busy_since_s
        work = "one message" if incarnation.is_ready else "its start"
        cause = f"worked on {work} for {busy_s:.1f} s, {limit_s} s are allowed"
        self._crashed(incarnation, self._report(incarnation, cause, poison, is_hang=True))
        child = self._children.get(incarnation.address.name)
        may_end_in = None if child is None else child.spec.may_end_in
        if may_end_in is not None and incarnation.thread_id is not None:
            interrupt(incarnation.thread_id, may_end_in)

    def _report(
        self,
        incarnation: Incarnation,
        cause: str,
        poison: Envelope | None = None,
        *,
        is_hang: bool = False,
    ) -> CrashReport:
        """Return, and record, the end of an incarnation that could not report it itself."""
        handling = incarnation.handling or Handling(start_of(incarnation), incarnation.generation)
        outcome = Outcome.HUNG if is_hang else Outcome.CRASHED
        details = _stack_of(incarnation) if is_hang else ""
        self._system.record(handling.end(outcome, Raised(Exception, (), cause, details)))
        origin = handling.envelope.origin
        return CrashReport(
            address=incarnation.address.name,
            generation=incarnation.generation,
            cause=cause,
            details=details,
            poison=poison,
            origin=origin,
            crash_id=self._system.id_text(origin.message_id),
            is_hang=is_hang,
        )

    def _restart_or_give_up(self, child: Child, report: CrashReport) -> None:
        now_s = self._now_s()
        child.failures_s.append(now_s)
        while child.failures_s and now_s - child.failures_s[0] > self._policy.within_s:
            child.failures_s.popleft()
        child.failure = Failure(
            report=report,
            at_s=now_s,
            failures=len(child.failures_s),
            allowed=self._policy.max_restarts,
        )
        pause_s = self._policy.backoff_s(len(child.failures_s), self._random)
        if len(child.failures_s) > self._policy.max_restarts:
            self._give_up(child, report.cause, child.failure)
            pause_s = self._policy.backoff_max_s
        if child.status is not ChildStatus.GIVEN_UP:
            child.restarts += 1
            child.status = ChildStatus.WAITING
            child.restart_at_s = now_s + pause_s

    def _give_up(self, child: Child, cause: str, failure: Failure | None = None) -> None:
        if child.status in (ChildStatus.GIVEN_UP, ChildStatus.STOPPED):
            return
        if not child.spec.is_kept:
            self._abolish(child, "was given up")
        if child.spec.address not in self._system.given_up:
            self._tell_given_up(child, cause, failure)
        if not child.spec.is_kept:
            self._settle(child)

    def _abolish(self, child: Child, why: str) -> None:
        cause = f"{child.spec.address} {why}"
        unfinished = None if child.incarnation is None else child.incarnation.lease.revoke()
        if unfinished is not None:
            child.owed += 1
            self._system.bury(unfinished, f"{cause} while it worked")
        child.status = ChildStatus.GIVEN_UP
        child.restart_at_s = None
        self._bury_all(child.address.mailbox.close(), cause)

    def _tell_given_up(self, child: Child, cause: str, failure: Failure | None) -> None:
        name = child.spec.address
        child.given_up_because = cause
        logger.bind(actor=name).error("{} was given up: {}", name, cause)
        self._system.given_up.add(name)
        crash = child.reports[-1] if child.reports else None
        event = GivenUp(
            address=name,
            cause=cause,
            crash_id=None if crash is None else crash.crash_id,
            failures=0 if failure is None else failure.failures,
            allowed=self._policy.max_restarts,
        )
        origin = None if crash is None else crash.origin
        self._system.tell_all(event, sender=SUPERVISOR, origin=origin)
        if child.spec.is_vital:
            self.escalated.set()
        self._notify("given up", child.reports[-1] if child.reports else None)

    def _notify(self, what: str, report: CrashReport | None) -> None:
        try:
            self._on_event(what, report)
        except BaseException:  # noqa: BLE001 (a listener must keep no child from its restart)
            logger.opt(exception=True).error("the listener failed on {!r}", what)

    def _bury_all(self, envelopes: list[Envelope], cause: str) -> None:
        for envelope in envelopes:
            self._system.bury(envelope, cause)
        if envelopes:
            self._system.work.done(len(envelopes))

    def _begin_to_stop(self) -> None:
        self._is_stopping = True

    # During shutdown, in the thread that stops the process.

    def _stop_children(self, deadline_s: float) -> list[str]:
        alive = [
            (child, child.incarnation)
            for child in reversed(self.children())
            if child.incarnation is not None and child.status in _ALIVE
        ]
        for child in self.children():
            if child.status is ChildStatus.WAITING:
                child.status, child.restart_at_s = ChildStatus.STOPPED, None
        for child, incarnation in alive:
            child.status = ChildStatus.STOPPED
            if child.ref is not None and child.ref.is_alive():
                child.ref.stop(block=False)
            # Half of what is left: a hung child must not use up the others' time.
            incarnation.ended.wait(self._until(deadline_s) / 2)
        late = [(c, i) for c, i in alive if not i.ended.wait(self._until(deadline_s))]
        for _, incarnation in late:
            incarnation.lease.revoke()
        return [child.spec.address for child, _ in late]

    def _until(self, deadline_s: float) -> float:
        return max(0.0, deadline_s - self._now_s())

    def _finish_tasks(self) -> None:
        while not self._tasks.empty():
            self._run_task()


def _stack_of(incarnation: Incarnation) -> str:
    """Return the stack of an incarnation's thread."""
    frame = sys._current_frames().get(incarnation.thread_id or 0)  # noqa: SLF001 (documented)
    return "" if frame is None else "".join(traceback.format_stack(frame))
