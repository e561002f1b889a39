"""Which figures have exceeded their limits for long enough to notify the operator."""

from collections.abc import Iterator
from dataclasses import dataclass

from infra.operator.health.figures import Figures
from infra.settings.sections.running import HealthSettings

_MS_PER_S = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One figure against its limit."""

    source: str
    """Identifies the figure; the same at each sample."""
    title: str
    value: float | None
    """None: unknown, which exceeds no limit here."""
    limit: float
    unit: str
    advice: str

    @property
    def is_passed(self) -> bool:
        return self.value is not None and self.value > self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What to notify the operator of."""

    source: str
    title: str
    detail: str


@dataclass(slots=True)
class _State:
    is_told: bool = False
    changed_s: float | None = None
    """Since when the figure disagrees with what was last notified."""
    told_s: float | None = None


class LimitWatch:
    """Turns figures into alerts: one when a limit is exceeded for long enough, one when that ends.

    A figure that fluctuates is reported at most once in `again_s`, with its end: these alerts are
    sent like dangers, which are never held back.
    """

    def __init__(self, limits: HealthSettings, *, again_s: float) -> None:
        """Start with no limit exceeded.

        Args:
            limits: to check.
            again_s: pause before the same alert is repeated.
        """
        self._limits = limits
        self._again_s = again_s
        self._states: dict[str, _State] = {}

    def change(self, limits: HealthSettings, *, again_s: float) -> None:
        """Apply other limits from the next sample on."""
        self._limits, self._again_s = limits, again_s

    def look(self, figures: Figures, now_s: float) -> list[Alert]:
        """Return new alerts.

        Args:
            figures: of this sample.
            now_s: monotonic.
        """
        found = (self._judge(reading, now_s) for reading in readings(figures, self._limits))
        return [alert for alert in found if alert is not None]

    def _judge(self, reading: Reading, now_s: float) -> Alert | None:
        state = self._states.setdefault(reading.source, _State())
        if reading.is_passed == state.is_told:
            state.changed_s = None
            return None
        if state.changed_s is None:
            state.changed_s = now_s
        if now_s - state.changed_s < float(self._limits.for_seconds):
            return None
        if not state.is_told and state.told_s is not None and self._is_soon(state.told_s, now_s):
            return None
        state.is_told, state.changed_s = reading.is_passed, None
        if reading.is_passed:
            state.told_s = now_s
        return _alert(reading)

    def _is_soon(self, told_s: float, now_s: float) -> bool:
        return now_s - told_s < self._again_s


def readings(figures: Figures, limits: HealthSettings) -> Iterator[Reading]:
    """Return every figure that has a limit."""
    machine, percent = figures.machine, 100
    for source, title, value, limit, advice in (
        (
            "cpu/machine",
            "CPU of the machine",
            machine.cpu_fraction,
            limits.max_cpu_pct,
            "see what else runs there",
        ),
        (
            "cpu/process",
            "CPU of this process",
            machine.process_cpu_fraction,
            limits.max_cpu_pct,
            "bin/trace stats shows which actor works; trade fewer assets",
        ),
        (
            "memory",
            "Memory of the machine",
            machine.memory_fraction,
            limits.max_memory_pct,
            "see what else runs there",
        ),
        (
            "disk",
            "Disk of the journal",
            machine.disk_fraction,
            limits.max_disk_pct,
            "make room: a full disk stops all entries",
        ),
    ):
        yield Reading(
            source=source,
            title=title,
            value=value * percent,
            limit=float(limit) * percent,
            unit="%",
            advice=advice,
        )
    yield from _connections(figures, limits)
    for actor in figures.actors:
        yield Reading(
            source=f"mailbox/{actor.address}",
            title=f"Oldest message for {actor.address}",
            value=actor.oldest_s,
            limit=float(limits.max_message_age_seconds),
            unit="s",
            advice="bin/trace slow shows what takes so long",
        )


def _connections(figures: Figures, limits: HealthSettings) -> Iterator[Reading]:
    p99_s, offset_s = figures.requests.p99_s, figures.clock_offset_s
    yield Reading(
        source="latency",
        title="Latency of the exchange, p99",
        value=None if p99_s is None else p99_s * _MS_PER_S,
        limit=limits.max_latency_ms,
        unit="ms",
        advice="check the network and the exchange's status page",
    )
    yield Reading(
        source="clock",
        title="Clock of the machine against the exchange's",
        value=None if offset_s is None else abs(offset_s) * _MS_PER_S,
        limit=limits.max_clock_offset_ms,
        unit="ms",
        advice="let NTP set the machine's clock",
    )
    backup = figures.backup
    if backup is not None:
        yield Reading(
            source="backup",
            title="Age of what the backup lacks",
            value=figures.at_s - backup.complete_s,
            limit=float(limits.max_backup_age_seconds),
            unit="s",
            advice=f"see docs/backup.md; {backup.trouble or 'nothing is known to be wrong'}",
        )
    for asset in figures.assets:
        yield Reading(
            source=f"feed/{asset.asset}",
            title=f"Age of {asset.asset}'s candles",
            value=asset.feed_age_s,
            limit=float(limits.max_feed_age_seconds),
            unit="s",
            advice="check the network and the exchange's status page",
        )


def _alert(reading: Reading) -> Alert:
    figures = f"{reading.value or 0.0:,.0f} {reading.unit}, limit {reading.limit:,.0f}"
    if reading.is_passed:
        return Alert(
            source=reading.source,
            title=f"{reading.title} above its limit",
            detail=f"{figures} {reading.unit}. You can: {reading.advice}.",
        )
    return Alert(
        source=reading.source,
        title=f"{reading.title} within its limit again",
        detail=f"{figures} {reading.unit}.",
    )
