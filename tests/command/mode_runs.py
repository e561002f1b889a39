"""Runs of the command at a simulated exchange that stands in for Bybit's own addresses."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.programs import Program
from tests.venues.simulator.clients import Client

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 100
LOOK_EVERY_S = 0.05
SPEED = 240


def settings_at(client: Client, speed: float = SPEED, **more: object) -> dict[str, Any]:
    """Return settings that put a mode's venue on loopback."""
    exchange = {
        "rest_url": client.sim.base_url,
        "public_stream_url": f"{client.sim.ws_url}/v5/public/linear",
        "private_stream_url": f"{client.sim.ws_url}/v5/private",
        "clock_speed": speed,
    }
    return {
        "exchange": exchange,
        "strategy": {"entry_max_age_ms": 120_000},
        "supervision": {"shutdown_seconds": 10},
    } | more


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return what a process needs, with a home of its own."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "200"}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "WEB_ENABLED": "false"} | more


class ModeRun:
    """One start of the command in a mode."""

    def __init__(
        self, folder: Path, mode: str, settings: dict[str, Any], run_dir: str = "run", **env: str
    ) -> None:
        self.run_dir = folder / run_dir
        (folder / "settings.yaml").write_text(json.dumps(settings))
        self.log = self.run_dir / "logs" / f"{mode}.jsonl"
        self._skip = self.log.stat().st_size if self.log.exists() else 0
        self._out = folder / f"{run_dir}.out"
        self._out.write_text("")
        self.process = Program(
            *("bin.run_actors", "--mode", mode),
            *("--run-dir", str(self.run_dir), "--settings", str(folder / "settings.yaml")),
            cwd=folder,
            env=environment(folder, **env),
            stdout=self._out,
        )

    def shown(self) -> str:
        """Return what it has shown."""
        return self._out.read_text()

    def lines(self) -> list[str]:
        """Return what this start has logged."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as lines:
            lines.seek(self._skip)
            return [json.loads(line)["message"] for line in lines if line.endswith(b"\n")]

    def wait_for(self, words: str) -> str:
        """Return the first logged line that holds some words."""
        return self.wait(
            lambda: next((line for line in self.lines() if words in line), None), words
        )

    def wait_until_shown(self, words: str) -> None:
        """Wait until the screen holds some words."""
        self.wait(lambda: words in self.shown(), words)

    def wait(self, wanted: Callable[[], Any], what: str) -> Any:
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            found = wanted()
            if found:
                return found
            assert self.process.poll() is None, f"ended before {what}: {self.shown()}"
            # A look that spins would take the time of what it waits for.
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(LOOK_EVERY_S)
        raise AssertionError(f"not in {PATIENCE_S} s: {what}: {self.shown()}")

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def code(self) -> int:
        """Return the exit code of a run that ends by itself."""
        return self.process.wait(60)
