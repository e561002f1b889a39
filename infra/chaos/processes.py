"""The two processes of a run: the exchange, which lives through it, and the system, which dies."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from domain.errors import TradingError

_START_S = 60.0
_POLL_S = 0.05


class ChaosError(TradingError):
    """A process of the run did not do what every run needs: start, answer or end."""


class Process:
    """A child with its output in a file."""

    def __init__(self, command: Sequence[str], output: Path, environ: Mapping[str, str]) -> None:
        """Start it."""
        self._output = output.open("ab")
        self._popen = subprocess.Popen(  # noqa: S603 (our own commands)
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environ},
        )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._popen.pid

    @property
    def code(self) -> int | None:
        """How it ended; negative: by that signal; None while it lives."""
        return self._popen.poll()

    def wait(self, timeout_s: float) -> int | None:
        """Return how it ended; None where it still lives."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def end(self, number: signal.Signals, timeout_s: float) -> int | None:
        """Send a signal and wait."""
        self._popen.send_signal(number)
        return self.wait(timeout_s)

    def close(self) -> None:
        """Kill it where it lives, and let go."""
        if self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait()
        self._output.close()


class ExchangeProcess(Process):
    """The simulated exchange, and its own word on what happened."""

    def __init__(self, command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        """Start it and wait until it listens."""
        output = folder / "exchange.txt"
        super().__init__(command, output, environ)
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
        if self.code is not None:
            raise ChaosError(f"the exchange did not start:\n{output.read_text()}")
        _, found, rest = output.read_text().partition("listening on http://")
        self.host = rest.split("\n")[0]
        return bool(found) and rest.endswith("\n")

    def _call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.host}{path}", data, method=method)
        deadline_s = time.monotonic() + _START_S
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
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
