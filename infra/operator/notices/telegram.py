"""Telegram, through python-telegram-bot: one bot in a thread of its own, for all its chats."""

import asyncio
import html
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, TypeVar

import httpx
from telegram import Bot
from telegram.constants import ParseMode
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.ext import AIORateLimiter, ExtBot
from telegram.request import HTTPXRequest

from domain.operator.notices import NoticeKind
from infra.operator.delivery import ChannelClosedError, NotDeliveredError
from infra.operator.notices.carrier import NeverDeliverableError
from infra.operator.notices.telegram_updates import UpdatesRequest

Result = TypeVar("Result")

MOST_CHARACTERS = 4096
"""Most characters of a message, without markup."""
_ANSWER_S = 20.0
_PATIENCE_S = 120.0
"""How long a caller waits; includes waiting for the limit of 20 messages a minute to a group."""
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

# Makes the library return times as timedelta, which a later version will do by default.
os.environ.setdefault("PTB_TIMEDELTA", "1")
# These loggers log addresses that contain the token.
for _name in ("httpx", "httpcore", "telegram"):
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False


class TelegramBot:
    """The bot, its limits (30 messages a second, 20 a minute to a group), and its thread."""

    def __init__(
        self,
        token: str,
        server: str,
        *,
        answer_s: float = _ANSWER_S,
        limiter: Callable[[], AIORateLimiter] = AIORateLimiter,
    ) -> None:
        """Start the thread; nothing is sent yet.

        Args:
            token: of the bot.
            server: address of the Bot API, without a slash at its end.
            answer_s: time-out of each step of a request.
            limiter: constructs the limiter for Telegram's limits.
        """
        self._token = token
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="telegram", daemon=True)
        self._thread.start()
        timeouts = {f"{step}_timeout": answer_s for step in ("connect", "read", "write", "pool")}
        self.bot = ExtBot(
            token,
            base_url=f"{server}/bot",
            request=HTTPXRequest(**timeouts),  # type: ignore[arg-type]
            get_updates_request=UpdatesRequest(**timeouts),  # type: ignore[arg-type]
            rate_limiter=limiter(),
        )

    def begin(self, work: Coroutine[Any, Any, Result]) -> "Future[Result]":
        """Run a coroutine in the bot's thread; from any other thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def plain(self, error: BaseException) -> str:
        """Return an error's text without the token."""
        return f"{type(error).__name__}: {error}".replace(self._token, "***")

    def close(self) -> None:
        """End the thread, and what runs in it."""

        async def end() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for request in self.bot._request:  # noqa: SLF001 (`shutdown` ends only what was `initialize`d, which asks the server)
                await request.shutdown()

        try:
            self.begin(end()).result(5.0)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5.0)
            if not self._thread.is_alive():
                self._loop.close()


class TelegramSender:
    """One chat. See `infra.operator.notices.carrier.Sender`."""

    def __init__(self, bot: TelegramBot, chat_id: str) -> None:
        """Send to a chat by its id or @name."""
        self._bot = bot
        self._chat_id: str | int = chat_id

    def send(self, text: str, kind: NoticeKind) -> None:  # noqa: ARG002 (all look alike)
        """Send a text with its title in bold, or plain if the server cannot parse that."""
        try:
            self._send(_marked_up(text), ParseMode.HTML)
        except BadRequest:
            self._send_plain(text)

    def _send_plain(self, text: str) -> None:
        try:
            self._send(cut(text), None)
        except BadRequest as error:
            raise NeverDeliverableError(self._bot.plain(error)) from None

    def _send(self, text: str, parse_mode: str | None) -> None:
        """Send once, and translate a failure."""
        bot: Bot = self._bot.bot
        sending = self._bot.begin(bot.send_message(self._chat_id, text, parse_mode=parse_mode))
        try:
            sending.result(_PATIENCE_S)
        except BadRequest:
            raise
        except RetryAfter as error:
            raise self._not_delivered(error, arrived=False, retry_after_s=wait_s(error)) from None
        except ChatMigrated as error:
            self._chat_id = error.new_chat_id
            raise self._not_delivered(error, arrived=False, retry_after_s=0.0) from None
        except (InvalidToken, Forbidden) as error:
            raise ChannelClosedError(self._bot.plain(error)) from None
        except NetworkError as error:
            never_left = isinstance(error.__cause__, _NEVER_LEFT)
            raise self._not_delivered(error, arrived=not never_left) from None
        except (TelegramError, TimeoutError) as error:
            sending.cancel()
            raise self._not_delivered(error, arrived=True) from None

    def _not_delivered(
        self, error: BaseException, *, arrived: bool, retry_after_s: float | None = None
    ) -> NotDeliveredError:
        return NotDeliveredError(
            self._bot.plain(error), may_have_arrived=arrived, retry_after_s=retry_after_s
        )


def cut(text: str) -> str:
    """Return a text that fits one message."""
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"


def _marked_up(text: str) -> str:
    title, newline, rest = cut(text).partition("\n")
    return f"<b>{html.escape(title)}</b>{newline}{html.escape(rest)}"


def wait_s(error: RetryAfter) -> float:
    """Return how long the server asks to wait."""
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
