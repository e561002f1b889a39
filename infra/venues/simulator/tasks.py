"""Background tasks of the exchange, and the error that ends it."""

import asyncio
import contextlib
from collections.abc import Coroutine


class Tasks:
    """All background tasks of one event loop."""

    def __init__(self) -> None:
        self.failed = asyncio.Event()
        self.failure: BaseException | None = None
        """The error that ended a task: a bug, which ends the exchange."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    def spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    async def pause(self, seconds: float) -> None:
        """Wait real seconds, but not beyond the end of the exchange."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    async def close(self) -> None:
        self._closing.set()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.failure = task.exception()
            self.failed.set()
