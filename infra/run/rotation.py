"""Switches to another key of the account during a run, once the keystore has one."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from functools import partial
from pathlib import Path

from loguru import logger
from msgspec.structs import replace

from domain.errors import TradingError
from domain.market.instruments import Side
from domain.trading.positions import ZERO, Position, book
from infra.secrets.keystore import Entry, Keystore, Pair, asset_of
from infra.settings import Settings
from infra.store.location import find_journal
from infra.store.reader import FactReader
from infra.store.unanswered import unanswered_orders
from infra.venues.bybit.api_key import read_key
from infra.venues.bybit.connection import BybitConnection
from infra.venues.bybit.shapes.positions import PositionRow
from infra.venues.modes import credentials_of, keystore_of
from infra.venues.paper.connection import PaperConnection

_LOOK_S = 1.0
_DAY_S = 86_400.0
_WARNED_DAYS = 14
"""Days before a key expires on which the operator is notified daily."""
Tell = Callable[[str, str, str], None]


class KeyRotation:
    """Checks the keystore for new keys, and the exchange for when the key expires."""

    def __init__(
        self, folder: Path | None, mode: str, account: BybitConnection, journal: Path, tell: Tell
    ) -> None:
        """Prepare the thread; nothing is checked yet.

        Args:
            folder: of the keystore; None: keys come from the environment.
            mode: of the key.
            account: that uses the key.
            journal: run directory, whose journal tells what is settled.
            tell: notifies the operator; takes key, title and detail.
        """
        self._folder, self._mode, self._account = folder, mode, account
        self._directory, self._tell = journal, tell
        self._seen_ns = 0
        self._days_told = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="keys", daemon=True)

    def start(self) -> None:
        """Start checking; once."""
        self._thread.start()

    def close(self) -> None:
        """Stop checking; a key that is being tried is tried again at the next start."""
        self._is_over.set()
        self._thread.join(_LOOK_S)

    def try_next(self) -> None:
        """Try each waiting key; the result is reported and stored either way."""
        if self._folder is None:
            return
        store = Keystore(self._folder)
        for name, entry in store.entries().items():
            mode, asset = asset_of(name)
            # A key for an asset that had none at the start takes effect at the next start.
            is_used = not asset or asset in self._account.asset_rests
            if mode == self._mode and is_used and entry.next is not None:
                self._try(store, name, entry.next)

    def _try(self, store: Keystore, name: str, new: Pair) -> None:
        _, asset = asset_of(name)
        whose = f" of {asset}" if asset else ""
        stamp = f"key/{time.time_ns() // 1_000_000}"
        try:
            self._account.change_key(credentials_of(new), self._is_settled, asset=asset or None)
        except TradingError as error:
            if self._is_over.is_set():
                return  # the next start tries it again
            store.update(name, partial(_after, new, None, str(error)))
            self._tell(stamp, f"The key{whose} was not changed", f"{error}; the old one trades on")
            return
        store.update(name, partial(_after, new, new, ""))
        told = f"it ends in {new.api_key[-4:]}; remove the old one at the exchange"
        self._tell(stamp, f"Another key{whose or ' of the account'} trades now", told)

    def _watch(self) -> None:
        while not self._is_over.wait(_LOOK_S):
            try:
                if self._has_changed():
                    self.try_next()
                self._warn()
            except Exception as error:  # noqa: BLE001 (trading must not hear of it)
                logger.warning("the keys cannot be checked: {}", error)

    def _has_changed(self) -> bool:
        if self._folder is None:
            return False
        seen_ns = 0
        with suppress(OSError):
            seen_ns = Keystore(self._folder).file.stat().st_mtime_ns
        before, self._seen_ns = self._seen_ns, seen_ns
        return seen_ns != before

    def _warn(self) -> None:
        if self._days_told and time.monotonic() - self._days_told < _DAY_S:
            return
        self._days_told = time.monotonic()
        for asset, rest in {"": self._account.rest, **self._account.asset_rests}.items():
            info = read_key(rest).info
            days = None if info is None else info.days_left
            if days is not None and 0 <= days <= _WARNED_DAYS:
                title = f"The API key{' of ' if asset else ''}{asset} expires in {days} days"
                self._tell(f"key-expiry/{asset}{days}", title, "make another, and bin/keys rotate")

    def _is_settled(self) -> bool:
        """Tell whether no order is unanswered, and all assets match the exchange."""
        location = find_journal(self._directory)
        if unanswered_orders(location):
            return False
        booked: dict[str, Position | None] = {}
        with closing(FactReader(location)) as facts:
            for execution in facts.executions():
                booked[execution.asset] = book(booked.get(execution.asset), execution).position
        there = {row.symbol: row for row in self._account.rest.open_positions()}
        return all(
            _quantity(booked.get(asset)) == _there(there.get(symbol))
            for symbol, asset in self._account.assets.items()
        )


def _after(tried: Pair, used: Pair | None, refused: str, entry: Entry | None) -> Entry | None:
    """Return an entry after a key was tried; it may have been changed again meanwhile."""
    if entry is None:
        return None
    following = None if entry.next == tried else entry.next
    return replace(entry, used=used or entry.used, next=following, refused=refused)


def _quantity(position: Position | None) -> Decimal:
    return ZERO if position is None else position.signed_qty


def _there(row: PositionRow | None) -> Decimal:
    if row is None:
        return ZERO
    return row.qty if row.side is Side.BUY else -row.qty


@contextmanager
def key_rotation(
    settings: Settings,
    mode: str,
    account: BybitConnection | PaperConnection,
    directory: Path,
    tell: Tell,
) -> Iterator[None]:
    """Check the keys during a run, if it trades an account."""
    if not isinstance(account, BybitConnection):
        yield
        return
    folder = keystore_of(settings)
    with closing(KeyRotation(folder, mode, account, directory, tell)) as rotation:
        rotation.start()
        yield
