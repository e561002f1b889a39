"""Runs loops as greenlets in one thread, one at a time, in an order and at times of its own.

A loop runs until it waits; who runs next is drawn from the seed. Time passes only where nobody can
run, and then jumps to the next thing that is due: nothing ever sleeps.
"""

import heapq
import queue
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import ceil
from random import Random
from typing import Any

from greenlet import getcurrent, greenlet

_S = 1_000_000
"""In microseconds, of which all times here are whole numbers."""


class ProcessDiedError(BaseException):
    """Raised in every loop of a process that was killed, so that its frames are let go of."""

    __traceback__ = None  # type: ignore[assignment]
    """An actor writes down where it crashed; nobody reads that here, and it costs half a start."""


class Timer:
    """A call that is still to come."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None] | None) -> None:
        self.call = call

    def cancel(self) -> None:
        """Let it not happen."""
        self.call = None


class Process:
    """Loops that die together."""

    def __init__(self) -> None:
        self.is_dead = False
        self.tasks: list[Task] = []


class Task:
    """One loop."""

    def __init__(
        self, scheduler: "Scheduler", process: Process, run: Callable[[], None], name: str
    ) -> None:
        self.process = process
        self.name = name
        self.is_ready = False
        self.is_over = False
        self.error: BaseException | None = None
        self._scheduler = scheduler
        self._run = run
        self._joining: list[Task] = []
        self.greenlet = greenlet(self._live, parent=scheduler.hub)

    def _live(self) -> None:
        try:
            self._run()
        except ProcessDiedError:
            pass
        except BaseException as error:  # noqa: BLE001 (shown by who judges the run)
            self.error = error
        self.is_over = True
        for task in self._joining:
            self._scheduler.wake(task)

    def is_alive(self) -> bool:
        """Tell whether the loop has not returned yet."""
        return not self.is_over

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has returned."""
        if not self.is_over and self._scheduler.is_in_loop:
            self._joining.append(self._scheduler.task)
            self._scheduler.wait(lambda: self.is_over, timeout)


class Scheduler:
    """All loops and timers of one world."""

    def __init__(
        self, rng: Random, choose: Callable[[Sequence["Task"]], int] | None = None
    ) -> None:
        """Begin at time 0.

        Args:
            rng: draws who runs next.
            choose: returns the place of who runs next among those that can; None: it is drawn.
        """
        self._choose = choose or (lambda ready: rng.randrange(len(ready)))
        self.hub = getcurrent()
        self.now_us = 0
        self.switches = 0
        self.lag_s = 0.0
        """How long a loop that could go on may have to wait for the processor."""
        self._rng = rng
        self._ready: list[Task] = []
        self._timers: list[tuple[int, int, Timer]] = []
        self._made = 0
        self._tasks: dict[greenlet, Task] = {}

    # For everybody.

    def now_s(self) -> float:
        """Return monotonic time, seconds."""
        return self.now_us / _S

    def call_in(self, delay_s: float, call: Callable[[], None]) -> Timer:
        """Call once, between two steps of loops."""
        self._made += 1
        timer = Timer(call)
        # Rounded up: whoever waits for less than a microsecond must not find that none has passed.
        due_us = self.now_us + max(0, ceil(delay_s * _S))
        heapq.heappush(self._timers, (due_us, self._made, timer))
        return timer

    def start(self, process: Process, run: Callable[[], None], name: str = "") -> Task:
        """Let a function run as a loop of a process."""
        task = Task(self, process, run, name)
        self._tasks[task.greenlet] = task
        process.tasks.append(task)
        self.wake(task)
        return task

    @property
    def task(self) -> Task:
        """The loop that runs."""
        return self._tasks[getcurrent()]

    @property
    def is_in_loop(self) -> bool:
        """Tell whether a loop runs, and not what is between their steps."""
        return getcurrent() is not self.hub

    # For loops.

    def wait(self, is_done: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Let others run until something is true, or some seconds have passed; tell whether it is.

        Whoever makes it true wakes the loop.
        """
        if not self.is_in_loop:
            return is_done()
        task = self.task
        if timeout_s is not None:
            deadline_us = self.now_us + ceil(timeout_s * _S)
            timer = self.call_in(timeout_s, lambda: self.wake(task))
        while not is_done():
            if timeout_s is not None and self.now_us >= deadline_us:
                return False
            self._switch(task)
        if timeout_s is not None:
            timer.cancel()
        return True

    def sleep(self, delay_s: float) -> None:
        """Let others run for some seconds."""
        self.wait(lambda: False, delay_s)

    def pause(self) -> None:
        """Let others run before the loop goes on at once."""
        if self.is_in_loop:
            task = self.task
            self.wake(task)
            self._switch(task)

    def wake(self, task: Task) -> None:
        """Let a loop look again at what it waits for."""
        if task.is_ready or task.is_over:
            return
        task.is_ready = True
        if self.lag_s and self._rng.random() < 0.1:
            self.call_in(self._rng.random() * self.lag_s, lambda: self._ready.append(task))
        else:
            self._ready.append(task)

    def _switch(self, task: Task) -> None:
        self.hub.switch()
        if task.process.is_dead:
            raise ProcessDiedError

    # For the world.

    def step(self) -> None:
        """Let one loop run until it waits, or the next timer make its call."""
        ready = self._ready
        while not ready:
            due_us, _, timer = heapq.heappop(self._timers)
            self.now_us = max(self.now_us, due_us)
            if timer.call is not None:
                timer.call()
                return
        place = self._choose(ready) if len(ready) > 1 else 0
        task = ready[place]
        ready[place] = ready[-1]
        ready.pop()
        task.is_ready = False
        if task.is_over:
            return
        self.switches += 1
        task.greenlet.switch()
        if task.is_over:
            self._forget(task)

    def bury(self, process: Process) -> None:
        """End all loops of a process that is dead."""
        for task in list(process.tasks):
            if not task.is_over:
                if task.greenlet:
                    task.greenlet.throw(ProcessDiedError)
                task.is_over = True
            self._forget(task)
        process.tasks.clear()

    def _forget(self, task: Task) -> None:
        self._tasks.pop(task.greenlet, None)
        with suppress(ValueError):
            task.process.tasks.remove(task)


class SimulatedThreads:
    """The actors' `Concurrency` for one process of a simulated world."""

    def __init__(self, scheduler: Scheduler, process: Process) -> None:
        self._scheduler = scheduler
        self._process = process
        self.now_s = scheduler.now_s

    def start(self, run: Callable[[], None], name: str) -> Task:
        """Run a function beside the caller."""
        if self._process.is_dead:
            raise ProcessDiedError
        return self._scheduler.start(self._process, run, name)

    def queue(self) -> "SimulatedQueue":
        """Return an empty queue."""
        return SimulatedQueue(self._scheduler, self._process)

    def flag(self) -> "SimulatedFlag":
        """Return a flag that is not set."""
        return SimulatedFlag(self._scheduler)

    def condition(self) -> "SimulatedCondition":
        """Return a condition."""
        return SimulatedCondition(self._scheduler)


class SimulatedQueue:
    """First in, first out."""

    def __init__(self, scheduler: Scheduler, process: Process) -> None:
        self._scheduler = scheduler
        self._process = process
        self._items: deque[Any] = deque()
        self._waiting: list[Task] = []

    def put(self, item: Any) -> None:
        """Add an item."""
        self._items.append(item)
        while self._waiting:
            self._scheduler.wake(self._waiting.pop())

    def empty(self) -> bool:
        """Tell whether nothing waits."""
        return not self._items

    def get(self, *, timeout: float | None = None) -> Any:
        """Wait for the oldest item; others may run first also where it is there already."""
        with suppress(ProcessDiedError):
            if self._process.is_dead:
                pass  # what was put is still taken: a loop may have to learn of its end
            elif self._items:
                self._scheduler.pause()
            else:
                self._wait(timeout)
        if self._items:
            return self._items.popleft()
        if self._process.is_dead:
            raise ProcessDiedError
        raise queue.Empty

    def _wait(self, timeout: float | None) -> None:
        if self._scheduler.is_in_loop:
            self._waiting.append(self._scheduler.task)
        self._scheduler.wait(self._items.__len__, timeout)  # type: ignore[arg-type]


class SimulatedFlag:
    """Something that happens once."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._is_set = False
        self._waiting: list[Task] = []

    def set(self) -> None:
        """Let it have happened."""
        self._is_set = True
        while self._waiting:
            self._scheduler.wake(self._waiting.pop())

    def is_set(self) -> bool:
        """Tell whether it has."""
        return self._is_set

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has."""
        if not self._is_set and self._scheduler.is_in_loop:
            self._waiting.append(self._scheduler.task)
        return self._scheduler.wait(self.is_set, timeout)


class SimulatedCondition:
    """Something that changes; nobody else runs while it is held."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._waiting: list[Task] = []

    def __enter__(self) -> bool:
        return True

    def __exit__(self, *_: object) -> None:
        return None

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until a predicate holds."""

        def look() -> bool:
            if self._scheduler.is_in_loop:
                self._waiting.append(self._scheduler.task)
            return predicate()

        return self._scheduler.wait(look, timeout)

    def notify_all(self) -> None:
        """Let those who wait look again."""
        while self._waiting:
            self._scheduler.wake(self._waiting.pop())
