"""Messages to the bot: the admin's commands are answered, strangers are not."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress

from loguru import logger
from telegram import (
    BotCommand,
    BotCommandScopeChat,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    Update,
)
from telegram.error import (
    BadRequest,
    Conflict,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)

from domain.text import plain, plain_lines
from infra.operator.notices.authority import Authority, is_greeting, menu
from infra.operator.notices.carrier import named
from infra.operator.notices.commands import Answer, HandleCommand
from infra.operator.notices.telegram import TelegramBot, cut, wait_s

_POLL_S = 25
"""How long the server holds a request for new messages."""
_AFTER_FAILURE_S = 2.0
_LONGEST_PAUSE_S = 60.0
_ANSWER_TRIES = 5
_WELCOME = "Ready. The menu lists all commands; help explains each."
_UNSHOWN = "Telegram refuses to show the answer; bin/ctl on the machine does."
OLDEST_COMMAND_S = 30.0
"""A command that waited longer because the system was down may no longer be wanted."""


class TelegramInbox:
    """Passes the admin's messages to the command handler, one at a time."""

    def __init__(
        self,
        bot: TelegramBot,
        authority: Authority,
        handle: HandleCommand,
        *,
        instance: str = "",
        on_stranger: Callable[[str], None] = lambda _who: None,
        poll_s: float = _POLL_S,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """Prepare the inbox; nothing is read yet.

        Args:
            bot: whose messages are read.
            authority: who is obeyed, and where.
            handle: takes the sender and the text, and returns the answer.
            instance: name of this system; each answer begins with it.
            on_stranger: called with how to call the first stranger.
            poll_s: how long the server holds a request.
            now_s: the wall clock, to tell how old a message is.
        """
        self._bot = bot
        self._authority = authority
        self._has_menu = False
        self._handle = handle
        self._instance = instance
        self._on_stranger = on_stranger
        self._poll_s = poll_s
        self._now_s = now_s
        self._reading: Future[None] | None = None
        self._refusals = 0
        """Refusals of the token in a row."""
        self._over = asyncio.Event()
        """Set to end a pause early."""
        self.trouble: str | None = None
        """Why no commands are read; None if they are."""
        self._offset: int | None = None
        """Id of the next update to fetch."""
        self.strangers = 0
        """Number of messages from other chats or users."""
        self.unreadable = 0
        """Number of unreadable updates."""

    def start(self) -> None:
        self._reading = self._bot.begin(self._read_all())

    def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            try:
                self._reading.result(5.0)
            except (CancelledError, TimeoutError):
                return

    def start_over(self) -> None:
        """Retry at once; from any thread."""

        async def start() -> None:
            self._refusals = 0
            self._over.set()

        self._bot.begin(start())

    async def _read_all(self) -> None:
        while True:
            try:
                await self._offer_menu()
                await self._read()
            except (InvalidToken, Conflict) as error:
                await self._on_refused(self._bot.plain(error))
            except RetryAfter as error:
                await asyncio.sleep(max(_AFTER_FAILURE_S, wait_s(error)))
            except TelegramError as error:
                logger.debug("commands are not read now: {}", self._bot.plain(error))
                await asyncio.sleep(_AFTER_FAILURE_S)
            except Exception:  # noqa: BLE001 (the outermost loop: one message must not end it)
                logger.opt(exception=True).error("a message to the bot could not be handled")
                await asyncio.sleep(_AFTER_FAILURE_S)

    async def _on_refused(self, why: str) -> None:
        """Wait, longer each time, until the token is accepted or the other reader has ended."""
        if self.trouble is None:
            logger.error("commands are not read: {}", why)
        self.trouble = why
        pause_s = min(_LONGEST_PAUSE_S, _AFTER_FAILURE_S * 2.0 ** min(self._refusals, 10))
        self._refusals += 1
        self._over.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), pause_s)

    async def _read(self) -> None:
        updates = await self._bot.bot.get_updates(
            offset=self._offset,
            timeout=int(self._poll_s),
            allowed_updates=[Update.MESSAGE, Update.CALLBACK_QUERY],
        )
        self._refusals, self.trouble = 0, None
        for update in updates:
            # First: neither a command that fails half-way nor those before it may be repeated.
            self._offset = update.update_id + 1
            await self._on_update(update)

    async def _offer_menu(self) -> None:
        """Set the menu of commands in the admin's chat only; retry until it succeeds."""
        if self._has_menu:
            return
        commands = [BotCommand(name, does) for name, does in menu().items()]
        scope = BotCommandScopeChat(self._authority.chat_id)
        try:
            await self._bot.bot.set_my_commands(commands, scope=scope)
        except (InvalidToken, RetryAfter):
            raise
        except TelegramError as error:
            logger.debug("the menu of commands is not set: {}", self._bot.plain(error))
        else:
            self._has_menu = True

    async def _on_update(self, update: Update) -> None:
        query = update.callback_query
        if query is None and update.message is None:
            self.unreadable += 1
            return
        stranger = self._authority.stranger(update.effective_chat, update.effective_user)
        if stranger is not None:
            self._count_stranger(stranger)
        elif query is not None:
            # The command must not wait for the update of its button, nor fail with it.
            cleared = asyncio.create_task(self._clear(query))
            await self._command(update, query.data)
            await cleared
        elif update.message is not None:
            await self._command(update, update.message.text)

    async def _clear(self, query: CallbackQuery) -> None:
        """Remove a used button."""
        try:
            await query.answer()
            await query.edit_message_reply_markup(None)
        except (TelegramError, TypeError) as error:  # TypeError: the message is not accessible
            logger.debug("a used button stays: {}", self._bot.plain(error))

    def _count_stranger(self, who: str) -> None:
        self.strangers += 1
        if self.strangers == 1:
            self._on_stranger(who)

    async def _command(self, update: Update, text: str | None) -> None:
        if text is None:
            return
        who = (
            "telegram" if update.effective_user is None else f"telegram/{update.effective_user.id}"
        )
        age_s = self._age_s(update)
        if is_greeting(text):
            answer = Answer(text=_WELCOME)
        elif age_s > OLDEST_COMMAND_S:
            answer = Answer(text=f"Not done: written {age_s:.0f} s ago. Send it again.")
        else:
            try:
                written = plain(" ".join(text.split()))
                answer = await asyncio.to_thread(self._handle, who, written)
            except Exception:  # noqa: BLE001 (the person must hear that nothing, or half, was done)
                logger.opt(exception=True).error("a command failed")
                answer = Answer(text="The command failed; see the logs.")
        await self._say(answer)

    async def _say(self, answer: Answer) -> None:
        """Send an answer; the outcome must be reported, even if twice."""
        text = cut(named(self._instance, plain_lines(answer.text)))
        # If refused, send it without buttons; if refused again, say at least that.
        attempts = [
            (text, _keyboard(answer)),
            (text, None),
            (named(self._instance, _UNSHOWN), None),
        ]
        for words, keyboard in attempts:
            try:
                if await self._send(words, keyboard):
                    return
            except BadRequest as error:
                logger.warning("an answer was refused: {}", self._bot.plain(error))
            else:
                break
        logger.error("an answer to the admin could not be sent: {}", text)

    async def _send(self, text: str, keyboard: InlineKeyboardMarkup | None) -> bool:
        for _ in range(_ANSWER_TRIES):
            try:
                await self._bot.bot.send_message(
                    self._authority.chat_id, text, reply_markup=keyboard
                )
            except RetryAfter as error:
                await asyncio.sleep(wait_s(error))
            except BadRequest:
                raise
            except NetworkError:
                await asyncio.sleep(_AFTER_FAILURE_S)
            else:
                return True
        return False

    def _age_s(self, update: Update) -> float:
        """Return how long ago a message was written; a button press has no time."""
        message = update.message
        if not isinstance(message, Message):
            return 0.0
        return self._now_s() - message.date.timestamp()


def _keyboard(answer: Answer) -> InlineKeyboardMarkup | None:
    if not answer.buttons:
        return None
    row = [InlineKeyboardButton(b.label, callback_data=b.text) for b in answer.buttons]
    return InlineKeyboardMarkup([row])
