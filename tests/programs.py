"""Commands of bin/ as processes of their own, forked from one that has imported their libraries.

A start costs a second of work in a new interpreter, most of it imports; the tests start hundreds.
What an interpreter reads when it starts (-X, PYTHONHASHSEED) needs a real one, and so do terminals,
and sweeps, whose processes joblib ends by `atexit`: here that is not run.
"""

import atexit
import io
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

_MODULES = (
    "bin.backtest",
    "bin.candles",
    "bin.check",
    "bin.ctl",
    "bin.parity",
    "bin.run_actors",
    "bin.setup",
    "bin.sim_exchange",
    "bin.store",
    "bin.trace",
    "bin.web",
)
ROOT = Path(__file__).resolve().parents[1]
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["__main__", __name__, *_MODULES])


class Program:
    """A child, as `subprocess.Popen` shows one."""

    def __init__(
        self,
        *command: str,
        cwd: Path = ROOT,
        env: Mapping[str, str],
        stdout: Path,
        stderr: Path | None = None,
        stdin: Path | None = None,
    ) -> None:
        """Start it.

        Args:
            command: the name of a module that is run as a program, and its arguments.
            cwd: where it is.
            env: all of its environment.
            stdout: where it prints, behind what is there.
            stderr: likewise; None: there too.
            stdin: what it reads; None: nothing.
        """
        self.args = command
        self.returncode: int | None = None
        files = (str(stdin or os.devnull), str(stdout), str(stderr or stdout))
        self._child = _FORKS.Process(target=_become, args=(command, str(cwd), dict(env), files))
        atexit.register(self.kill)  # multiprocessing would wait for it
        self._child.start()
        assert self._child.pid is not None
        self.pid = self._child.pid

    def poll(self) -> int | None:
        """Return how it ended; None while it lives."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended; negative: by that signal."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal where it lives."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout_s: float | None) -> int | None:
        if self.returncode is None:
            self._child.join(timeout_s)
            self.returncode = self._child.exitcode
            if self.returncode is not None:
                self._child.close()
                atexit.unregister(self.kill)
        return self.returncode


def run_program(
    *command: str,
    cwd: Path = ROOT,
    env: Mapping[str, str],
    timeout_s: float = 60,
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    """Return how a program ended, and what it has printed."""
    with tempfile.TemporaryDirectory() as folder:
        given, out, err = (Path(folder) / name for name in ("in", "out", "err"))
        given.write_text(stdin)
        program = Program(*command, cwd=cwd, env=env, stdout=out, stderr=err, stdin=given)
        try:
            code = program.wait(timeout_s)
        finally:
            program.kill()
            program.wait()
        return subprocess.CompletedProcess(command, code, out.read_text(), err.read_text())


def _become(
    command: tuple[str, ...], cwd: str, env: dict[str, str], files: tuple[str, str, str]
) -> None:
    """Run the program in the forked child."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, (file, flags) in enumerate(
        zip(files, (os.O_RDONLY, *(2 * [os.O_WRONLY | os.O_APPEND | os.O_CREAT])), strict=True)
    ):
        os.dup2(os.open(file, flags, 0o644), number)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), "utf-8")
    sys.argv = list(command)
    sys.modules.pop(command[0], None)  # runpy warns of a module that was imported before
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
