"""A thread that delivers stored items one after another, each until it is accepted."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from random import Random

from loguru import logger

from domain.errors import JournalError
from infra.store.journal import JournalStore

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_ALARMING_FAILURES = 8
"""Failures in a row, some two minutes: only a lasting outage is worth reporting."""


class NotDeliveredError(Exception):
    """An item could not be delivered for now."""

    def __init__(
        self, why: str, *, may_have_arrived: bool, retry_after_s: float | None = None
    ) -> None:
        """Say why, and when to try again; None: left to the thread."""
        super().__init__(why)
        self.may_have_arrived = may_have_arrived
        self.retry_after_s = retry_after_s


class ChannelClosedError(Exception):
    """The other side accepts nothing until something is changed, here or there."""


class DeliveryThread(ABC):
    """Delivers to one target, and retries ever more rarely while it accepts nothing."""

    def __init__(
        self,
        channel: str,
        journals: JournalStore,
        *,
        rng: Random,
        first_pause_s: float = _FIRST_PAUSE_S,
        on_trouble: Callable[[str, str | None], None] = lambda _channel, _why: None,
    ) -> None:
        """Prepare the thread; `start` starts it.

        Args:
            channel: name of the target.
            journals: the database.
            rng: for the jitter of pauses.
            first_pause_s: after a first failure; doubles with each further one, up to a minute.
            on_trouble: called with the channel and why it accepts nothing; None once it does again.
        """
        self.channel = channel
        self._journals = journals
        self._rng = rng
        self._first_pause_s = first_pause_s
        self._on_trouble = on_trouble
        self._changed = threading.Condition()
        self._has_more = True
        self._is_stopping = False
        self._is_idle = False
        self._is_to_start_over = False
        self._failures = 0
        """Failures in a row."""
        self.trouble: str | None = None
        """Why it accepts nothing; empty once it does again."""
        self._thread = threading.Thread(target=self._run, name=channel, daemon=True)

    @abstractmethod
    def _deliver_next(self) -> bool:
        """Deliver the next item; return False if nothing waits.

        Raises:
            NotDeliveredError: try again later.
            ChannelClosedError: try again later, and notify the operator.
            JournalError: the next item cannot be read, or its outcome cannot be stored.
        """

    @property
    def _look_every_s(self) -> float | None:
        """Interval in which it checks for waiting items without being woken; None: never."""
        return None

    def start(self) -> None:
        """Start, with what waits from an earlier run."""
        self._thread.start()

    def wake(self) -> None:
        """Learn that something was stored for this channel; from any thread, at once."""
        with self._changed:
            self._has_more = True
            self._changed.notify_all()

    def start_over(self) -> None:
        """Retry at once, as if nothing had failed; from any thread."""
        with self._changed:
            self._is_to_start_over = True
            self._changed.notify_all()

    def close(self, timeout_s: float) -> None:
        """Continue for at most this time, then stop; what still waits stays stored."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            self._changed.wait_for(lambda: self._is_idle and not self._has_more, timeout_s)
            self._is_stopping = True
            self._changed.notify_all()
        self._thread.join(max(0.0, deadline_s - time.monotonic()))

    def _run(self) -> None:
        try:
            while not self._is_stopping:
                self._run_connected()
        finally:
            with self._changed:
                self._is_idle, self._has_more = True, False
                self._changed.notify_all()

    def _run_connected(self) -> None:
        try:
            with self._journals.connected():
                while not self._is_stopping:
                    self._carry_on()
        except JournalError as error:
            logger.warning("{}", error)
            self._pause(_LONGEST_PAUSE_S)

    def _carry_on(self) -> None:
        """Deliver an item, or wait: for more, or for the time of the next retry."""
        try:
            if self._take_next():
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
            # Only its type: a library's message may contain an address with its secret.
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

    def _take_next(self) -> bool:
        with self._changed:
            self._has_more = False
        return self._deliver_next()

    def _wait_for_more(self) -> None:
        with self._changed:
            self._is_idle = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._has_more or self._is_stopping, self._look_every_s)
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
