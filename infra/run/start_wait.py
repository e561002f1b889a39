"""A start that waits for the exchange: notifications, and what the operator can query meanwhile."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random

from loguru import logger

from domain.errors import TradingError
from domain.market.instruments import HOUR_MS
from domain.operator.commands import Command, CommandName
from domain.operator.notices import Notice, NoticeKind
from domain.operator.replies import Reply, ReplyCode
from infra.operator.control.server import ControlServer
from infra.operator.health.metrics import MetricsPage
from infra.operator.health.pages import Pages
from infra.operator.notices.channels import Channels
from infra.operator.panic_file import request_panic
from infra.operator.terminal.screen import Screen
from infra.process.systemd import ServiceManager
from infra.run.journals import claim_journals
from infra.settings import Settings
from infra.store.location import find_journal
from infra.store.opening import open_store
from infra.venues.bybit.starting import StartWait

_TOLD_AGAIN_MS = HOUR_MS
"""Interval between notifications of waiting starts."""
_LAST_WORDS_S = 3.0
_GRACE_S = 60.0
"""Extra time asked of the service manager, for what follows the pause."""


class StartWaitRoom:
    """Reports on all channels that the start waits; opened at the first pause.

    Nothing here can end the start: what cannot be reported is logged.
    """

    def __init__(
        self,
        settings: Settings,
        directory: Path,
        mode: str,
        screen: Screen,
        service: ServiceManager,
    ) -> None:
        """Keep the options; nothing is opened yet."""
        self._settings, self._directory, self._mode = settings, directory, mode
        self._screen, self._service = screen, service
        self._held = ExitStack()
        self._is_open = False
        self._why = ""

    def on_wait(self, wait: StartWait) -> None:
        """Report a pause; see `infra.venues.bybit.starting.WaitListener`."""
        self._why = f"the start waits for the exchange: {wait.why}"
        pause = f"asked again in {wait.pause_s:.0f} s, for {wait.left_s:.0f} s at most"
        logger.warning("{}; {}", self._why, pause)
        if self._screen.is_terminal:  # the service shows no line of the log yet
            text = f"{self._why}; {pause}. Ctrl-C ends it."
            self._screen.print(text, style="yellow", highlight=False, soft_wrap=True)
        self._service.waiting(self._why, wait.pause_s + _GRACE_S)
        if not self._is_open:
            self._is_open = True
            self._guarded(self._take_questions)
            self._guarded(lambda: self._tell_people(wait))

    def on_answer(self) -> None:
        """Report that the start continues."""
        logger.info("the exchange answers, the start continues")
        self._why = "the system is starting"

    def close(self) -> None:
        """Stop reporting, and free the address of the control interface; may be called twice."""
        self._guarded(self._held.close)

    def _guarded(self, step: Callable[[], object]) -> None:
        try:
            step()
        except (TradingError, OSError) as error:
            logger.warning("while the start waits: {}", error)

    # The operator's commands.

    def _take_questions(self) -> None:
        control = self._settings.control
        if control.enabled:
            pages = Pages(
                why_sick=lambda: None,
                why_not_ready=lambda: [self._why],
                why_degraded=list,
                metrics=MetricsPage(lambda: None),
            )
            server = ControlServer(
                control, self._directory, self._answer, _log_access, pages.routes()
            )
            self._held.callback(server.close)

    def _answer(self, who: str, command: Command, is_confirmed: bool) -> Reply:  # noqa: FBT001 (as the server calls it)
        if command.name is not CommandName.PANIC:
            return Reply(code=ReplyCode.REFUSED, title=f"Not done: {self._why}")
        if not is_confirmed:
            return Reply(code=ReplyCode.CONFIRM, title=f"Really {command}? {self._why}")
        try:
            request_panic(self._directory, who)
        except OSError as error:
            return Reply(code=ReplyCode.REFUSED, title=f"Not done: {error.strerror}")
        title = f"Noted in the file PANIC, and done as soon as the exchange answers: {self._why}"
        return Reply(code=ReplyCode.LATE, title=title)

    # Notifications.

    def _tell_people(self, wait: StartWait) -> None:
        location = find_journal(self._directory)
        busy_timeout_ms = self._settings.database.busy_timeout_ms
        journals = open_store(location, _now_ms, busy_timeout_ms=busy_timeout_ms)
        with journals.connected():
            claim_journals(journals, location, self._mode)
        channels = Channels(
            self._settings.notifications,
            journals,
            mode=self._mode,
            rng=Random(),  # noqa: S311 (jitter)
            is_well=lambda: False,
            on_system=lambda _key, title, detail: logger.error("{}: {}", title, detail),
        )
        channels.carry()
        self._held.callback(channels.close, _LAST_WORDS_S)
        outbox = channels.outboxes.open()
        try:
            notice = _notice(wait, _now_ms())
            before = outbox.before(notice)
            is_news = before is None or notice.t_ms - before.told_ms >= _TOLD_AGAIN_MS
            (outbox.put if is_news else outbox.hold_back)(notice)
        finally:
            outbox.close()


def _notice(wait: StartWait, t_ms: int) -> Notice:
    lines = [
        "⏳ The start waits for the exchange",
        f"Cause: {wait.why}",
        "Nothing is traded; positions stay under their stops.",
        f"It is asked again for {wait.left_s:.0f} s, then the process ends with exit code 1.",
    ]
    return Notice(
        key=f"start-wait/{t_ms}",
        kind=NoticeKind.SYSTEM,
        asset=None,
        cause="start-wait",
        t_ms=t_ms,
        text="\n".join(lines),
    )


def _log_access(who: str, what: str, result: str) -> None:
    logger.debug("{}: {}: {}", who, what, result)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
