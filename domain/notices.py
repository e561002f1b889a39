"""What people are told: kinds of notices, and when one is held back as too much of the same."""

from dataclasses import dataclass
from enum import StrEnum

from domain.market import MINUTE_MS


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
