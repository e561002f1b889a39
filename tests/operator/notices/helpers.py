"""An outbox on disk, and notices to put into it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random

from domain.operator.notices import Notice, NoticeKind, NoticeRules
from infra.operator.notices.carrier import Carrier, Sender
from infra.operator.notices.outbox import PostRules, StoredOutbox, StoredOutboxes
from infra.store.deliveries import Deliveries
from infra.store.journal import JournalStore
from infra.store.opening import open_store

T_MS = 1_744_802_700_000
NOTICES = NoticeRules(alert_cooldown_minutes=15, report_minute=5, weekly_report_weekday=0)
ALL = frozenset(NoticeKind)


def journals_in(folder: Path) -> JournalStore:
    return open_store(folder / "journal.sqlite", lambda: T_MS, busy_timeout_ms=5000)


def notice(
    name: str, kind: NoticeKind = NoticeKind.EXIT, text: str | None = None, t_ms: int = T_MS
) -> Notice:
    words = f"title {name}\nbody {name}" if text is None else text
    return Notice(key=name, kind=kind, asset="BTC", cause="cause", t_ms=t_ms, text=words)


@contextmanager
def outbox_in(
    journals: JournalStore,
    kinds: Mapping[str, frozenset[NoticeKind]],
    max_waiting: int = 1000,
    carrier: Carrier | None = None,
) -> Iterator[StoredOutbox]:
    def wake(_channel: str) -> None:
        if carrier is not None:
            carrier.wake()

    rules = PostRules(kinds=kinds, max_waiting=max_waiting, notices=NOTICES)
    outbox = StoredOutboxes(journals, rules, on_stored=wake).open()
    try:
        yield outbox
    finally:
        outbox.close()


@contextmanager
def carried(journals: JournalStore, sender: Sender) -> Iterator[tuple[Carrier, StoredOutbox]]:
    """Run a channel that carries all that is put into the outbox."""
    carrier = Carrier("telegram", sender, journals, rng=Random(1), first_pause_s=0.01)
    carrier.start()
    with outbox_in(journals, {"telegram": ALL}, carrier=carrier) as outbox:
        try:
            yield carrier, outbox
        finally:
            carrier.close(10.0)


def statuses(journals: JournalStore, status: str) -> int:
    with journals.connected():
        return Deliveries(journals, "telegram").count(status)
