"""Decides which failures of a start are final and which are retried; nothing else does.

A system that does not start again leaves its positions with nothing but their stops. So only the
user's own mistakes are final, and if the venue is the one to report them, it must do so twice: one
odd answer proves nothing.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from domain.errors import AccessDeniedError, BadDataError, ConfigError, UnavailableError
from infra.files import read_regular
from infra.venues.bybit.errors import KeyRefusedError

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_SECOND_LOOK_S = 3.0
"""Time after which the venue must repeat that the key or the account is wrong."""
_LONG_BAN_S, _LONGEST_BAN_S = 30.0, 3600.0
_LONGEST_EXPONENT = 20

Value = TypeVar("Value")


class Ask(Protocol):
    """Returns the answer to a query to the venue, however often it has to be repeated."""

    def __call__(self, question: Callable[[], Value], /) -> Value:
        """Return the answer to a query."""


def ask_once(question: Callable[[], Value], /) -> Value:
    """Return the answer to a query that is sent once."""
    return question()


@dataclass(frozen=True, slots=True, kw_only=True)
class StartWait:
    """A pause of the start before the next attempt."""

    why: str
    """The cause, in one line."""
    pause_s: float
    left_s: float
    """Time until the start gives up; at least the pause."""


class WaitListener(Protocol):
    """Reports to the user that the start is waiting."""

    def on_wait(self, wait: StartWait) -> None:
        """Learn of a pause before it begins."""

    def on_answer(self) -> None:
        """Learn that the start continues, after at least one pause."""


class Ban:
    """Time until which the venue accepts no request from here; kept for the next process."""

    def __init__(self, file: Path, wall_s: Callable[[], float] = time.time) -> None:
        self.file = file
        self._wall_s = wall_s

    @property
    def left_s(self) -> float:
        """Seconds that it still lasts; 0 if there is none."""
        try:
            until_s = float(read_regular(self.file))
        except (OSError, ValueError):
            return 0.0
        left_s = until_s - self._wall_s()
        return left_s if 0 < left_s <= _LONGEST_BAN_S else 0.0

    def note(self, for_s: float) -> None:
        """Record a ban for some seconds from now on."""
        with suppress(OSError):  # the ban is then known to this process only
            self.file.write_text(f"{self._wall_s() + for_s:.0f}\n")


class StartQuestions:
    """The queries of one start; all share one budget, which begins with the first failure."""

    def __init__(
        self,
        patience_s: float,
        ban: Ban,
        listener: WaitListener,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Set the budget; nothing is asked yet.

        Args:
            patience_s: the budget.
            ban: survives this process.
            listener: informed while the start waits.
            monotonic_s: seconds, for the budget.
            sleep: waits some seconds.
        """
        self._patience_s = patience_s
        self._ban = ban
        self._listener = listener
        self._monotonic_s = monotonic_s
        self._sleep = sleep
        self._failures = 0
        self._gives_up_s: float | None = None
        self._verdict: tuple[str, float] | None = None
        """What the venue last said about the key or the account, and since when."""

    def ask(self, question: Callable[[], Value], /) -> Value:
        """Return the answer to a query, which must be safe to repeat.

        Raises:
            ConfigError: the venue has said twice that the key or the account is wrong.
            UnavailableError: there was no usable answer within the budget.
        """
        is_waiting = False
        while True:
            try:
                self._keep_silent_while_banned()
                answer = question()
            except (UnavailableError, AccessDeniedError, BadDataError, ConfigError) as error:
                self._check_verdict(error)
                self._wait(error)
                is_waiting = True
            else:
                self._verdict = None
                if is_waiting:
                    self._listener.on_answer()
                return answer

    def _keep_silent_while_banned(self) -> None:
        left_s = self._ban.left_s
        if left_s:
            text = f"it wants no request from here for {left_s:.0f} s more ({self._ban.file})"
            raise _BannedError(text, left_s)

    def _check_verdict(self, error: Exception) -> None:
        """Remember a verdict that the user may have to fix; a repeated one is final."""
        verdict, now_s = _verdict_of(error), self._monotonic_s()
        if verdict is None:
            self._verdict = None
        elif self._verdict is None or self._verdict[0] != verdict:
            self._verdict = (verdict, now_s)
        elif now_s - self._verdict[1] >= _SECOND_LOOK_S:
            raise _final(error) from error

    def _wait(self, error: Exception) -> None:
        """Wait before the next attempt, longer after each failure."""
        now_s = self._monotonic_s()
        if self._gives_up_s is None:
            self._gives_up_s = now_s + self._patience_s
        left_s = self._gives_up_s - now_s
        if left_s <= 0:
            why = f"no usable answer in {self._patience_s:g} s; the last: {_in_one_line(error)}"
            raise UnavailableError(why) from error
        asked_for_s: float = getattr(error, "retry_after_s", 0.0)
        if asked_for_s >= _LONG_BAN_S and not isinstance(error, _BannedError):
            self._ban.note(asked_for_s)
        pause_s = min(max(self._own_pause_s(), asked_for_s), left_s)
        self._failures += 1
        self._listener.on_wait(StartWait(why=_in_one_line(error), pause_s=pause_s, left_s=left_s))
        self._sleep(pause_s)

    def _own_pause_s(self) -> float:
        grown_s = _FIRST_PAUSE_S * 2.0 ** min(self._failures, _LONGEST_EXPONENT)
        least_s = _FIRST_PAUSE_S if self._verdict is None else _SECOND_LOOK_S
        return max(min(grown_s, _LONGEST_PAUSE_S), least_s)


class _BannedError(UnavailableError):
    """Nothing was sent, as a ban is in force."""

    def __init__(self, text: str, retry_after_s: float) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


def _in_one_line(error: Exception) -> str:
    return str(error).replace(":\n- ", ": ").replace("\n- ", "; ")


def _verdict_of(error: Exception) -> str | None:
    """Return what the user may have to fix; None for temporary failures."""
    if isinstance(error, KeyRefusedError):
        return str(error.code)  # its text may contain the time
    return str(error) if isinstance(error, ConfigError) else None


def _final(error: Exception) -> ConfigError:
    if isinstance(error, ConfigError):
        return error
    return ConfigError(f"the exchange cannot be used, it refuses the key again: {error}")
