"""All channels of a run that the settings name.

The libraries of a channel are imported only if that channel is configured: they cost tens of
megabytes.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING, Protocol

from pydantic import SecretStr

from domain.errors import ConfigError
from infra.operator.delivery import DeliveryThread
from infra.operator.events.targets import publishers_of, targets_of
from infra.operator.notices.carrier import Carrier, Sender
from infra.operator.notices.commands import HandleCommand
from infra.operator.notices.heartbeat import Heartbeat
from infra.operator.notices.outbox import PostRules, StoredOutboxes
from infra.settings.sections.operator import NotificationSettings
from infra.settings.sections.running import EventSettings
from infra.store.journal import JournalStore

if TYPE_CHECKING:
    from infra.operator.notices.telegram import TelegramBot

TELEGRAM, TELEGRAM_ADMIN = "telegram", "telegram_admin"
COMMANDS = "telegram_commands"
"""The channel of the admin's messages to the bot."""
_SERVICES = ("discord", "slack", "email", "other")

OnSystem = Callable[[str, str, str], None]
"""Notifies of something about the channels: takes a key, a title and details."""


class _Inbox(Protocol):
    strangers: int
    unreadable: int
    trouble: str | None

    def start(self) -> None: ...

    def start_over(self) -> None: ...


class Channels:
    """The outbox of a run and every channel that empties it."""

    def __init__(
        self,
        settings: NotificationSettings,
        journals: JournalStore,
        *,
        events: EventSettings | None = None,
        mode: str,
        rng: Random,
        is_well: Callable[[], bool],
        on_system: OnSystem,
        handle_command: HandleCommand | None = None,
    ) -> None:
        """Construct what is configured; nothing is sent yet.

        Args:
            settings: addresses and secrets.
            journals: the database.
            events: targets that receive every fact; None: none.
            mode: of the run; its name if the settings give none.
            rng: for the jitter of pauses.
            is_well: checked before each heartbeat.
            on_system: notifies of problems of the channels themselves.
            handle_command: answers the admin's messages; None: they are not read.

        Raises:
            ConfigError: an address is not of a known service, or events cannot be sent.
        """
        self._held = ExitStack()
        self._instance = settings.instance or mode
        self._on_system = on_system
        self._heartbeat = _heartbeat(settings, is_well)
        self._inbox: _Inbox | None = None
        self._has_nobody = False
        """A bot is read, but nobody may command it."""
        self._troubles = 0
        """Number of troubles of all channels."""
        bot = telegram_bot(settings, self._held)
        senders = senders_of(settings, bot)
        if bot is not None and handle_command is not None:
            self._read_commands(settings, bot, handle_command)
        self._carriers = {
            channel: Carrier(
                channel,
                sender,
                journals,
                rng=rng,
                instance=self._instance,
                on_trouble=self._tell_trouble,
            )
            for channel, sender in senders.items()
        }
        self._publishers = (
            {}
            if events is None
            else publishers_of(
                events,
                journals,
                source=self._instance,
                rng=rng,
                on_trouble=self._tell_lost_events,
            )
        )
        self.outboxes = StoredOutboxes(
            journals,
            self._rules(settings),
            on_stored=lambda channel: self._carriers[channel].wake(),
        )

    def change(self, settings: NotificationSettings) -> None:
        """Apply other kinds and limits; places and secrets stay as they were."""
        self.outboxes.rules = self._rules(settings)

    def _rules(self, settings: NotificationSettings) -> PostRules:
        return PostRules(
            kinds={c: frozenset(getattr(settings.kinds, c)) for c in self._carriers},
            max_waiting=settings.max_waiting,
            notices=settings.rules(),
            admin=TELEGRAM if settings.telegram_channel_id is None else TELEGRAM_ADMIN,
        )

    def start(self) -> None:
        """Start delivering, reading commands, and the heartbeat."""
        self.carry()
        for part in (self._inbox, self._heartbeat):
            if part is not None:
                part.start()
        if self._has_nobody:
            detail = "The admin's chat is a group: TELEGRAM_USER_IDS must name who is obeyed in it."
            self._on_system("commands from nobody", "Commands by Telegram are refused", detail)

    def carry(self) -> None:
        """Start delivering, and nothing else."""
        for thread in self._threads():
            thread.start()

    def start_over(self) -> None:
        """Retry at once what failed before; from any thread."""
        for thread in self._threads():
            thread.start_over()
        if self._inbox is not None:
            self._inbox.start_over()

    def troubles(self) -> dict[str, str]:
        """Return by channel why channels accept nothing or deliver no commands; only those."""
        found = {thread.channel: thread.trouble for thread in self._threads()}
        if self._inbox is not None:
            found[COMMANDS] = self._inbox.trouble
        return {channel: why for channel, why in found.items() if why is not None}

    def refused(self) -> dict[tuple[str, str], int]:
        """Return the number of messages that were not the admin's commands, by place and kind."""
        inbox = self._inbox
        if inbox is None:
            return {}
        return {
            (TELEGRAM, "stranger"): inbox.strangers,
            (TELEGRAM, "unreadable"): inbox.unreadable,
        }

    def close(self, timeout_s: float) -> None:
        """Continue for at most this time, then stop all; what still waits stays in the outbox."""
        if self._heartbeat is not None:
            self._heartbeat.close()
        threads = self._threads()
        for index, thread in enumerate(threads):
            thread.close(timeout_s / (len(threads) - index))
        self._held.close()

    def _threads(self) -> list[DeliveryThread]:
        return [*self._carriers.values(), *self._publishers.values()]

    def _read_commands(
        self, settings: NotificationSettings, bot: "TelegramBot", handle: HandleCommand
    ) -> None:
        from infra.operator.notices.authority import Authority  # noqa: PLC0415 (costly)
        from infra.operator.notices.telegram_inbox import TelegramInbox  # noqa: PLC0415 (costly)

        if settings.telegram_admin_chat_id is None:
            return
        authority = Authority(
            chat_id=int(settings.telegram_admin_chat_id), user_ids=settings.user_ids()
        )
        self._has_nobody = authority.has_nobody
        inbox = TelegramInbox(
            bot, authority, handle, instance=self._instance, on_stranger=self._tell_stranger
        )
        self._held.callback(inbox.close)
        self._inbox = inbox

    def _tell_trouble(self, channel: str, why: str | None) -> None:
        if why is None:
            self._tell_of(channel, f"{channel} takes notices again", "What waited is being sent.")
        else:
            detail = f"{why}. It is tried again; what is for it waits."
            self._tell_of(channel, f"{channel} takes no notices", detail)

    def _tell_lost_events(self, target: str, why: str | None) -> None:
        if why is None:
            self._tell_of(target, f"{target} takes events again", "What waited is being sent.")
        else:
            detail = f"{why}. It is tried again; every fact waits in the journal."
            self._tell_of(target, f"{target} takes no events", detail)

    def _tell_of(self, channel: str, title: str, detail: str) -> None:
        self._troubles += 1
        self._on_system(f"channel/{channel}/{self._troubles}", title, detail)

    def _tell_stranger(self, who: str) -> None:
        detail = f"{who} got no answer. More like it are only counted."
        self._on_system("stranger", "A stranger wrote to the bot", detail)


def check_addresses(settings: NotificationSettings, events: EventSettings) -> None:
    """Refuse addresses that nothing can be sent to, before anything is connected.

    Raises:
        ConfigError: there are some; lists all of them.
    """
    problems = []
    for name in _SERVICES:
        try:
            _service(settings, name)
        except ConfigError as error:
            problems.append(str(error))
    try:
        targets_of(events, source="")
    except ConfigError as error:
        problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))


def telegram_bot(settings: NotificationSettings, held: ExitStack) -> "TelegramBot | None":
    """Return the bot, whose thread its holder ends; None if there is no token."""
    if settings.telegram_bot_token is None:
        return None
    from infra.operator.notices.telegram import TelegramBot  # noqa: PLC0415 (costly)

    bot = TelegramBot(settings.telegram_bot_token.get_secret_value(), settings.telegram_server)
    held.callback(bot.close)
    return bot


def senders_of(settings: NotificationSettings, bot: "TelegramBot | None") -> dict[str, Sender]:
    """Return the sender of each configured channel, by channel.

    Raises:
        ConfigError: an address is not of a known service.
    """
    return {**dict(_services(settings)), **({} if bot is None else _chats(settings, bot))}


def _chats(settings: NotificationSettings, bot: "TelegramBot") -> dict[str, Sender]:
    from infra.operator.notices.telegram import TelegramSender  # noqa: PLC0415 (costly)

    chats = {
        TELEGRAM: settings.telegram_channel_id,
        TELEGRAM_ADMIN: settings.telegram_admin_chat_id,
    }
    if chats[TELEGRAM] is None:
        # The admin's chat is the only one: it gets what the channel would get.
        chats = {TELEGRAM: chats[TELEGRAM_ADMIN]}
    return {c: TelegramSender(bot, chat) for c, chat in chats.items() if chat is not None}


def _services(settings: NotificationSettings) -> Iterator[tuple[str, Sender]]:
    for name in _SERVICES:
        sender = _service(settings, name)
        if sender is not None:
            yield name, sender


def _service(settings: NotificationSettings, name: str) -> Sender | None:
    url: SecretStr | None = getattr(settings, f"{name}_url")
    if url is None:
        return None
    from infra.operator.notices.services import ServiceSender  # noqa: PLC0415 (costly)

    return ServiceSender(f"notifications.{name}_url", url.get_secret_value())


def _heartbeat(settings: NotificationSettings, is_well: Callable[[], bool]) -> Heartbeat | None:
    url = settings.heartbeat_url
    return None if url is None else Heartbeat(url.get_secret_value(), is_well)
