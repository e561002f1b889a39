"""The base of all actors: one Pykka actor is one incarnation behind an address."""

import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import pykka
from loguru import logger

from actors.core.calls import begin, cause_of, note, noted, raised
from actors.core.concurrency import Flag
from actors.core.envelope import Envelope, Origin
from actors.core.mailbox import EndOfLease, Lease
from actors.core.messages import Ending, Message, Ping, Restarted, Start
from actors.core.system import OUTSIDE, ActorCrashedError, ActorSystem, Address, Moment
from actors.core.trace import Call, Handling, Outcome, Raised, unhandled


def whose_thread() -> tuple[str, int | None] | None:
    """Return the address and the trace id that this thread works for."""
    actor = _here.get()
    if actor is None:
        return None
    return actor.name, None if actor.origin is None else actor.origin.trace_id


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashReport:
    """How one incarnation ended."""

    address: str
    generation: int
    cause: str
    """The exception's type and text, or what the supervisor saw."""
    details: str
    """The traceback."""
    poison: Envelope | None
    """The message it worked on, which is not redelivered."""
    origin: Origin
    """The message, or the start, that ended it."""
    crash_id: str
    """The id of that message, as text."""
    is_hang: bool = False
    kind: type[BaseException] | None = None
    """The exception; None: the supervisor found that it had ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an incarnation is replaced by another one."""

    report: CrashReport
    at_s: float
    """Monotonic."""
    failures: int
    """Failures within the policy's time, including this one."""
    allowed: int
    """Restarts allowed within that time."""

    def ending(self, now_s: float) -> Ending:
        """Return its announcement, as of now (monotonic), when the next incarnation is ready."""
        return Ending(
            crash_id=self.report.crash_id,
            cause=self.report.cause,
            is_hang=self.report.is_hang,
            failures=self.failures,
            allowed=self.allowed,
            down_ms=int((now_s - self.at_s) * 1000),
        )


class Guardian(Protocol):
    """Learns the state of an incarnation. Called from the actor's own thread."""

    def on_ready(self, incarnation: "Incarnation") -> None:
        """Learn that `on_start` has returned."""

    def on_crash(self, incarnation: "Incarnation", report: CrashReport) -> None:
        """Learn that the incarnation has failed."""


@dataclass(kw_only=True, eq=False)
class Incarnation:
    """One incarnation of the actor behind an address."""

    address: Address
    lease: Lease
    system: ActorSystem
    guardian: Guardian
    is_restart: bool
    failure: Failure | None = None
    """How the previous incarnation ended."""
    ended: Flag = field(init=False)
    """Set once its loop has returned."""
    busy_since_s: float | None = None
    """Since when it has been working on one message, or its start; monotonic."""
    handling: Handling | None = None
    """What it works on."""
    around: "Around | None" = None
    """What it learns about supervision; None: the actual state."""
    thread_id: int | None = None
    """Id of the thread that runs it."""
    is_ready: bool = False
    is_reported: bool = False
    """Whether its failure was reported to the guardian, or no longer matters."""

    def __post_init__(self) -> None:
        self.ended = self.system.concurrency.flag()

    @property
    def generation(self) -> int:
        """Number of this incarnation, from 1."""
        return self.lease.generation

    def is_ours(self) -> bool:
        """Tell whether the address is still this incarnation's; check before acting outside."""
        return not self.lease.is_revoked


class Around:
    """What an actor can query about supervision."""

    def __init__(self, incarnation: Incarnation) -> None:
        """Answer for one incarnation."""
        self._incarnation = incarnation

    def is_given_up(self, address: str) -> bool:
        """Tell whether the actor at an address was given up."""
        return address in self._incarnation.system.given_up

    def given_up(self) -> tuple[str, ...]:
        """Return the addresses of all given-up actors."""
        return tuple(sorted(self._incarnation.system.given_up))

    def ending(self) -> Ending | None:
        """Return how the previous incarnation ended; None for the first."""
        failure = self._incarnation.failure
        now_s = self._incarnation.system.concurrency.now_s()
        return None if failure is None else failure.ending(now_s)


class Closable(Protocol):
    """A resource that must be closed."""

    def close(self) -> None:
        """Close it."""


Held = TypeVar("Held", bound=Closable)


class ReplacedError(Exception):
    """An abandoned incarnation tried to take something from its successor."""


class SupervisedActor(pykka.ThreadingActor):
    """An actor whose failures, of any kind, end only its incarnation.

    A subclass implements `on_start` (become ready from facts) and `handle`. Messages they send are
    delivered only when they have returned, so a crash never sends part of them.
    """

    def __init__(self, incarnation: Incarnation) -> None:
        """Take over an address. Runs in the supervisor's thread: no I/O here."""
        # Set first: Pykka's constructor requests the inbox and passes it to the actor's reference.
        self.incarnation = incarnation
        super().__init__()
        self.name = incarnation.address.name
        self._around = noted(incarnation.around or Around(incarnation), "around")
        self.now_ms = 0
        """The time of the current message."""
        self.yields_s = 0.0
        """How long the first message after a pause waits, so that other actors work first."""
        self._worked_s = 0.0
        self._current: Envelope | None = None
        self._origin: Origin | None = None
        self._outbox: list[tuple[Address, Message, Origin | None, str | None]] = []
        self._held: list[Closable] = []
        self._has_let_go = False

    # To be implemented by a subclass.

    def on_start(self) -> None:
        """Become ready: read the facts, query the outer world, subscribe."""

    def handle(self, message: Message) -> Any:
        raise NotImplementedError

    def release(self) -> None:
        """Release what is not held by `hold`. Runs once at every end, including failures."""

    # For use by a subclass.

    def tell(self, receiver: str, message: Message, *, latest: str | None = None) -> None:
        """Send a message once the handler has returned."""
        address = self.incarnation.system.address(receiver)
        self._outbox.append((address, message, self._origin, latest))

    def hold(self, held: Held) -> Held:
        """Return the argument, and close it at the end of this incarnation, including failures."""
        self._held.append(held)
        return held

    def hold_if_ours(self, take: Callable[[], Held]) -> Held:
        """Hold what one incarnation takes over from another, such as a subscription.

        An abandoned incarnation that wakes up late would take it from its successor, then close it.

        Args:
            take: must not block: the supervisor cannot abandon this incarnation meanwhile.

        Raises:
            ReplacedError: this incarnation was abandoned.
        """
        with self.incarnation.lease.fence:
            if not self.incarnation.is_ours():
                raise ReplacedError(f"{self.name} was replaced")
            return self.hold(take())

    def refuse(self, message: Message) -> None:
        """Raise for an unknown message: ignoring it would hide a bug."""
        raise TypeError(f"{self.name} knows no message {type(message).__name__}")

    def hand_in(self, message: Message, *, sender: str, latest: str | None = None) -> None:
        """Put a message from outside into this actor's mailbox, at once; from any thread."""
        self.incarnation.address.tell(message, sender=sender, latest=latest)

    def is_given_up(self, address: str) -> bool:
        """Tell whether the actor at an address was given up."""
        return self._around.is_given_up(address)

    def given_up(self) -> tuple[str, ...]:
        """Return the addresses of all given-up actors."""
        return self._around.given_up()

    def continue_trace(self, origin: Origin | None) -> None:
        """Make the current message part of an older causal tree."""
        if origin is not None and self._current is not None:
            self._current.trace_id, self._current.parent_id = origin
            self._origin = self._current.origin

    def ending(self) -> Ending | None:
        """Return how the previous incarnation ended; None for the first."""
        return self._around.ending()

    @property
    def origin(self) -> Origin | None:
        """The current message."""
        return self._origin

    # Integration with Pykka's loop.

    def _create_actor_inbox(self) -> Any:  # type: ignore[override]
        # Static in Pykka, where each actor has an inbox of its own; ours belongs to the address.
        return self.incarnation.lease

    def _start_actor_loop(self) -> None:
        try:
            # A hung actor cannot be ended from Python; it does not keep the process alive.
            self.incarnation.system.concurrency.start(self._actor_loop, self.name)
        except BaseException:
            # Pykka has registered it already, and no thread would ever unregister it.
            pykka.ActorRegistry.unregister(self.actor_ref)
            raise

    def _actor_loop(self) -> None:
        try:
            super()._actor_loop()
        finally:
            self.incarnation.ended.set()

    def _actor_loop_setup(self) -> None:
        _here.set(self)
        self.incarnation.thread_id = threading.get_ident()
        self.begin_life()

    def begin_life(self) -> None:
        """Become ready, in the actor's own thread (or in a rerun's)."""
        incarnation = self.incarnation
        incarnation.busy_since_s = incarnation.system.concurrency.now_s()
        handling = self._begin(start_of(incarnation))
        try:
            handling.envelope.now_ms = self.now_ms = incarnation.system.now_ms()
            self._probe(Moment.START)
            self.on_start()
            self._announce()
        except BaseException as error:  # noqa: BLE001 (Pykka calls no hook for these at all)
            self._crash(error)
        else:
            self._origin = None
            if not incarnation.lease.is_revoked:
                self._end(Outcome.DONE)
            incarnation.busy_since_s = None
            incarnation.is_ready = True
            incarnation.guardian.on_ready(incarnation)

    def _handle_receive(self, message: Any) -> Any:
        if isinstance(message, Envelope):
            self.work_on(message)
            return None
        if isinstance(message, EndOfLease):
            self.stop()
            return None
        return super()._handle_receive(message)

    def on_stop(self) -> None:
        """Release everything at an orderly end (Pykka's hook)."""
        self.incarnation.lease.end()
        self._let_go()

    def work_on(self, envelope: Envelope) -> None:
        """Handle one message completely, in the actor's own thread (or in a rerun's)."""
        incarnation = self.incarnation
        if self.yields_s:
            self._yield()
        incarnation.busy_since_s = incarnation.system.concurrency.now_s()
        self._begin(envelope)
        self._current = envelope
        try:
            envelope.now_ms = self.now_ms = incarnation.system.now_ms()
            self._probe(Moment.BEFORE_WORK)
            answer = self._dispatch(envelope.message)
            self._probe(Moment.AFTER_FACTS)
            self._flush()
            self._probe(Moment.AFTER_TELLS)
        except BaseException as error:  # noqa: BLE001 (Pykka would stop every actor for some)
            self._crash(error)
        else:
            self._done(envelope, answer)

    def _yield(self) -> None:
        now_s = self.incarnation.system.concurrency.now_s
        if now_s() - self._worked_s > self.yields_s:
            self.incarnation.ended.wait(self.yields_s)  # a pause, which ends after this
        self._worked_s = now_s()

    def _begin(self, envelope: Envelope) -> Handling:
        envelope.taken_ns = time.perf_counter_ns()
        self._origin = envelope.origin
        handling = Handling(envelope, self.incarnation.generation)
        self.incarnation.handling = handling
        begin(handling)
        return handling

    def _end(self, outcome: Outcome, why: Raised | None = None) -> None:
        begin(None)
        handling, self.incarnation.handling = self.incarnation.handling, None
        if handling is not None:
            self.incarnation.system.record(handling.end(outcome, why))

    def _dispatch(self, message: Message) -> Any:
        if isinstance(message, Ping):
            return self.incarnation.generation
        return self.handle(message)

    def _flush(self) -> None:
        """Deliver what the handler sent, unless this incarnation was replaced meanwhile."""
        outbox, self._outbox = self._outbox, []
        lease = self.incarnation.lease
        with lease.fence:
            if lease.is_revoked:
                self._record_fenced(outbox)
                return
            for address, message, origin, latest in outbox:
                told = address.tell(
                    message,
                    sender=self.name,
                    generation=lease.generation,
                    origin=origin,
                    latest=latest,
                )
                if self.incarnation.handling is not None:
                    self.incarnation.handling.told.append(told)

    def _record_fenced(
        self, outbox: list[tuple[Address, Message, Origin | None, str | None]]
    ) -> None:
        system, generation = self.incarnation.system, self.incarnation.generation
        for address, message, origin, _ in outbox:
            envelope = system.envelope(address.name, message, self.name, generation, origin)
            system.record(unhandled(envelope, Outcome.FENCED))

    def _announce(self) -> None:
        # The restart is announced before what on_start found out: receivers first catch up with
        # the facts that the last incarnation stored but never announced.
        incarnation = self.incarnation
        with incarnation.lease.fence:
            if incarnation.is_restart and not incarnation.lease.is_revoked:
                event = Restarted(
                    address=self.name,
                    generation=incarnation.generation,
                    ended_by=self.ending(),
                )
                told = incarnation.system.tell_all(
                    event,
                    sender=self.name,
                    generation=incarnation.generation,
                    origin=self._origin,
                )
                if incarnation.handling is not None:
                    incarnation.handling.told.extend(told)
            self._flush()

    def _done(self, envelope: Envelope, answer: Any) -> None:
        self._current = self._origin = None
        lease = self.incarnation.lease
        with lease.fence:
            self.incarnation.busy_since_s = None
            if lease.is_revoked:
                begin(None)
                return
            lease.in_flight = None
        self._end(Outcome.DONE)
        if envelope.reply is not None:
            envelope.reply.set_result(answer)
        self.incarnation.system.work.done()

    def _crash(self, error: BaseException) -> None:
        incarnation = self.incarnation
        # While it still counts as busy, so that a hanging release is detected like any other hang.
        self._let_go()
        with incarnation.lease.fence:
            incarnation.busy_since_s = None
            was_revoked = incarnation.lease.is_revoked
            poison = incarnation.lease.end()
        origin, details = self._origin_of_crash(), _details(error)
        if not was_revoked:
            self._end(Outcome.CRASHED, raised(error, details))
        begin(None)
        report = CrashReport(
            address=self.name,
            generation=incarnation.generation,
            cause=incarnation.system.hide(cause_of(error)),
            details=incarnation.system.hide(details),
            poison=poison,
            origin=origin,
            crash_id=incarnation.system.id_text(origin.message_id),
            kind=type(error),
        )
        self.stop()
        if poison is not None and poison.reply is not None:
            _fail(poison, report)
        if not was_revoked:
            incarnation.guardian.on_crash(incarnation, report)
        incarnation.is_reported = True

    def _origin_of_crash(self) -> Origin:
        handling = self.incarnation.handling
        # A failing stop is a crash between two messages.
        return start_of(self.incarnation).origin if handling is None else handling.envelope.origin

    def _let_go(self) -> None:
        if self._has_let_go:
            return
        self._has_let_go = True
        for let_go in (self.release, *(held.close for held in reversed(self._held))):
            try:
                let_go()
            except BaseException:  # noqa: BLE001 (the end must be reached, and by this actor alone)
                logger.opt(exception=True).warning("{} could not release its resources", self.name)

    def _probe(self, moment: Moment) -> None:
        probe = self.incarnation.system.probe
        if probe is None:
            return
        try:
            probe(self.name, moment)
        except BaseException as error:
            note(Call("probe", moment.name, (), None, raised(error)))
            raise


_here: ContextVar[SupervisedActor | None] = ContextVar("here", default=None)
"""Incarnation of the running thread."""


def start_of(incarnation: Incarnation) -> Envelope:
    """Return the start of an incarnation as a message, caused by the preceding crash."""
    cause = None if incarnation.failure is None else incarnation.failure.report.origin
    return incarnation.system.envelope(
        incarnation.address.name, Start(), "supervisor", OUTSIDE, cause
    )


def _details(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _fail(envelope: Envelope, report: CrashReport) -> None:
    try:
        if envelope.reply is not None:
            envelope.reply.set_exception(ActorCrashedError(report.cause))
    except InvalidStateError:
        return
