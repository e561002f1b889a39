"""The thread of one channel: delivers waiting notices, the most severe first, in order."""

from collections.abc import Callable
from random import Random
from typing import Protocol

from loguru import logger

from domain.operator.notices import NoticeKind
from domain.text import plain_lines
from infra.operator.delivery import ChannelClosedError, DeliveryThread, NotDeliveredError
from infra.store.deliveries import Deliveries, Delivery
from infra.store.journal import JournalStore

_REPEAT = "(again: it may have arrived before)"


class NeverDeliverableError(Exception):
    """The other side will never accept this message, but perhaps the next one."""


class Sender(Protocol):
    """Sends texts to one place."""

    def send(self, text: str, kind: NoticeKind) -> None:
        """Send a text whose first line is its title; every wait has a time-out.

        Args:
            text: the notice.
            kind: what it is about.

        Raises:
            NotDeliveredError: try again later.
            NeverDeliverableError: continue with the next one.
            ChannelClosedError: try again later, and notify the operator.
        """


class Carrier(DeliveryThread):
    """One channel: its thread, and its part of the outbox."""

    def __init__(
        self,
        channel: str,
        sender: Sender,
        journals: JournalStore,
        *,
        rng: Random,
        instance: str = "",
        first_pause_s: float = 1.0,
        on_trouble: Callable[[str, str | None], None] = lambda _channel, _why: None,
    ) -> None:
        """Prepare the thread. See `DeliveryThread`.

        Args:
            channel: its name in the outbox.
            sender: sends to the place.
            journals: the database.
            rng: for the jitter of pauses.
            instance: name of this system; each text begins with it.
            first_pause_s: after a first failure.
            on_trouble: called with why it accepts nothing.
        """
        super().__init__(
            channel, journals, rng=rng, first_pause_s=first_pause_s, on_trouble=on_trouble
        )
        self._sender = sender
        self._deliveries = Deliveries(journals, channel)
        self._instance = instance

    def _deliver_next(self) -> bool:
        delivery = self._deliveries.next()
        if delivery is None:
            return False
        self._deliveries.mark_sending(delivery)
        try:
            self._sender.send(named(self._instance, _text(delivery)), delivery.kind)
        except NotDeliveredError as error:
            if not error.may_have_arrived:
                self._deliveries.mark_not_arrived(delivery)
            raise
        except NeverDeliverableError as error:
            logger.error("{}: a notice is refused for good: {}", self.channel, error)
            self._deliveries.mark_refused(delivery)
        except ChannelClosedError:
            self._deliveries.mark_not_arrived(delivery)
            raise
        else:
            self._deliveries.mark_delivered(delivery)
        return True


def named(instance: str, text: str) -> str:
    """Return a text that begins with the name of this system, if it has one."""
    return f"[{instance}] {text}" if instance else text


def _text(delivery: Delivery) -> str:
    parts = [plain_lines(delivery.text)]
    if delivery.dropped:
        parts.append(f"{delivery.dropped} routine notices before it were dropped")
    if delivery.is_repeat:
        parts.append(_REPEAT)
    return "\n".join(parts)
