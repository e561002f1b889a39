"""Backtests and reports requested on the page: one at a time, niced, kept as files.

Each is a command in a process of its own, which trading never waits for: `bin/backtest` on a folder
of candles, or `bin/parity --report` on a run. Its results outlive the page.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec

from domain.text import plain
from infra.operator.web.files import read_json, write_private
from infra.secrets.vault import FILE as VAULT_FILE

DIRECTORY = "web.jobs"
REPORT_FILE = "report.html"
EQUITY_FILE = "equity.csv"
_FIGURES_FILE, _ASKED_FILE, _END_FILE = "figures.json", "asked.json", "end.json"
_PROGRESS_FILE = "progress.json"
_NICENESS = "19"
_MOST_KEPT, _MOST_WAITING = 40, 5
_LONGEST_S = 900.0
_LAST_WORDS = 400
JOB_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")
_TIME = r"^$|^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2})?$"
_ROOT = Path(__file__).resolve().parents[3]


class Kind(StrEnum):
    """The kind of a job."""

    RUN = "run"
    """What the run did, compared with the backtest of its candles."""
    BACKTEST = "backtest"
    """A backtest of a folder of candles."""


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """A job as requested by a browser. Empty: the command's default."""

    kind: Kind
    candles: Annotated[str, msgspec.Meta(max_length=80)] = ""
    """One of `candle_folders`."""
    settings: Annotated[str, msgspec.Meta(max_length=80)] = ""
    """One of `settings_files`."""
    assets: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9, ]{0,400}$")] = ""
    balance: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{0,12}(\.[0-9]{1,2})?$")] = ""
    from_time: Annotated[str, msgspec.Meta(pattern=_TIME)] = ""
    to_time: Annotated[str, msgspec.Meta(pattern=_TIME)] = ""


class Jobs:
    """The jobs of one run directory; to be used in one event loop."""

    def __init__(self, directory: Path, journals: Mapping[str, Path]) -> None:
        """Load the earlier jobs.

        Args:
            directory: of the jobs.
            journals: the directory of each run, by its name.
        """
        self._home = directory / DIRECTORY
        self._runs = journals
        self._var = directory.parent
        self._waiting: list[str] = []
        self._running: str | None = None
        self._began_s = 0.0
        self._news = asyncio.Event()

    def candle_folders(self) -> dict[str, Path]:
        """Return the folders of candles available for backtests, by name."""
        found = (self._var / "candles", self._home.parent / "candles")
        folders = [*found, *(each for one in found if one.is_dir() for each in one.iterdir())]
        return {
            str(each.relative_to(self._var)): each
            for each in sorted(folders)
            if each.is_dir() and any(each.glob("*USDT.*"))
        }

    def settings_files(self) -> dict[str, Path]:
        """Return the settings files available for backtests, by name."""
        return {each.name: each for each in sorted((_ROOT / "examples").glob("*.yaml"))}

    def ask(self, wanted: Wanted, user: str, run: str) -> str:
        """Accept a job, and return its id.

        Raises:
            ValueError: it cannot be done; the text says why.
            OSError: it cannot be stored.
        """
        command = self._command(wanted, run)
        if len(self._waiting) >= _MOST_WAITING:
            raise ValueError("too many jobs wait; try again later")
        job_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"
        folder = self._home / job_id
        self._home.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700)
        asked = {
            **msgspec.to_builtins(wanted),
            "user": plain(user),
            "run": run,
            "asked_ms": time.time_ns() // 1_000_000,
        }
        write_private(folder / _ASKED_FILE, json.dumps({"asked": asked, "command": command}))
        self._forget()
        self._waiting.append(job_id)
        self._news.set()
        return job_id

    def report(self, job_id: str) -> Path | None:
        """Return the report of a job; None: there is none."""
        return self._made(job_id, REPORT_FILE)

    def curve(self, job_id: str) -> Path | None:
        """Return the equity file of a job; None: there is none."""
        return self._made(job_id, EQUITY_FILE)

    def _made(self, job_id: str, name: str) -> Path | None:
        if not JOB_ID.fullmatch(job_id):
            return None
        file = self._home / job_id / name
        return file if file.is_file() and self._state(job_id) == "done" else None

    def listed(self) -> list[dict[str, Any]]:
        """Return all jobs with their results, newest first."""
        return [self._told(job_id) for job_id in self._kept()]

    async def run(self) -> None:
        """Run the jobs, one after another, until cancelled."""
        while True:
            while self._waiting:
                self._running, self._began_s = self._waiting.pop(0), time.monotonic()
                try:
                    await self._do(self._running)
                finally:
                    self._running = None
            self._news.clear()
            await self._news.wait()

    def _command(self, wanted: Wanted, run: str) -> list[str]:
        options = {"--from": wanted.from_time, "--to": wanted.to_time}
        if wanted.kind is Kind.RUN:
            if (self._runs[run] / VAULT_FILE).exists():
                raise ValueError(f"{run} is encrypted, and a report would be readable beside it")
            begin = ["-m", "bin.parity", "--run-dir", str(self._runs[run].resolve())]
        else:
            candles = self.candle_folders().get(wanted.candles)
            settings = self.settings_files().get(wanted.settings)
            if candles is None:
                raise ValueError("no such folder of candles")
            if wanted.settings and settings is None:
                raise ValueError("no such settings")
            begin = ["-m", "bin.backtest", "--candles", str(candles.resolve())]
            options |= {
                "--assets": wanted.assets.replace(" ", ""),
                "--balance": wanted.balance,
                "--settings": "" if settings is None else str(settings),
            }
        given = [word for name, value in options.items() if value for word in (name, value)]
        files = ["--report", REPORT_FILE, "--equity", EQUITY_FILE, "--progress", _PROGRESS_FILE]
        return [*begin, *given, "--json", *files]

    async def _do(self, job_id: str) -> None:
        folder = self._home / job_id
        command = (read_json(folder / _ASKED_FILE) or {}).get("command", [])
        try:
            code, words = await self._run_process(folder, command)
        except (OSError, TimeoutError) as error:
            code, words = None, str(error) or f"ended after {_LONGEST_S:.0f} s"
        end = {"code": code, "words": words, "took_s": round(time.monotonic() - self._began_s, 1)}
        with suppress(OSError):
            write_private(folder / _END_FILE, json.dumps(end))

    async def _run_process(self, folder: Path, command: Iterable[str]) -> tuple[int | None, str]:
        """Run a command to its end; cancelling this ends it."""
        with (folder / _FIGURES_FILE).open("wb") as figures:
            process = await asyncio.create_subprocess_exec(
                "nice",
                "-n",
                _NICENESS,
                sys.executable,
                *command,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(_ROOT), "PYTHONSAFEPATH": "1"},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=figures,
                stderr=asyncio.subprocess.PIPE,
            )
        try:
            async with asyncio.timeout(_LONGEST_S):
                _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        # Some commands report errors on stdout.
        told = said if said or not process.returncode else (folder / _FIGURES_FILE).read_bytes()
        words = " ".join(told.decode(errors="replace").split())
        return process.returncode, plain(words[-_LAST_WORDS:])

    def _told(self, job_id: str) -> dict[str, Any]:
        folder, state = self._home / job_id, self._state(job_id)
        end = read_json(folder / _END_FILE) or {}
        return {
            "id": job_id,
            "state": state,
            "asked": (read_json(folder / _ASKED_FILE) or {}).get("asked", {}),
            "words": end.get("words", ""),
            "took_s": round(time.monotonic() - self._began_s)
            if state == "running"
            else end.get("took_s"),
            "progress": read_json(folder / _PROGRESS_FILE) if state == "running" else None,
            "figures": read_json(folder / _FIGURES_FILE) if state == "done" else None,
        }

    def _state(self, job_id: str) -> str:
        if job_id == self._running:
            return "running"
        if job_id in self._waiting:
            return "waits"
        end = read_json(self._home / job_id / _END_FILE)
        if not isinstance(end, dict):
            return "ended with the page"
        return "done" if end.get("code") == 0 else "failed"

    def _kept(self) -> list[str]:
        try:
            names = [each.name for each in self._home.iterdir() if JOB_ID.fullmatch(each.name)]
        except OSError:
            return []
        return sorted(names, reverse=True)

    def _forget(self) -> None:
        busy = {self._running, *self._waiting}
        for job_id in self._kept()[_MOST_KEPT:]:
            if job_id not in busy:
                shutil.rmtree(self._home / job_id, ignore_errors=True)
