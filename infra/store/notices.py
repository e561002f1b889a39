"""Stored notices, with what each channel still has to deliver."""

from collections.abc import Collection, Sequence
from dataclasses import fields

import peewee
from peewee import SQL

from domain.operator.notices import Notice, NoticeKind, Similar
from infra.store import schema
from infra.store.codec import row_of, value_of
from infra.store.deliveries import DROPPED, WAITING
from infra.store.journal import JournalStore

_NOTICE = schema.table("notice")
_DELIVERY = schema.table("delivery")
_META = schema.table("meta")
READ_THROUGH = "notifier.read_through"
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
    # The status is a literal in the query: only then is the partial index used.
    _DELIVERY.select(peewee.fn.COUNT(SQL("*")).alias("n")).where(
        (_DELIVERY.c.channel == schema.GIVEN) & (_DELIVERY.c.status == SQL(f"'{WAITING}'"))
    )
)


class StoredNotices:
    """Reads and stores notices, in the thread that created it."""

    def __init__(self, journals: JournalStore) -> None:
        self._journal = journals.open(_ADDRESS, lambda: None)
        self._database = journals.database

    def close(self) -> None:
        """Close this thread's connection."""
        self._journal.close()

    def read_through(self) -> int:
        """Return the fact id up to which notices have been made."""
        found = _META.select(_META.c.value).where(_META.c.key == READ_THROUGH)
        return next((int(row["value"]) for row in found.execute(self._database)), 0)

    def read_on(self, fact_id: int) -> None:
        """Store that notices have been made up to this fact."""
        with self._journal.writing():
            note = {"key": READ_THROUGH, "value": str(fact_id)}
            schema.replace_row(self._database, _META, note)

    def knows(self, key: str) -> bool:
        """Tell whether a notice with this key is stored."""
        return bool(_BY_KEY.rows(self._database, key))

    def before(self, notice: Notice) -> Similar | None:
        """Return the previous notice of the same kind, asset and cause; None if there was none."""
        told = _TOLD_BEFORE.rows(self._database, notice.similar)
        if not told:
            return None
        since = _SIMILAR_SINCE.rows(self._database, notice.similar, told[0]["id"])
        return Similar(told_ms=told[0]["t_ms"], held_back=since[0]["n"])

    def newest(self, kind: NoticeKind, causes: Collection[str]) -> Notice | None:
        """Return the newest notice of a kind with one of the given causes."""
        query = _NOTICE.select(*_columns()).where(
            (_NOTICE.c.kind == kind.value) & _NOTICE.c.cause.in_(list(causes))
        )
        newest = query.order_by(_NOTICE.c.id.desc()).limit(1).execute(self._database)
        return next((value_of(Notice, row) for row in newest), None)

    def causes(self, kind: NoticeKind, from_ms: int, until_ms: int) -> dict[str, int]:
        """Return the number of notices of a kind by cause, held back or not."""
        inside = (_NOTICE.c.t_ms >= from_ms) & (_NOTICE.c.t_ms < until_ms)
        counted = (
            _NOTICE.select(_NOTICE.c.cause, peewee.fn.COUNT(SQL("*")).alias("n"))
            .where((_NOTICE.c.kind == kind.value) & inside)
            .group_by(_NOTICE.c.cause)
            .order_by(_NOTICE.c.cause)
        )
        return {row["cause"]: row["n"] for row in counted.execute(self._database)}

    def store(
        self, notice: Notice, channels: Sequence[str], *, is_held_back: bool, max_waiting: int
    ) -> bool:
        """Store a notice with its deliveries; return False if its key is stored already.

        Args:
            notice: to deliver.
            channels: that deliver it.
            is_held_back: whether it is only counted.
            max_waiting: if more wait, the oldest routine notices of a channel are dropped.
        """
        with self._journal.writing():
            if self.knows(notice.key):
                return False
            row = row_of(notice) | {"similar": notice.similar, "is_held_back": int(is_held_back)}
            notice_id = schema.insert_row(self._database, _NOTICE, row)
            for channel in channels:
                self._add(channel, notice_id, notice, max_waiting)
        return True

    def _add(self, channel: str, notice_id: int, notice: Notice, max_waiting: int) -> None:
        row = {
            "channel": channel,
            "notice_id": notice_id,
            "is_routine": int(notice.is_routine),
            "status": WAITING,
            "is_repeat": 0,
        }
        schema.insert_row(self._database, _DELIVERY, row)
        count = _WAITING.rows(self._database, channel)
        too_many = count[0]["n"] - max_waiting
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
