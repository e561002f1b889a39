"""Polls the snapshot of one running system, at most twice a second, however many browsers watch."""

import asyncio
import http.client
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from loguru import logger

from domain.errors import ConfigError
from domain.operator.system import SystemSnapshot
from infra.operator.control.client import MOST_BYTES
from infra.operator.control.page_routes import ACT_PATH, SNAPSHOT_PATH, read_snapshot
from infra.operator.control.token import PAGE_TOKEN_FILE, read_address, read_token

_EVERY_S, _UNWATCHED_S = 0.5, 5.0
"""Polling interval: a fact is on the screen within a second, including the actors' answer time."""
_SNAPSHOT_S = 1.5
"""Longest wait for an answer: with the interval, a hung system is noticed within three seconds."""
_ACT_S = 30.0
_MOST_ACTS = 4
"""Most commands at once; a panic has a slot of its own."""


class NoSystemError(Exception):
    """The system does not answer; the text says in what way."""


class System:
    """The system of one run directory, and whether it answers."""

    def __init__(self, directory: Path) -> None:
        """Prepare the client; nothing is asked yet."""
        self.directory = directory
        self.snapshot: SystemSnapshot | None = None
        """The newest answer, however old."""
        self.answered_ms: int | None = None
        """When it arrived, machine clock; None: there was none."""
        self.trouble: str | None = "not asked yet"
        """Why there is currently no answer; None: there is one."""
        self.watchers = 0
        """Number of browsers waiting for changes."""
        self.on_look: Callable[[], None] = lambda: None
        """Called after each poll."""
        self._polls, self._acts = CapacityLimiter(2), CapacityLimiter(_MOST_ACTS)
        self._panics = CapacityLimiter(_MOST_ACTS)
        self._wanted = asyncio.Event()

    def want(self) -> None:
        """Poll soon: a browser has started to watch."""
        self._wanted.set()

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            began_s = time.monotonic()
            await self._look()
            self.on_look()
            await asyncio.sleep(max(0.0, _EVERY_S - (time.monotonic() - began_s)))
            # Browsers that started to watch meanwhile wait no longer than the others.
            if self.watchers:
                continue
            self._wanted.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), _UNWATCHED_S - _EVERY_S)

    async def act(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Pass on a command; return the HTTP status and the answer.

        Raises:
            NoSystemError: none came; the command may have been carried out or not.
        """
        limiter = self._panics if body["command"] == "panic" else self._acts
        if limiter.available_tokens < 1:
            return 429, {"code": "refused", "title": "too many commands at once; wait a moment"}
        text = json.dumps(body).encode()
        status, answer = await to_thread.run_sync(
            lambda: self._ask("POST", ACT_PATH, text, _ACT_S), limiter=limiter
        )
        try:
            found = json.loads(answer)
        except ValueError as error:
            raise NoSystemError("its answer is not that of a trading system") from error
        return status, found if isinstance(found, dict) else {}

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(_SNAPSHOT_S):
                status, body = await to_thread.run_sync(
                    lambda: self._ask("GET", SNAPSHOT_PATH, None, _SNAPSHOT_S),
                    limiter=self._polls,
                    abandon_on_cancel=True,
                )
            if status == http.client.OK:
                self.snapshot = read_snapshot(body)
                self.answered_ms, self.trouble = time.time_ns() // 1_000_000, None
            else:
                self.trouble = f"it answers with HTTP {status}"
        except TimeoutError:
            self.trouble = "it does not answer in time"
        except NoSystemError as error:
            self.trouble = str(error)
        except ValueError as error:  # msgspec's errors are ValueErrors too
            logger.debug("an answer that is not a snapshot: {}", error)
            self.trouble = "its answer cannot be read; is it another version?"

    def _ask(self, method: str, path: str, body: bytes | None, wait_s: float) -> tuple[int, bytes]:
        try:
            address = read_address(self.directory)
            if address is None:
                raise NoSystemError("it is not running")
            token = read_token(self.directory, PAGE_TOKEN_FILE)
        except ConfigError as error:
            raise NoSystemError(str(error)) from error
        line = http.client.HTTPConnection(address.host, address.port, timeout=wait_s)
        try:
            line.request(method, path, body, {"Authorization": f"Bearer {token}"})
            answer = line.getresponse()
            return answer.status, answer.read(MOST_BYTES)
        except TimeoutError as error:
            raise NoSystemError("it does not answer in time") from error
        except (OSError, http.client.HTTPException) as error:
            raise NoSystemError("it is not running") from error
        finally:
            line.close()
