"""A process beside the trading system, restarted if it ends; trading never waits for it."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from loguru import logger

from infra.process.processor import on_any_processor

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_LONG_LIFE_S = 60.0
"""A process that ran this long is restarted at once."""


class KeptProcess:
    """A process that is kept running until it is closed."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        stop_s: float,
        log: Path | None = None,
    ) -> None:
        """Start it in the background.

        Args:
            name: in messages.
            command: program and arguments.
            environment: variables of the process.
            stop_s: how long it may take to end when asked to.
            log: file that its output is appended to; None: the output is discarded.
        """
        self._name, self._command, self._environment = name, command, environment
        self._stop_s, self._log = stop_s, log
        self._is_closed = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name=name, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Id of the process that was started last."""
        process = self._process
        return None if process is None else process.pid

    def close(self) -> None:
        self._is_closed.set()
        with self._lock:
            process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
        self._thread.join(self._stop_s)
        if process is not None and process.poll() is None:
            process.kill()

    def _keep(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._is_closed.is_set():
            began_s = time.monotonic()
            ended = self._run_once()
            if self._is_closed.is_set():
                return
            lived_s = time.monotonic() - began_s
            pause_s = _FIRST_PAUSE_S if lived_s > _LONG_LIFE_S else pause_s
            see = "" if self._log is None else f", see {self._log}"
            told = "{} {}; it is started again in {:.0f} s{}"
            logger.warning(told, self._name, ended, pause_s, see)
            self._is_closed.wait(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    def _run_once(self) -> str:
        """Run the process to its end, and return how it ended."""
        try:
            with _opened(self._log) as log, on_any_processor():
                process = subprocess.Popen(  # noqa: S603 (ours)
                    self._command,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    # Ctrl-C is meant for the system, which then stops this process.
                    start_new_session=True,
                )
        except OSError as error:
            return f"cannot be started: {error.strerror}"
        with self._lock:
            self._process = process
            if self._is_closed.is_set():
                process.terminate()
        return f"ended with {process.wait()}"


@contextmanager
def _opened(log: Path | None) -> Iterator[int]:
    if log is None:
        yield subprocess.DEVNULL
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    number = os.open(log, flags, 0o600)
    try:
        yield number
    finally:
        os.close(number)
