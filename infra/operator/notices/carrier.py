"""The thread of one channel: carries what waits, the most severe first, in order."""

import threading
import time
from collections.abc import Callable
from random import Random
from typing import Protocol

from loguru import logger

from domain.errors import JournalError
from domain.operator.notices import NoticeKind
from domain.text import plain_lines
from infra.store.deliveries import Deliveries, Delivery
from infra.store.journal import JournalStore

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_ALARMING_FAILURES = 8
"""In a row, after two minutes: only an outage that stays is worth a word."""
_REPEAT = "(again: it may have arrived before)"


class NotDeliveredError(Exception):
    """A message did not arrive for now."""

    def __init__(
        self, why: str, *, may_have_arrived: bool, retry_after_s: float | None = None
    ) -> None:
        """Say why, and when to try again; None: as the sender sees fit."""
        super().__init__(why)
        self.may_have_arrived = may_have_arrived
        self.retry_after_s = retry_after_s


class NeverDeliverableError(Exception):
    """The other side will never take this message, but perhaps the next one."""


class ChannelClosedError(Exception):
    """The other side takes nothing until somebody changes something, here or there."""


class Sender(Protocol):
    """Speaks to one place."""

    def send(self, text: str, kind: NoticeKind) -> None:
        """Send a text whose first line is its title; every wait in it has a time-out.

        Args:
            text: the notice.
            kind: what it is about.

        Raises:
            NotDeliveredError: try again later.
            NeverDeliverableError: go on with the next.
            ChannelClosedError: try again later, and let people know.
        """


class Carrier:
    """One channel: its thread, its place in the outbox, its patience."""

    def __init__(
        self,
        channel: str,
        sender: Sender,
        journals: JournalStore,
        *,
        rng: Random,
        instance: str = "",
        first_pause_s: float = _FIRST_PAUSE_S,
        on_trouble: Callable[[str, str | None], None] = lambda _channel, _why: None,
    ) -> None:
        """Start nothing yet.

        Args:
            channel: its name in the outbox.
            sender: speaks to the place.
            journals: the database.
            rng: for the jitter of pauses.
            instance: which system speaks; each text begins with it.
            first_pause_s: after a first failure; doubles with each further one, up to a minute.
            on_trouble: told the channel, and why it takes nothing; None once it does again.
        """
        self.channel = channel
        self._sender = sender
        self._journals = journals
        self._deliveries = Deliveries(journals, channel)
        self._rng = rng
        self._instance = instance
        self._first_pause_s = first_pause_s
        self._on_trouble = on_trouble
        self._changed = threading.Condition()
        self._has_more = True
        self._is_stopping = False
        self._is_idle = False
        self._is_to_start_over = False
        self._failures = 0
        """In a row."""
        self.trouble: str | None = None
        """Why it takes nothing, until it takes something again."""
        self._thread = threading.Thread(target=self._run, name=channel, daemon=True)

    def start(self) -> None:
        """Begin with what waits from an earlier run."""
        self._thread.start()

    def wake(self) -> None:
        """Learn that something was stored for this channel; from any thread, at once."""
        with self._changed:
            self._has_more = True
            self._changed.notify_all()

    def start_over(self) -> None:
        """Try again at once, as if nothing had failed; from any thread."""
        with self._changed:
            self._is_to_start_over = True
            self._changed.notify_all()

    def close(self, timeout_s: float) -> None:
        """Carry on for at most this time, then stop; what still waits stays in the outbox."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            self._changed.wait_for(lambda: self._is_idle and not self._has_more, timeout_s)
            self._is_stopping = True
            self._changed.notify_all()
        self._thread.join(max(0.0, deadline_s - time.monotonic()))

    def _run(self) -> None:
        try:
            with self._journals.connected():
                while not self._is_stopping:
                    self._carry_on()
        finally:
            with self._changed:
                self._is_idle, self._has_more = True, False
                self._changed.notify_all()

    def _carry_on(self) -> None:
        """Carry a notice, or wait: for more of them, or until it is worth another try."""
        try:
            if self._carry_one():
                self._recover()
            else:
                self._wait_for_more()
        except NotDeliveredError as error:
            self._fail(str(error), pause_s=error.retry_after_s)
        except ChannelClosedError as error:
            self._fail(str(error), is_refused=True)
        except JournalError as error:
            self._failures += 1
            logger.warning("{}", error)
            self._pause(self._pause_s())
        except Exception as error:  # noqa: BLE001 (the outermost loop: a channel must not end unseen)
            # Its type alone: the words of a library may hold an address with its secret.
            self._fail(f"it fails by {type(error).__name__}")

    def _fail(self, why: str, *, pause_s: float | None = None, is_refused: bool = False) -> None:
        self._failures += 1
        logger.warning("{}: not delivered yet: {}", self.channel, why)
        if is_refused or self.trouble is not None or self._failures >= _ALARMING_FAILURES:
            is_new, self.trouble = self.trouble is None, why
            if is_new:
                self._on_trouble(self.channel, why)
        self._pause(self._pause_s() if pause_s is None else pause_s)

    def _recover(self) -> None:
        self._failures = 0
        if self.trouble is not None:
            self.trouble = None
            self._on_trouble(self.channel, None)

    def _carry_one(self) -> bool:
        """Carry the next notice that waits; False where none does."""
        with self._changed:
            self._has_more = False
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
            logger.error("{}: a notice is refused for ever: {}", self.channel, error)
            self._deliveries.mark_refused(delivery)
        except ChannelClosedError:
            self._deliveries.mark_not_arrived(delivery)
            raise
        else:
            self._deliveries.mark_delivered(delivery)
        return True

    def _wait_for_more(self) -> None:
        with self._changed:
            self._is_idle = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._has_more or self._is_stopping)
            self._is_idle = False

    def _pause_s(self) -> float:
        doublings = min(self._failures - 1, 10)
        pause_s = min(_LONGEST_PAUSE_S, self._first_pause_s * 2.0**doublings)
        return pause_s * self._rng.uniform(0.8, 1.2)

    def _pause(self, pause_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopping or self._is_to_start_over, pause_s)
            if self._is_to_start_over:
                self._is_to_start_over, self._failures = False, 0


def named(instance: str, text: str) -> str:
    """Return a text that begins with the name of the system that speaks, where it has one."""
    return f"[{instance}] {text}" if instance else text


def _text(delivery: Delivery) -> str:
    parts = [plain_lines(delivery.text)]
    if delivery.dropped:
        parts.append(f"{delivery.dropped} routine notices before it were dropped")
    if delivery.is_repeat:
        parts.append(_REPEAT)
    return "\n".join(parts)
