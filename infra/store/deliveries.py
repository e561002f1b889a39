"""One channel's part of the outbox: the notices that wait for it, and their delivery status."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import peewee
from peewee import SQL

from domain.errors import JournalError
from domain.operator.notices import CRITICAL, NoticeKind
from infra.store import schema
from infra.store.journal import JournalStore
from infra.store.sqlite.driver import errors

WAITING, DELIVERED, REFUSED = "WAITING", "DELIVERED", "REFUSED"
DROPPED, COUNTED = "DROPPED", "COUNTED"
"""Dropped because too many waited; the next delivery says how many, then they become COUNTED."""

_NOTICE = schema.table("notice")
_DELIVERY = schema.table("delivery")
_IS_CRITICAL = _NOTICE.c.kind.in_([kind.value for kind in CRITICAL])


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A notice that waits."""

    notice_id: int
    kind: NoticeKind
    text: str
    is_repeat: bool
    """It may already have arrived."""
    dropped: int
    """Routine notices that were dropped since the last delivery."""


class Deliveries:
    """Reads and marks one channel's deliveries, in a connected thread."""

    def __init__(self, journals: JournalStore, channel: str) -> None:
        self._journals = journals
        self._channel = channel
        self._mine = _DELIVERY.c.channel == channel

    def next(self) -> Delivery | None:
        """Return the oldest of the most severe waiting notices; None if none waits."""
        with self._errors():
            database = self._journals.database
            query = (
                _DELIVERY.select(
                    _DELIVERY.c.notice_id, _DELIVERY.c.is_repeat, _NOTICE.c.kind, _NOTICE.c.text
                )
                .join(_NOTICE, on=(_NOTICE.c.id == _DELIVERY.c.notice_id))
                .where(self._mine & (_DELIVERY.c.status == WAITING))
                .order_by(_IS_CRITICAL.desc(), _DELIVERY.c.is_routine, _DELIVERY.c.notice_id)
                .limit(1)
            )
            row = next(iter(query.execute(database)), None)
            if row is None:
                return None
            return Delivery(
                notice_id=row["notice_id"],
                kind=NoticeKind(row["kind"]),
                text=row["text"],
                is_repeat=bool(row["is_repeat"]),
                dropped=self.count(DROPPED),
            )

    def count(self, status: str) -> int:
        """Return how many deliveries have a status."""
        with self._errors():
            database = self._journals.database
            query = _DELIVERY.select(peewee.fn.COUNT(SQL("*")).alias("n")).where(
                self._mine & (_DELIVERY.c.status == status)
            )
            found: int = next(iter(query.execute(database)))["n"]
            return found

    def mark_sending(self, delivery: Delivery) -> None:
        """Note that it is about to be sent: sending it again after a crash is a repeat."""
        self._update(self._this(delivery), {_DELIVERY.c.is_repeat: 1})

    def mark_not_arrived(self, delivery: Delivery) -> None:
        """Note that this attempt definitely did not arrive."""
        self._update(self._this(delivery), {_DELIVERY.c.is_repeat: int(delivery.is_repeat)})

    def mark_delivered(self, delivery: Delivery) -> None:
        """Note that it arrived, and with it the number of dropped notices."""
        if delivery.dropped:
            self._update(
                self._mine & (_DELIVERY.c.status == DROPPED), {_DELIVERY.c.status: COUNTED}
            )
        self._update(self._this(delivery), {_DELIVERY.c.status: DELIVERED})

    def mark_refused(self, delivery: Delivery) -> None:
        """Note that the channel will never accept it."""
        self._update(self._this(delivery), {_DELIVERY.c.status: REFUSED})

    def _this(self, delivery: Delivery) -> Any:
        return self._mine & (_DELIVERY.c.notice_id == delivery.notice_id)

    def _update(self, which: Any, values: dict[object, object]) -> None:
        with self._errors(), self._journals.writing() as database:
            _DELIVERY.update(values).where(which).execute(database)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except errors("DatabaseError", peewee.DatabaseError) as error:
            raise JournalError(f"{self._channel}: the outbox cannot be used: {error}") from error
