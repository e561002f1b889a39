"""The simulated exchange as a process: it prints its address, and ends on a signal."""

import asyncio
import signal
import sys
from collections.abc import Callable

from infra.venues.simulator import exchange
from infra.venues.simulator.core import Simulator
from infra.venues.simulator.recording.player import Player

Tell = Callable[[int], None]
"""Called with the port once it listens."""


async def serve(simulator: Simulator, tell: Tell, *, is_bound: bool) -> None:
    """Serve a simulated exchange until a signal arrives or, if bound, standard input closes."""
    stopped = _stopped(is_bound=is_bound)

    async def until() -> None:
        tell(simulator.wire.port)
        await stopped.wait()

    await exchange.serve(simulator, until)


async def play(player: Player, port: int, tell: Tell, *, is_bound: bool) -> None:
    """Answer from recorded traffic, likewise."""
    stopped = _stopped(is_bound=is_bound)

    async def until(port: int) -> None:
        tell(port)
        await stopped.wait()

    await player.serve(port, until)


def _stopped(*, is_bound: bool) -> asyncio.Event:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if is_bound:
        # The pipe closes when the process that started this has died, however it died.
        loop.add_reader(sys.stdin.fileno(), stop.set)
    return stop
