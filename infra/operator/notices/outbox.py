"""The stored notices. See `actors.ports.Outbox`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from loguru import logger

from domain.operator.notices import Notice, NoticeKind, NoticeRules
from infra.store.journal import JournalStore
from infra.store.notices import StoredNotices

_FREQUENT = frozenset({NoticeKind.REGIME, NoticeKind.REFUSED, NoticeKind.COOLDOWN})
"""Kinds that the log need not show as well if a channel takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostRules:
    """Which notices go to which channels, and how often."""

    kinds: Mapping[str, frozenset[NoticeKind]]
    """Kinds that each channel delivers."""
    max_waiting: int
    """If more wait, the oldest routine notices of a channel are dropped."""
    notices: NoticeRules
    admin: str = ""
    """The channel that the answers to commands are sent to; empty: none."""


class StoredOutboxes:
    """The outbox in a run's journal, and the channels that empty it."""

    def __init__(
        self,
        journals: JournalStore,
        rules: PostRules,
        *,
        on_stored: Callable[[str], None] = lambda _channel: None,
    ) -> None:
        """Keep the parts; nothing is opened yet.

        Args:
            journals: the database.
            rules: may be replaced at any time.
            on_stored: called with a channel that has something to deliver; must not block.
        """
        self.rules = rules
        self._journals = journals
        self._on_stored = on_stored

    def open(self) -> "StoredOutbox":
        """Open the outbox, in the thread that will use it."""
        return StoredOutbox(self._journals, lambda: self.rules, self._on_stored)


class StoredOutbox(StoredNotices):
    """One holder's outbox: the stored notices, and what goes to which channel."""

    def __init__(
        self,
        journals: JournalStore,
        rules: Callable[[], PostRules],
        on_stored: Callable[[str], None],
    ) -> None:
        """Only `StoredOutboxes.open` constructs it."""
        super().__init__(journals)
        self._rules = rules
        self._on_stored = on_stored

    def notice_rules(self) -> NoticeRules:
        """Return the rules of when to notify."""
        return self._rules().notices

    def put(self, notice: Notice) -> None:
        """Store a notice for its channels, unless its key is stored already."""
        self._put(notice, self._channels(notice))

    def _put(self, notice: Notice, channels: Sequence[str]) -> None:
        if self._store(notice, channels, is_held_back=False):
            _log(notice, is_carried=bool(channels))
            for channel in channels:
                self._on_stored(channel)

    def put_answered(self, notice: Notice) -> None:
        """Store a notice for all its channels except the one that got it as an answer."""
        self._put(notice, [name for name in self._channels(notice) if name != self._rules().admin])

    def hold_back(self, notice: Notice) -> None:
        """Store a notice only to count it, unless its key is stored already."""
        if self._store(notice, [], is_held_back=True):
            _log(notice, is_carried=bool(self._channels(notice)))

    def _store(self, notice: Notice, channels: Sequence[str], *, is_held_back: bool) -> bool:
        most = self._rules().max_waiting
        return self.store(notice, channels, is_held_back=is_held_back, max_waiting=most)

    def _channels(self, notice: Notice) -> list[str]:
        return [name for name, kinds in self._rules().kinds.items() if notice.kind in kinds]


def _log(notice: Notice, *, is_carried: bool) -> None:
    level = "DEBUG" if is_carried and notice.kind in _FREQUENT else "INFO"
    if notice.kind is NoticeKind.RISK:
        level = "WARNING"
    logger.bind(kind=notice.kind.value).log(level, _in_one_line(notice.text))


def _in_one_line(text: str) -> str:
    line = "; ".join(map(str.strip, text.splitlines()))
    for end in ":.,":  # a continued line, or the end of a sentence
        line = line.replace(f"{end}; ", f"{end} ")
    return line
