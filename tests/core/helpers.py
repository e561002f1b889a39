"""Tiny actors that do what their messages say, and the house in which they are supervised."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from random import Random
from typing import Any, NamedTuple

import pykka

from actors.core.actor import CrashReport, Incarnation, SupervisedActor
from actors.core.concurrency import THREADS, Concurrency
from actors.core.envelope import Envelope
from actors.core.messages import GivenUp, Message, Ping, Restarted
from actors.core.supervisor import Child, ChildSpec, RestartPolicy, Supervisor
from actors.core.system import ActorSystem, Probe

PATIENCE_S = 20.0
"""How long a test waits for what must happen; never used up where all is well."""
HANG_S = 0.3
"""Longer than any honest handler here works, short enough to wait for."""

POLICY: Mapping[str, Any] = {
    "max_restarts": 1_000_000,
    "within_s": 600.0,
    "backoff_initial_s": 0.001,
    "backoff_max_s": 0.001,
    "backoff_jitter_fraction": 0.0,
    "hang_s": 60.0,
    "start_s": 60.0,
}


class BoomError(Exception):
    """What the tests' handlers raise."""


class FinalError(Exception):
    """What no next life can do any better at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Message):
    """Is written down by its receiver."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Do(Message):
    """Is done by its receiver, which answers with what comes back."""

    act: Callable[["Worker"], Any]


class Heard(NamedTuple):
    """A message as its receiver took it."""

    generation: int
    message: Message
    envelope: Envelope


class Gate:
    """Holds whoever enters until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, _actor: "Worker | None" = None) -> None:
        self.entered.set()
        assert self.opened.wait(PATIENCE_S)

    def wait_until_entered(self) -> None:
        assert self.entered.wait(PATIENCE_S)


class Gates:
    """All gates of one test, so that its end can open them."""

    def __init__(self) -> None:
        self._gates: list[Gate] = []

    def new(self) -> Gate:
        gate = Gate()
        self._gates.append(gate)
        return gate

    def open(self) -> None:
        for gate in self._gates:
            gate.opened.set()


def _nothing(_actor: "Worker") -> None:
    return


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What one address does apart from its messages."""

    init: Callable[["Worker"], None] = _nothing
    start: Callable[["Worker"], None] = _nothing
    release: Callable[["Worker"], None] = _nothing


class Worker(SupervisedActor):
    """Writes down what it hears and does what it is told to do."""

    def __init__(self, incarnation: Incarnation, *, house: "House", hooks: Hooks) -> None:
        super().__init__(incarnation)
        self.house = house
        self.hooks = hooks
        self.state: list[Any] = []
        hooks.init(self)

    @property
    def generation(self) -> int:
        return self.incarnation.generation

    def _start_actor_loop(self) -> None:
        self.house.incarnations.append(self.incarnation)
        try:
            super()._start_actor_loop()
        except RuntimeError:
            self.house.incarnations.remove(self.incarnation)
            raise

    def on_start(self) -> None:
        self.hooks.start(self)

    def handle(self, message: Message) -> Any:
        if isinstance(message, Do):
            return message.act(self)
        self.house.note(self.name, Heard(self.generation, message, self._current))
        return None

    def release(self) -> None:
        self.hooks.release(self)


class House:
    """A system of workers, their supervisor, and all that was heard in it."""

    def __init__(
        self,
        names: Sequence[str],
        *,
        hooks: Mapping[str, Hooks],
        classes: Mapping[str, type[Worker]],
        vital: str | None,
        kept: str | None = None,
        probe: Probe | None,
        now_ms: Callable[[], int],
        policy: Mapping[str, Any],
        gates: Gates,
        concurrency: Concurrency = THREADS,
    ) -> None:
        self.system = ActorSystem(now_ms, probe, concurrency=concurrency)
        self.policy = RestartPolicy(**{**POLICY, **policy})
        self.supervisor = Supervisor(self.system, self.policy, Random(1), self._on_event)
        self.on_event: Callable[[str, CrashReport | None], None] = lambda _what, _report: None
        self.events: SimpleQueue[tuple[str, CrashReport | None]] = SimpleQueue()
        self.reports: list[CrashReport] = []
        self.incarnations: list[Incarnation] = []
        self.heard: dict[str, list[Heard]] = {name: [] for name in names}
        self.gates = gates
        self.specs = [
            ChildSpec(
                address=name,
                actor=classes.get(name, Worker),
                arguments={"house": self, "hooks": hooks.get(name, Hooks())},
                is_vital=name == vital,
                ends_all=(FinalError,),
                is_kept=name == kept,
            )
            for name in names
        ]

    def _on_event(self, what: str, report: CrashReport | None) -> None:
        if what != "given up" and report is not None:
            self.reports.append(report)
        self.events.put((what, report))
        self.on_event(what, report)

    def start(self) -> None:
        self.supervisor.start(self.specs)

    def note(self, address: str, heard: Heard) -> None:
        self.heard[address].append(heard)

    def tell(self, address: str, message: Message, *, latest: str | None = None) -> None:
        self.system.address(address).tell(message, sender="runtime", latest=latest)

    def ask(self, address: str, message: Message | None = None) -> Any:
        question = Ping() if message is None else message
        return self.system.address(address).ask(question, sender="runtime", timeout_s=PATIENCE_S)

    def hold(self, address: str) -> Gate:
        """Return a closed gate in which the actor stands."""
        gate = self.gates.new()
        self.tell(address, Do(act=gate))
        gate.wait_until_entered()
        return gate

    def wait_quiet(self) -> None:
        assert self.system.work.wait_quiet(PATIENCE_S), f"{self.system.work.count} left"

    def wait_event(self, what: str) -> CrashReport | None:
        """Return the report of the next event of a kind; others are skipped."""
        while True:
            found, report = self.events.get(timeout=PATIENCE_S)
            if found == what:
                return report

    def child(self, address: str) -> Child:
        return next(c for c in self.supervisor.children() if c.spec.address == address)

    def incarnation(self, address: str, generation: int) -> Incarnation:
        """Return one incarnation whose thread was started."""
        found = [i for i in self.incarnations if i.address.name == address]
        return next(i for i in found if i.generation == generation)

    def values(self, address: str) -> list[Any]:
        """Return the values of the notes that an address heard, in order."""
        return [h.message.value for h in self.heard[address] if isinstance(h.message, Note)]

    def news(self, address: str) -> list[Message]:
        """Return what an address heard of supervision, in order."""
        return [
            h.message for h in self.heard[address] if isinstance(h.message, Restarted | GivenUp)
        ]

    def dead_values(self) -> list[Any]:
        """Return the values of the notes that became dead letters."""
        messages = [letter.envelope.message for letter in self.system.dead_letters]
        return [message.value for message in messages if isinstance(message, Note)]

    def close(self) -> None:
        """End everything, and see that no incarnation goes on."""
        self.gates.open()
        late = self.supervisor.stop(PATIENCE_S)
        assert late == []
        for incarnation in self.incarnations:
            assert incarnation.ended.wait(PATIENCE_S), f"{incarnation.address.name} lives on"


def registered() -> list[str]:
    """Return the classes of the workers that Pykka's registry holds."""
    actors = [ref.actor_class for ref in pykka.ActorRegistry.get_all()]
    return [actor.__name__ for actor in actors if issubclass(actor, Worker)]


def failing(error: BaseException | None = None) -> Do:
    """Return a message that raises in its handler."""

    def act(_actor: Worker) -> None:
        raise BoomError("boom") if error is None else error

    return Do(act=act)


def telling(receiver: str, *values: Any) -> Do:
    """Return a message whose handler tells notes."""

    def act(actor: Worker) -> None:
        for value in values:
            actor.tell(receiver, Note(value=value))

    return Do(act=act)


def only_in(generation: int, act: Callable[[Worker], Any]) -> Callable[[Worker], Any]:
    """Return a hook that acts in one incarnation alone."""

    def hook(actor: Worker) -> Any:
        return act(actor) if actor.generation == generation else None

    return hook


def raising(error: BaseException) -> Callable[[Worker], Any]:
    """Return a hook that raises."""

    def hook(_actor: Worker) -> Any:
        raise error

    return hook
