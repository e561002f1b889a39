"""What a message costs between two actors."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from actors.core.actor import SupervisedActor
from actors.core.messages import Message
from actors.core.supervisor import ChildSpec, RestartPolicy, Supervisor
from actors.core.system import ActorSystem

TOLD = 50_000


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
    """Yield the cost of a hop between two actors, and of a message among many that wait."""
    system = ActorSystem(lambda: 0)
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
    yield "hop from actor to actor", f"{_timed(system, 1, TOLD):.1f} us", ""
    yield "message of a long queue", f"{_timed(system, TOLD, 0):.1f} us", ""
    supervisor.stop(10.0)


def _timed(system: ActorSystem, balls: int, left: int) -> float:
    began_s = time.perf_counter()
    for _ in range(balls):
        system.address("a").tell(Ball(left=left), sender="bench")
    system.work.wait_quiet(600.0)
    return (time.perf_counter() - began_s) / max(balls, left) * 1e6
