"""The stored notices. See `actors.ports.Outbox`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields

import peewee
from loguru import logger
from peewee import SQL, Database

from domain.operator.notices import Notice, NoticeKind, NoticeRules, Similar
from infra.operator.notices.deliveries import DROPPED, WAITING
from infra.store import schema
from infra.store.codec import row_of, value_of
from infra.store.journal import JournalStore
from infra.store.writer import JournalWriter

_NOTICE = schema.table("notice")
_DELIVERY = schema.table("delivery")
_META = schema.table("meta")
_READ_THROUGH = "notifier.read_through"
_ADDRESS = "outbox"

_BY_KEY = schema.Prepared(_NOTICE.select(_NOTICE.c.id).where(_NOTICE.c.key == schema.GIVEN))
_TOLD_BEFORE = schema.Prepared(
    _NOTICE.select(_NOTICE.c.id, _NOTICE.c.t_ms)
    .where((_NOTICE.c.similar == schema.GIVEN) & (_NOTICE.c.is_held_back == schema.ZERO))
    .order_by(_NOTICE.c.id.desc())
    .limit(schema.ONE)
)
_SIMILAR_SINCE = schema.Prepared(
    _NOTICE.select(peewee.fn.COUNT(SQL("*")).alias("n")).where(
        (_NOTICE.c.similar == schema.GIVEN) & (_NOTICE.c.id > schema.GIVEN)
    )
)
_WAITING = schema.Prepared(
    # The status is part of the text: only then the index of those that wait is used.
    _DELIVERY.select(peewee.fn.COUNT(SQL("*")).alias("n")).where(
        (_DELIVERY.c.channel == schema.GIVEN) & (_DELIVERY.c.status == SQL(f"'{WAITING}'"))
    )
)

_FREQUENT = frozenset({NoticeKind.REGIME, NoticeKind.REFUSED, NoticeKind.COOLDOWN})
"""What the log need not show as well where a channel takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostRules:
    """What goes where, and how often."""

    kinds: Mapping[str, frozenset[NoticeKind]]
    """What each channel carries."""
    max_waiting: int
    """Above it the oldest routine notices of a channel are dropped."""
    notices: NoticeRules
    admin: str = ""
    """The channel that reads the answers to commands; empty: none does."""


class SqliteOutboxes:
    """The outbox in a run's journal, and the channels that empty it."""

    def __init__(
        self,
        journals: JournalStore,
        rules: PostRules,
        *,
        on_stored: Callable[[str], None] = lambda _channel: None,
    ) -> None:
        """Open nothing yet.

        Args:
            journals: the database.
            rules: may be replaced at any time.
            on_stored: told which channel has something to carry; must not wait.
        """
        self.rules = rules
        self._journals = journals
        self._on_stored = on_stored

    def open(self) -> "SqliteOutbox":
        """Take hold of the outbox, in the thread that will use it."""
        pen = self._journals.open(_ADDRESS, lambda: None)
        return SqliteOutbox(self._journals.database, pen, lambda: self.rules, self._on_stored)


class SqliteOutbox:
    """One holder's outbox."""

    def __init__(
        self,
        database: Database,
        pen: JournalWriter,
        rules: Callable[[], PostRules],
        on_stored: Callable[[str], None],
    ) -> None:
        """Made by `SqliteOutboxes.open` alone."""
        self._database = database
        self._pen = pen
        self._rules = rules
        self._on_stored = on_stored

    def close(self) -> None:
        """Let go of this thread's connection."""
        self._pen.close()

    def notice_rules(self) -> NoticeRules:
        """Return when people are told."""
        return self._rules().notices

    def read_through(self) -> int:
        """Return the fact id up to which the facts were put into words."""
        found = _META.select(_META.c.value).where(_META.c.key == _READ_THROUGH)
        return next((int(row["value"]) for row in found.execute(self._database)), 0)

    def read_on(self, fact_id: int) -> None:
        """Store that the facts were put into words up to this one."""
        with self._pen.writing():
            note = {"key": _READ_THROUGH, "value": str(fact_id)}
            schema.replace_row(self._database, _META, note)

    def put(self, notice: Notice) -> None:
        """Store a notice for its channels, unless its key is stored already."""
        self._put(notice, self._channels(notice))

    def _put(self, notice: Notice, channels: Sequence[str]) -> None:
        if self._store(notice, channels, is_held_back=False):
            _log(notice, is_carried=bool(channels))
            for channel in channels:
                self._on_stored(channel)

    def put_answered(self, notice: Notice) -> None:
        """Store a notice for all its channels but the one that had it as an answer."""
        self._put(notice, [name for name in self._channels(notice) if name != self._rules().admin])

    def hold_back(self, notice: Notice) -> None:
        """Store a notice only to count it, unless its key is stored already."""
        if self._store(notice, [], is_held_back=True):
            _log(notice, is_carried=bool(self._channels(notice)))

    def knows(self, key: str) -> bool:
        """Tell whether a notice of this key is stored."""
        return bool(_BY_KEY.rows(self._database, key))

    def before(self, notice: Notice) -> Similar | None:
        """Return what was told of the same kind, asset and cause; None where nothing was."""
        told = _TOLD_BEFORE.rows(self._database, notice.similar)
        if not told:
            return None
        since = _SIMILAR_SINCE.rows(self._database, notice.similar, told[0]["id"])
        return Similar(told_ms=told[0]["t_ms"], held_back=since[0]["n"])

    def newest(self, kind: NoticeKind, causes: Collection[str]) -> Notice | None:
        """Return the newest notice of a kind and one of some causes."""
        query = _NOTICE.select(*_columns()).where(
            (_NOTICE.c.kind == kind.value) & _NOTICE.c.cause.in_(list(causes))
        )
        newest = query.order_by(_NOTICE.c.id.desc()).limit(1).execute(self._database)
        return next((value_of(Notice, row) for row in newest), None)

    def causes(self, kind: NoticeKind, from_ms: int, until_ms: int) -> dict[str, int]:
        """Return how many notices of a kind there were by cause, held back or not."""
        inside = (_NOTICE.c.t_ms >= from_ms) & (_NOTICE.c.t_ms < until_ms)
        counted = (
            _NOTICE.select(_NOTICE.c.cause, peewee.fn.COUNT(SQL("*")).alias("n"))
            .where((_NOTICE.c.kind == kind.value) & inside)
            .group_by(_NOTICE.c.cause)
            .order_by(_NOTICE.c.cause)
        )
        return {row["cause"]: row["n"] for row in counted.execute(self._database)}

    def _channels(self, notice: Notice) -> list[str]:
        return [name for name, kinds in self._rules().kinds.items() if notice.kind in kinds]

    def _store(self, notice: Notice, channels: Sequence[str], *, is_held_back: bool) -> bool:
        """Store a notice with its deliveries; False where its key is stored already."""
        with self._pen.writing():
            if self.knows(notice.key):
                return False
            row = row_of(notice) | {"similar": notice.similar, "is_held_back": int(is_held_back)}
            notice_id = schema.insert_row(self._database, _NOTICE, row)
            for channel in channels:
                self._add(channel, notice_id, notice)
        return True

    def _add(self, channel: str, notice_id: int, notice: Notice) -> None:
        row = {
            "channel": channel,
            "notice_id": notice_id,
            "is_routine": int(notice.is_routine),
            "status": WAITING,
            "is_repeat": 0,
        }
        schema.insert_row(self._database, _DELIVERY, row)
        count = _WAITING.rows(self._database, channel)
        too_many = count[0]["n"] - self._rules().max_waiting
        if too_many > 0:
            waiting = (_DELIVERY.c.channel == channel) & (_DELIVERY.c.status == WAITING)
            oldest = (
                _DELIVERY.select(_DELIVERY.c.notice_id)
                .where(waiting & (_DELIVERY.c.is_routine == 1))
                .order_by(_DELIVERY.c.notice_id)
                .limit(too_many)
            )
            ids = [row["notice_id"] for row in oldest.execute(self._database)]
            dropped = (_DELIVERY.c.channel == channel) & _DELIVERY.c.notice_id.in_(ids)
            _DELIVERY.update({_DELIVERY.c.status: DROPPED}).where(dropped).execute(self._database)


def _columns() -> list[peewee.Column]:
    return [getattr(_NOTICE.c, field.name) for field in fields(Notice)]


def _log(notice: Notice, *, is_carried: bool) -> None:
    level = "DEBUG" if is_carried and notice.kind in _FREQUENT else "INFO"
    if notice.kind is NoticeKind.RISK:
        level = "WARNING"
    logger.bind(kind=notice.kind.value).log(level, _in_one_line(notice.text))


def _in_one_line(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines()).replace(":; ", ": ")
