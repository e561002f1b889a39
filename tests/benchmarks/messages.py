"""What a message costs between two actors."""

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from actors.core.actor import SupervisedActor
from actors.core.messages import Message
from actors.core.supervisor import ChildSpec, RestartPolicy, Supervisor
from actors.core.system import ActorSystem
from actors.core.trace import Record
from infra.process.processor import on_one_processor
from infra.trace.recorder import TraceRecorder, TraceRules
from infra.trace.records import Session

TOLD = 50_000
ROUNDS = 10
SESSION = Session(1, "bench", 0, 0, "", [])
RULES = TraceRules(
    ring=2000,
    flush_s=0.25,
    segment_bytes=64_000_000,
    segment_s=1e9,
    kept_bytes=2_000_000_000,
    kept_s=1e9,
    tick_every=1,
    crash_files=1,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ball(Message):
    """A message that says how often it is still to be passed on."""

    left: int


class Player(SupervisedActor):
    """Passes the ball to the other one."""

    def handle(self, message: Message) -> None:
        assert isinstance(message, Ball)
        if message.left:
            self.tell("b" if self.name == "a" else "a", Ball(left=message.left - 1))


def measure(_candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the cost of a hop between two actors, of a message among many, and of the trace."""
    with on_one_processor():
        with _players(None) as system:
            yield "hop from actor to actor", f"{_timed(system, 1, TOLD):.1f} us", ""
            yield "message of a long queue", f"{_timed(system, TOLD, 0):.1f} us", ""
        plain, traced = zip(*(_pair() for _ in range(ROUNDS)), strict=True)
    cost_us = median(traced) - median(plain)
    yield "its recording, in the actors' threads", f"{cost_us:.1f} us", "<= 10 us"


def _pair() -> tuple[float, float]:
    """Return what a hop costs without and with a trace, measured one after the other."""
    with _players(None) as system:
        plain_us = _timed(system, 1, TOLD // ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        recorder = TraceRecorder(Path(folder), SESSION, RULES)
        recorder.start([])
        with _players(recorder) as system:
            traced_us = _timed(system, 1, TOLD // ROUNDS)
        recorder.close()
    return plain_us, traced_us


@contextmanager
def _players(record: Record | None) -> Iterator[ActorSystem]:
    system = ActorSystem(lambda: 0, record=record)
    policy = RestartPolicy(
        max_restarts=0,
        within_s=1.0,
        backoff_initial_s=1.0,
        backoff_max_s=1.0,
        backoff_jitter_fraction=0.0,
        hang_s=600.0,
        start_s=600.0,
    )
    supervisor = Supervisor(system, policy, random.Random(0))
    supervisor.start([ChildSpec(address=name, actor=Player) for name in ("a", "b")])
    system.work.wait_quiet(10.0)
    yield system
    supervisor.stop(10.0)


def _timed(system: ActorSystem, balls: int, left: int) -> float:
    began_s = time.perf_counter()
    for _ in range(balls):
        system.address("a").tell(Ball(left=left), sender="bench")
    system.work.wait_quiet(600.0)
    return (time.perf_counter() - began_s) / max(balls, left) * 1e6
