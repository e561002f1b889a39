"""Replays one recorded incarnation of an actor, in the calling thread.

Messages, times and the answers of ports are the recorded ones; the code is the current one. What
the actor now asks and sends is returned, to be compared with the recording.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from actors.core.actor import CrashReport, Incarnation, SupervisedActor
from actors.core.calls import noted
from actors.core.envelope import Envelope
from actors.core.mailbox import Mailbox
from actors.core.messages import Start
from actors.core.system import ActorSystem, Address, Moment
from actors.core.trace import Call, Handling

AROUND = "around"


class DivergedError(Exception):
    """The actor asks something that it did not ask then, so there is no recorded answer."""


class Answers:
    """The recorded answers of the current message, in order."""

    def __init__(self) -> None:
        """Start without answers."""
        self._calls: Sequence[Call] = ()
        self._next = 0
        self._error: Callable[[Call], BaseException] = lambda call: Exception(call.raised)
        self.added: Mapping[tuple[str, str], Any] = {}
        """Answers to calls that did not exist when this was recorded."""

    def begin(self, calls: Sequence[Call], error: Callable[[Call], BaseException]) -> None:
        """Take the answers of the next message.

        Args:
            calls: in the order in which they were made.
            error: constructs the exception that a call raised.
        """
        self._calls, self._next, self._error = calls, 0, error

    def give(self, port: str, method: str) -> Any:
        """Return, or raise, the recorded answer."""
        call = self._calls[self._next] if self._next < len(self._calls) else None
        if call is None or (call.port, call.method) != (port, method):
            if (port, method) in self.added:
                return self.added[port, method]
            then = "nothing more" if call is None else f"{call.port}.{call.method}"
            raise DivergedError(f"{port}.{method} is asked where {then} was asked")
        self._next += 1
        if call.raised is not None:
            raise self._error(call)
        return call.result

    def raise_probed(self, _address: str, moment: Moment) -> None:
        """Raise what a drill raised at this moment."""
        call = self._calls[self._next] if self._next < len(self._calls) else None
        if call is not None and (call.port, call.method) == ("probe", moment.name):
            self._next += 1
            raise self._error(call)


class ReplayedPort:
    """A port that gives the recorded answers."""

    def __init__(self, name: str, answers: Answers) -> None:
        self._name = name
        self._answers = answers

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return lambda *_arguments: self._answers.give(self._name, method)


class _System(ActorSystem):
    """Delivers nothing: sent messages are only recorded."""

    def deliver(self, address: Address, envelope: Envelope, latest: str | None) -> None:
        """Do nothing."""


class _Guardian:
    """Does nothing: a rerun is never restarted."""

    def on_ready(self, incarnation: Incarnation) -> None:
        """Do nothing."""

    def on_crash(self, incarnation: Incarnation, report: CrashReport) -> None:
        """Do nothing."""


class Rerun:
    """One incarnation, run again."""

    def __init__(
        self,
        actor: type[SupervisedActor],
        address: str,
        generation: int,
        addresses: Sequence[str],
        arguments: Mapping[str, Any],
    ) -> None:
        """Construct the actor as it was constructed then.

        Args:
            actor: its class.
            address: of the actor.
            generation: of the incarnation.
            addresses: all that existed, in order.
            arguments: it is constructed with; its ports answer from `answers`.
        """
        self.answers = Answers()
        self._now_ms = 0
        self._taken: list[Handling] = []
        system = _System(lambda: self._now_ms, self.answers.raise_probed, self._taken.append)
        for name in addresses:
            system.address(name)
        here = system.address(address)
        here.mailbox = Mailbox()
        self._incarnation = Incarnation(
            address=here,
            lease=here.mailbox.lease(generation),
            system=system,
            guardian=_Guardian(),
            is_restart=generation > 1,
            around=ReplayedPort(AROUND, self.answers),  # type: ignore[arg-type]
        )
        self.actor = actor(
            self._incarnation,
            **{name: self._argument(name, value) for name, value in arguments.items()},
        )

    def _argument(self, name: str, value: Any) -> Any:
        if isinstance(value, PortArgument):
            return noted(_Opening(name, self.answers, value.opens), name, value.opens)
        return value

    def play(self, envelope: Envelope, watch: Callable[..., Any] | None = None) -> Handling:
        """Let the actor handle a message, or start, and return what that led to.

        Args:
            envelope: as recorded.
            watch: called with the work and its argument instead of the work itself: a debugger.
        """
        self._now_ms = envelope.now_ms
        self._taken.clear()
        is_start = isinstance(envelope.message, Start)
        work = self.actor.begin_life if is_start else self.actor.work_on
        arguments = () if is_start else (envelope,)
        if watch is None:
            work(*arguments)
        else:
            watch(work, *arguments)
        return self._taken[-1]


class PortArgument:
    """Stands for a port among an actor's arguments."""

    def __init__(self, opens: Mapping[str, str]) -> None:
        """Take the methods that return a port themselves."""
        self.opens = opens


class _Opening(ReplayedPort):
    """A port, some of whose methods return another port."""

    def __init__(self, name: str, answers: Answers, opens: Mapping[str, str]) -> None:
        super().__init__(name, answers)
        self._opens = opens

    def __getattr__(self, method: str) -> Callable[..., Any]:
        opened = self._opens.get(method)
        ask = super().__getattr__(method)
        if opened is None:
            return ask

        def open_port(*arguments: Any) -> Any:
            ask(*arguments)
            return ReplayedPort(opened, self._answers)

        return open_port
