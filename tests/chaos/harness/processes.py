"""The two processes of a run: the exchange, which lives through it, and the system, which dies.

Both are forked from one process that has imported their libraries already: a run has three or four
starts, and the imports would be most of its work.
"""

import json
import multiprocessing
import os
import runpy
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from domain.errors import TradingError

_START_S = 60.0
_POLL_S = 0.05
_FORKS = multiprocessing.get_context("forkserver")


class ChaosError(TradingError):
    """A process of the run did not do what every run needs: start, answer or end."""


def import_before(modules: Sequence[str]) -> None:
    """Let all children be forked from a process that has imported these; call before the first."""
    # __main__ is multiprocessing's own default, and left out it is imported again by each child.
    _FORKS.set_forkserver_preload(["__main__", *modules])


class Process:
    """A child with its output in a file."""

    def __init__(self, command: Sequence[str], output: Path) -> None:
        """Start it.

        Args:
            command: the name of a module that is run as a program, and its arguments.
            output: where it prints, behind what is there.
        """
        self._child = _FORKS.Process(target=_become, args=(list(command), str(output)))
        self._child.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        pid = self._child.pid
        assert pid is not None
        return pid

    @property
    def code(self) -> int | None:
        """How it ended; negative: by that signal; None while it lives."""
        return self._child.exitcode

    def wait(self, timeout_s: float) -> int | None:
        """Return how it ended; None where it still lives."""
        self._child.join(timeout_s)
        return self.code

    def end(self, number: signal.Signals, timeout_s: float) -> int | None:
        """Send a signal and wait."""
        if self.code is None:
            os.kill(self.pid, number)
        return self.wait(timeout_s)

    def close(self) -> None:
        """Kill it where it lives."""
        self._child.kill()
        self._child.join()


def _become(command: list[str], output: str) -> None:
    """Be the program, in the child."""
    out, nothing = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT), os.open(os.devnull, 0)
    for source, target in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


class ExchangeProcess(Process):
    """The simulated exchange, and its own word on what happened."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        """Start it and wait until it listens."""
        output = folder / "exchange.txt"
        super().__init__(command, output)
        self.host = ""
        wait_until(lambda: self._listens(output), _START_S, "the exchange listens")

    def add_fault(self, spec: Mapping[str, Any]) -> int:
        """Let something go wrong; returns the fault's number."""
        return int(self._call("POST", "/sim/faults", spec)["ids"][0])

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self._call("DELETE", "/sim/faults")

    def state(self) -> Any:
        """Return time, money, positions and faults."""
        return self._call("GET", "/sim/state")

    def records(self) -> Any:
        """Return all orders, executions and stops."""
        return self._call("GET", "/sim/records")

    def _listens(self, output: Path) -> bool:
        text = output.read_text() if output.exists() else ""
        if self.code is not None:
            raise ChaosError(f"the exchange did not start:\n{text}")
        _, found, rest = text.partition("listening on http://")
        self.host = rest.split("\n")[0]
        return bool(found) and rest.endswith("\n")

    def _call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.host}{path}", data, method=method)
        deadline_s = time.monotonic() + _START_S
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return json.load(answer)
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                # It is playing dead, as it was told to.
                if self.code is not None or time.monotonic() > deadline_s:
                    raise
                time.sleep(_POLL_S)


def wait_until(wanted: Callable[[], object], timeout_s: float, what: str) -> None:
    """Wait until something is so.

    Raises:
        ChaosError: it was not in time.
    """
    deadline_s = time.monotonic() + timeout_s
    while not wanted():
        if time.monotonic() > deadline_s:
            raise ChaosError(f"not within {timeout_s:g} s: {what}")
        time.sleep(_POLL_S)
