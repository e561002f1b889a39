"""One run as seen by all browsers: read once, sent to every waiting one."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from loguru import logger

from domain.operator.system import SystemSnapshot
from domain.rules import TradingRules
from infra.operator.web.changes import changes
from infra.operator.web.facts import NoFactsError, read_ended, read_rules
from infra.operator.web.history import AssetHistory
from infra.operator.web.messages import MessageTail
from infra.operator.web.overview import overview
from infra.operator.web.system import System

_SAME_S = 2.0
"""How long one answer is reused for all browsers."""
_AGAIN_S = 3.0
_LOOKS = 2
"""Most journals read at once: a page must not take the disk from trading."""


class Hub:
    """The current state of one run."""

    def __init__(self, directory: Path, name: str) -> None:
        """Prepare the hub; nothing is known yet."""
        self.directory = directory
        self.name = name
        self.system = System(directory)
        self.system.on_look = self._look
        self.rules: TradingRules | None = None
        self.version = 0
        self.view: dict[str, Any] = {}
        self.histories: dict[str, AssetHistory] = {}
        """By asset; to be used only under the lock."""
        self.history_lock = threading.Lock()
        self.tail = MessageTail(directory)
        self._ended: asyncio.Task[None] | None = None
        self._answers: dict[str, tuple[float, asyncio.Task[Any]]] = {}
        self._before: dict[str, Any] = {}
        self._sent: dict[int, str] = {}
        """Messages to the newest version, by the version that a browser has."""
        self._news = asyncio.Event()
        self._disk = CapacityLimiter(_LOOKS)

    async def run(self) -> None:
        """Poll the run until cancelled."""
        await self.system.run()

    async def read(self, function: Any, *given: Any) -> Any:
        """Return the result of a function of this run's directory and rules, called in a thread.

        Raises:
            NoFactsError: it cannot be read.
        """
        return await to_thread.run_sync(function, *given, limiter=self._disk)

    async def once(self, name: str, answer: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Return an answer, or a recent one, so that many browsers cause one read.

        Raises:
            NoFactsError: it cannot be read.
        """
        asked_s, task = self._answers.get(name, (0.0, None))
        if task is None or (task.done() and time.monotonic() - asked_s > _SAME_S):
            task = asyncio.create_task(answer())
            self._answers[name] = time.monotonic(), task
        return await asyncio.shield(task)

    async def known_rules(self) -> TradingRules:
        """Return the rules of the run.

        Raises:
            NoFactsError: they are not known yet.
        """
        if self.rules is None:
            self.rules = await self.read(read_rules, self.directory)
        return self.rules

    def notionals(self) -> dict[str, float]:
        """Return the open positions as shown: signed notionals, quote, at the newest prices."""
        assets = self.view.get("assets", {})
        prices = {name: asset["price_number"] for name, asset in assets.items()}
        shown = self.view.get("shown", {})
        return {name: float(qty) * prices[name] for name, qty in shown.items() if prices.get(name)}

    async def next_message(self, version: int) -> tuple[int, str]:
        """Wait for changes since a version, and return the newest version and the way to it."""
        while version == self.version:
            news = self._news
            await news.wait()
        if version not in self._sent:
            base = self._before if version == self.version - 1 else {}
            change = changes(base, self.view)
            is_whole = base == {}
            body = {"version": self.version, "is_whole": is_whole, "change": change}
            self._sent[version] = json.dumps(body, separators=(",", ":"))
        return self.version, self._sent[version]

    def _look(self) -> None:
        self._show(self._seen())

    def _show(self, view: dict[str, Any]) -> None:
        if view == self.view:
            return
        self._before, self.view = self.view, view
        self.version += 1
        self._sent = {}
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _seen(self) -> dict[str, Any]:
        system = self.system
        page = {
            "run": self.name,
            "is_alive": system.trouble is None,
            "trouble": system.trouble,
            "answered_ms": system.answered_ms,
        }
        if system.trouble is not None:
            if self._ended is None and "state" not in self.view:
                self._ended = asyncio.create_task(self._read_ended())
            return {**self.view, **page}
        try:
            rules = self._rules_now()
            return {**page, "looked_ms": time.time_ns() // 1_000_000} | (
                {} if rules is None else overview(_taken(system), rules)
            )
        except (KeyError, StopIteration) as error:  # an asset that is no longer in the rules
            logger.debug("the rules are read again: {!r}", error)
            self.rules = None
            return {**self.view, **page}

    async def _read_ended(self) -> None:
        """Show the journal's state of a system that has never answered this page."""
        try:
            self.rules, seen = await self.read(read_ended, self.directory)
            found = {**overview(seen, self.rules), "ended_ms": seen.now_ms}
        except (NoFactsError, KeyError, StopIteration) as error:
            logger.debug("{}", error)
            await asyncio.sleep(_AGAIN_S)
            self._ended = None
            return
        if self.system.snapshot is None:
            self._show({**found, **self.view})

    def _rules_now(self) -> TradingRules | None:
        snapshot = self.system.snapshot
        if self.rules is None or (snapshot is not None and not are_of(self.rules, snapshot)):
            try:
                self.rules = read_rules(self.directory)
            except NoFactsError as error:
                logger.debug("{}", error)
                self.rules = None
        return self.rules


def are_of(rules: TradingRules, seen: SystemSnapshot) -> bool:
    """Tell whether rules match the assets that a system trades now: pairs join and leave."""
    known = {each.asset for each in rules.assets}
    return set(seen.assets) <= known <= set(seen.links or known)


def _taken(system: System) -> Any:
    return system.snapshot
