"""Notices to the operator: their kinds, and when one is held back as a repetition."""

from dataclasses import dataclass
from enum import StrEnum

from domain.market.instruments import DAY_MS, MINUTE_MS


class NoticeKind(StrEnum):
    """What a notice is about. Settings say which kinds go to which channel."""

    REGIME = "regime"
    ENTRY = "entry"
    EXIT = "exit"
    REFUSED = "refused"
    COOLDOWN = "cooldown"
    RISK = "risk"
    ACTOR = "actor"
    CONNECTION = "connection"
    SYSTEM = "system"
    REPORT = "report"


_SURE = frozenset(
    {NoticeKind.ENTRY, NoticeKind.EXIT, NoticeKind.RISK, NoticeKind.SYSTEM, NoticeKind.REPORT}
)


CRITICAL = frozenset({NoticeKind.RISK})
"""Kinds that overtake all others in the queue; after them come those that are never dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notification, as text."""

    key: str
    """Identifies the event: a second notice with the same key is not sent again."""
    kind: NoticeKind
    asset: str | None
    cause: str
    """Notices of the same kind, asset and cause are similar."""
    t_ms: int
    text: str
    """The first line is the title."""

    @property
    def is_routine(self) -> bool:
        """Tell whether it may be held back, and dropped if too many wait."""
        return self.kind not in _SURE

    @property
    def similar(self) -> str:
        """What similar notices have in common."""
        return f"{self.kind}/{self.asset or ''}/{self.cause}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRules:
    """When notices are sent."""

    alert_cooldown_minutes: int
    """Least time between similar routine notices."""
    report_minute: int | None
    """Minute of the UTC day at which reports are due; None: no reports."""
    weekly_report_weekday: int
    """Day of the weekly report, 0 is Monday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPeriod:
    """The time that a report covers: whole UTC days."""

    name: str
    """Daily, or Weekly."""
    from_ms: int
    until_ms: int
    due_ms: int

    @property
    def key(self) -> str:
        """The key under which its report is stored."""
        return f"report/{self.name}/{self.from_ms}"


_NAMES = {1: "Daily", 7: "Weekly"}
_FIRST_WEEKDAY = 3
"""1970-01-01 was a Thursday."""
_MOST_MISSED_DAYS = 35
"""Older reports are not sent later."""


def due_periods(rules: NoticeRules, *, after_ms: int, now_ms: int) -> list[ReportPeriod]:
    """Return the periods that ended after a given time and whose reports are due, oldest first."""
    if rules.report_minute is None:
        return []
    newest_day = (now_ms - rules.report_minute * MINUTE_MS) // DAY_MS
    oldest_day = max(after_ms // DAY_MS, newest_day - _MOST_MISSED_DAYS)
    periods = []
    for day in range(oldest_day, newest_day + 1):
        is_week = (day + _FIRST_WEEKDAY) % 7 == rules.weekly_report_weekday
        for days in (1, 7) if is_week else (1,):
            period = ReportPeriod(
                name=_NAMES[days],
                from_ms=(day - days) * DAY_MS,
                until_ms=day * DAY_MS,
                due_ms=day * DAY_MS + rules.report_minute * MINUTE_MS,
            )
            if period.until_ms > after_ms:
                periods.append(period)
    return periods


def next_due_ms(rules: NoticeRules, now_ms: int) -> int | None:
    """Return when the next report after now is due; None: never."""
    if rules.report_minute is None:
        return None
    offset_ms = rules.report_minute * MINUTE_MS
    return ((now_ms - offset_ms) // DAY_MS + 1) * DAY_MS + offset_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """Earlier notices of the same kind, asset and cause."""

    told_ms: int
    """When the newest of them was sent."""
    held_back: int
    """How many were held back since then."""


def is_held_back(notice: Notice, before: Similar | None, *, cooldown_minutes: int) -> bool:
    """Tell whether a notice comes too soon after a similar one."""
    if before is None or not notice.is_routine:
        return False
    return notice.t_ms - before.told_ms < cooldown_minutes * MINUTE_MS
