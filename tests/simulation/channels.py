"""The channels of notices: real carriers over places that refuse, hang, raise and keep silent."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from domain.operator.notices import NoticeKind
from domain.text import plain_lines
from infra.operator.delivery import ChannelClosedError, NotDeliveredError
from infra.operator.notices.carrier import Carrier, NeverDeliverableError
from infra.operator.notices.channels import Channels
from infra.settings import Settings
from infra.store.deliveries import DELIVERED, REFUSED, WAITING
from infra.store.sqlite.connection import SqliteReading
from tests.simulation.faults import Misfortune
from tests.simulation.scheduler import Process, Scheduler, SimulatedThreads, Task

NAMES = ("telegram", "discord")
_AGAIN = "(again: it may have arrived before)"
_DROPPED = re.compile(r"\n\d+ routine notices before it were dropped$")
_ROWS = (
    "SELECT channel, status, text FROM delivery JOIN notice ON notice.id = notice_id "
    "ORDER BY notice_id"
)


class Place:
    """Where one channel leads to; it outlives every process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arrived: list[str] = []
        self.refused: list[str] = []
        """For ever."""
        self.closed_until_s = 0.0


class Loop:
    """A carrier's thread, as a loop of its process."""

    def __init__(self, threads: SimulatedThreads, carrier: "PlayedCarrier") -> None:
        self._threads, self._carrier = threads, carrier
        self._task: Task | None = None

    def start(self) -> None:
        """Begin."""
        self._task = self._threads.start(self._carrier._run, self._carrier.channel)

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has returned."""
        if self._task is not None:
            self._task.join(timeout)


class PlayedCarrier(Carrier):
    """The real carrier on the scheduler's loops."""

    def __init__(self, threads: SimulatedThreads, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self._changed = threads.condition()  # type: ignore[assignment]
        self._thread = Loop(threads, self)  # type: ignore[assignment]


class PlayedSender:
    """Speaks to a place, as far as it lets."""

    def __init__(self, scheduler: Scheduler, misfortune: Misfortune, place: Place) -> None:
        self._scheduler, self._misfortune, self._place = scheduler, misfortune, place

    def send(self, text: str, kind: NoticeKind) -> None:
        """Send a text. See `infra.operator.notices.carrier.Sender`."""
        misfortune, place, rng = self._misfortune, self._place, self._misfortune.rng
        misfortune.at("channel", kind.value, "before")
        if self._scheduler.now_s() < place.closed_until_s:
            raise ChannelClosedError("is closed")
        fate = misfortune.of_channel(place.name)
        if fate == "closes":
            place.closed_until_s = self._scheduler.now_s() + rng.choice((30.0, 300.0, 1200.0))
            raise ChannelClosedError("is closed")
        if fate == "refuses":
            wait_s = rng.choice((None, 1.0, 40.0))
            raise NotDeliveredError("too many", may_have_arrived=False, retry_after_s=wait_s)
        if fate == "refuses for ever":
            place.refused.append(text)
            raise NeverDeliverableError("is too odd")
        if fate == "raises":
            raise RuntimeError("the library of a channel has a fault")
        if fate != "is lost":
            self._scheduler.call_in(rng.uniform(0.01, 0.3), lambda: place.arrived.append(text))
        self._scheduler.sleep(0.4)
        if fate == "hangs":
            self._scheduler.sleep(misfortune.hang_s * rng.choice((0.5, 2.0, 10.0)))
        misfortune.at("channel", kind.value, "after")
        if fate in ("keeps silent", "is lost"):
            raise NotDeliveredError("nobody answered", may_have_arrived=True)


def connect(
    channels: Channels,
    places: tuple[Place, ...],
    settings: Settings,
    scheduler: Scheduler,
    process: Process,
    misfortune: Misfortune,
    journals: Any,
    rng: Random,
) -> None:
    """Let a run that is not started yet have a channel to each place."""
    threads = SimulatedThreads(scheduler, process)
    for place in places:
        channels._carriers[place.name] = PlayedCarrier(
            threads,
            place.name,
            PlayedSender(scheduler, misfortune, place),
            journals,
            rng=rng,
            on_trouble=channels._tell_trouble,
        )
    channels.change(settings.notifications)


def waiting(file: Path) -> list[str]:
    """Return what is still to be delivered, once places take everything again."""
    left = Counter(row["channel"] for row in _rows(file) if row["status"] == WAITING)
    return [f"{count} notices wait for {channel}" for channel, count in sorted(left.items())]


def broken(file: Path, places: tuple[Place, ...], *, has_power_cuts: bool) -> Iterator[str]:
    """Yield which notices are marked as delivered and did not arrive, or came twice unsaid."""
    by_name = {place.name: place for place in places}
    rows = _rows(file)
    for row in rows:
        place, text = by_name[row["channel"]], plain_lines(row["text"])
        if row["status"] == DELIVERED and not any(t.startswith(text) for t in place.arrived):
            yield f"a notice never arrived by {place.name}, and is marked as delivered: {text}"
        if row["status"] == REFUSED and not any(t.startswith(text) for t in place.refused):
            yield f"a notice is marked as refused, and {place.name} was never asked: {text}"
    for place in () if has_power_cuts else places:
        stored = Counter(plain_lines(r["text"]) for r in rows if r["channel"] == place.name)
        fresh = Counter(_DROPPED.sub("", text) for text in place.arrived if _AGAIN not in text)
        for text, times in fresh.items():
            if times > stored[text]:
                yield f"a notice came {times} times by {place.name}, and did not say so: {text}"


def _rows(file: Path) -> list[dict[str, Any]]:
    reading = SqliteReading(file)
    try:
        return reading.rows(_ROWS)
    finally:
        reading.close()
