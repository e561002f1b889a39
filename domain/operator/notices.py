"""What people are told: kinds of notices, and when one is held back as too much of the same."""

from dataclasses import dataclass
from enum import StrEnum

from domain.market.instruments import DAY_MS, MINUTE_MS


class NoticeKind(StrEnum):
    """What a notice is about. Settings say which kinds go where."""

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
"""What overtakes all others on its way; then come those that are never dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notification, in its words."""

    key: str
    """What it tells of: a second notice of the same key is the same news, and not told again."""
    kind: NoticeKind
    asset: str | None
    cause: str
    """Notices of the same kind, asset and cause are similar."""
    t_ms: int
    text: str
    """Its first line is its title."""

    @property
    def is_routine(self) -> bool:
        """Tell whether it may be held back, and dropped where too many wait."""
        return self.kind not in _SURE

    @property
    def similar(self) -> str:
        """What similar notices have in common."""
        return f"{self.kind}/{self.asset or ''}/{self.cause}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRules:
    """When people are told."""

    alert_cooldown_minutes: int
    """Similar routine notices at most once in this time."""
    report_minute: int | None
    """Minute of the UTC day at which reports are due; None: no reports."""
    weekly_report_weekday: int
    """Day of the weekly report, 0 is Monday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPeriod:
    """The time that a report is about: whole UTC days."""

    name: str
    """Daily, or Weekly."""
    from_ms: int
    until_ms: int
    due_ms: int

    @property
    def key(self) -> str:
        """What its report is stored under."""
        return f"report/{self.name}/{self.from_ms}"


_NAMES = {1: "Daily", 7: "Weekly"}
_FIRST_WEEKDAY = 3
"""1970-01-01 was a Thursday."""
_MOST_MISSED_DAYS = 35
"""Older reports are not made up for."""


def due_periods(rules: NoticeRules, *, after_ms: int, now_ms: int) -> list[ReportPeriod]:
    """Return the periods that ended after a time and whose report is due, oldest first."""
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
    """Return when the next report is due, later than now; None: never."""
    if rules.report_minute is None:
        return None
    offset_ms = rules.report_minute * MINUTE_MS
    return ((now_ms - offset_ms) // DAY_MS + 1) * DAY_MS + offset_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """What was told of the same kind, asset and cause before."""

    told_ms: int
    """When it was told last."""
    held_back: int
    """How many were held back since."""


def is_held_back(notice: Notice, before: Similar | None, *, cooldown_minutes: int) -> bool:
    """Tell whether a notice comes too soon after a similar one."""
    if before is None or not notice.is_routine:
        return False
    return notice.t_ms - before.told_ms < cooldown_minutes * MINUTE_MS
