"""Checks whether each notification channel accepts a message."""

from collections.abc import Iterator
from contextlib import ExitStack

from domain.errors import ConfigError
from domain.operator.notices import NoticeKind
from infra.operator.delivery import ChannelClosedError, NotDeliveredError
from infra.operator.notices.carrier import NeverDeliverableError, Sender, named
from infra.operator.notices.channels import senders_of, telegram_bot
from infra.operator.preflight.finding import Finding, fail, ok
from infra.settings.sections.operator import NotificationSettings

_TEST = "A test of this channel\nAsked for by bin/check --send-test; nothing is traded by it."


def send_tests(settings: NotificationSettings, mode: str) -> Iterator[Finding]:
    """Send one message through each channel, and yield the result."""
    with ExitStack() as held:
        try:
            senders = senders_of(settings, telegram_bot(settings, held))
        except ConfigError as error:
            yield fail("notifications", str(error), "a known address", "correct it")
            return
        if not senders:
            yield fail("test message", "no channel", "one to send by", "see .env.example")
        for channel, sender in senders.items():
            yield _sent(channel, sender, named(settings.instance or mode, _TEST))


def _sent(channel: str, sender: Sender, text: str) -> Finding:
    name, expected = f"{channel} test", "a message that is accepted"
    try:
        sender.send(text, NoticeKind.SYSTEM)
    except ChannelClosedError as error:
        return fail(name, str(error), expected, "check the token, and that the bot is in the chat")
    except NeverDeliverableError as error:
        return fail(name, str(error), expected, "check the chat's id")
    except NotDeliveredError as error:
        return fail(name, str(error), expected, "check the network and the address")
    return ok(name, "one message was sent")
