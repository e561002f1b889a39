"""The exchange's state on disk: appended JSON lines, which survive a kill at any moment.

Once there are many, the file is rewritten with what still counts, so it never grows without bound.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import Field, TypeAdapter

from domain.errors import BadDataError, ConfigError
from infra.secrets.cipher import PLAIN, STATE, cipher_of
from infra.venues.simulator.prices.candles import Kline
from infra.venues.simulator.prices.sources import MARK_EVERY, Mark
from infra.venues.simulator.records import (
    AccountState,
    ClosedPnl,
    Deposit,
    StopRecord,
    Transaction,
    VenueExecution,
    VenueOrder,
)

ORDERS = TypeAdapter(VenueOrder)
EXECUTIONS = TypeAdapter(VenueExecution)
STOPS = TypeAdapter(StopRecord)
DEPOSITS = TypeAdapter(Deposit)
KLINES = TypeAdapter(dict[str, Kline])
TRANSACTIONS = TypeAdapter(Transaction)
CLOSED = TypeAdapter(ClosedPnl)
ACCOUNTS = TypeAdapter(AccountState)
_LINES_PER_KEPT = 8
_BEGIN = b'["start"'
_MARKS_KEPT = 32
_KLINES_KEPT = _MARKS_KEPT * MARK_EVERY


_LONGEST_MS = 20 * 366 * 86_400_000
"""Longest plausible age: generating the candles of an older exchange would take minutes."""
_Time = Annotated[int, Field(ge=0, le=10**13)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first line, and a line added by each later start."""

    seed: int
    first_open_ms: _Time
    speed: Annotated[float, Field(gt=0)] | None
    time_ms: _Time
    wall_ms: _Time


_START, _TIME = TypeAdapter(Start), TypeAdapter(_Time)
_COUNT = TypeAdapter(Annotated[int, Field(ge=0, strict=True)])
_KEPT: Mapping[str, tuple[str, TypeAdapter[Any]]] = {
    "order": ("orders", ORDERS),
    "execution": ("executions", EXECUTIONS),
    "stops": ("stops", STOPS),
    "deposit": ("deposits", DEPOSITS),
    "transaction": ("transactions", TRANSACTIONS),
    "closed": ("closed", CLOSED),
    "past_deposit": ("past_deposits", DEPOSITS),
}
"""The list in `Memory` that each kind of record goes to."""


@dataclass(slots=True, kw_only=True)
class Memory:
    """What an earlier run left."""

    start: Start
    orders: list[VenueOrder] = field(default_factory=list)
    """Every state of every order, oldest first."""
    executions: list[VenueExecution] = field(default_factory=list)
    stops: list[StopRecord] = field(default_factory=list)
    deposits: list[Deposit] = field(default_factory=list)
    account: AccountState | None = None
    """The account when the file was last rewritten; later executions and deposits follow."""
    transactions: list[Transaction] = field(default_factory=list)
    """Executions before that, as far as they are kept; likewise the next two."""
    closed: list[ClosedPnl] = field(default_factory=list)
    past_deposits: list[Deposit] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    klines: deque[Any] = field(default_factory=lambda: deque(maxlen=_KLINES_KEPT))
    """Candles that differ from the source's, oldest first, not parsed yet."""
    marks: deque[Mark] = field(default_factory=lambda: deque(maxlen=_MARKS_KEPT))
    """States of the generator, oldest first."""
    margins: dict[str, tuple[Decimal, int]] = field(default_factory=dict)
    """Margin added to positions by hand, by key, and when each position was opened."""
    factors: dict[str, str] = field(default_factory=dict)
    time_ms: int = 0
    """Time up to which the market was processed."""


class StateFile:
    """Lines are buffered until `flush`, which writes all of them at once."""

    def __init__(self, path: Path | None, *, kept: int) -> None:
        """Take the file; without a path nothing is remembered.

        Args:
            path: of the file.
            kept: how many records of each kind survive a rewrite.
        """
        self.kept = kept
        self._path = path
        self._cipher = PLAIN if path is None else cipher_of(path.parent, STATE)
        self._file: int | None = None
        self._waiting: list[bytes] = []
        self._lines = 0
        self._marks: deque[bytes] = deque(maxlen=_MARKS_KEPT)
        self._klines: deque[bytes] = deque(maxlen=_KLINES_KEPT)

    def read(self) -> Memory | None:
        """Return what an earlier run left; None if there was none.

        Raises:
            ConfigError: the file is not a saved state.
        """
        if self._path is None or not self._path.exists():
            return None
        memory: Memory | None = None
        with self.refusing():
            for line in self._whole_lines(self._path):
                kind, value = orjson.loads(line)
                self._count(kind, line + b"\n")
                if memory is None:
                    memory = Memory(start=_START.validate_python(value))
                else:
                    _remember(memory, kind, value)
            if memory is not None and memory.time_ms:
                _check_age(memory)
        return memory

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Turn errors of reading the file, inside the block, into a refusal of the file.

        Raises:
            ConfigError: the file is not a saved state.
        """
        try:
            yield
        except (
            BadDataError,
            LookupError,
            TypeError,
            ValueError,
            ArithmeticError,
            AttributeError,
        ) as error:
            text = f"{self._path}: is not a saved exchange state: delete it, or name another file"
            raise ConfigError(text) from error

    def open(self) -> None:
        """Open the file for appending.

        Raises:
            ConfigError: the file cannot be written.
        """
        if self._path is None:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            self._file = os.open(self._path, flags, 0o644)
        except OSError as error:
            raise ConfigError(f"{self._path}: cannot be written: {error.strerror}") from error

    def add(self, kind: str, value: Any) -> None:
        """Buffer a line."""
        if self._file is not None:
            line = _line(kind, value)
            self._waiting.append(line)
            self._count(kind, line)

    def flush(self) -> None:
        """Hand buffered lines to the operating system in one write."""
        if self._file is not None and self._waiting:
            os.write(self._file, b"".join(map(self._stored, self._waiting)))
            self._waiting.clear()

    @property
    def is_long(self) -> bool:
        """Tell whether there are so many lines that most no longer count."""
        return self._lines > self.kept * _LINES_PER_KEPT

    def rewrite(self, start: Any, lines: Iterable[tuple[str, Any]]) -> None:
        """Replace everything written by a start and these lines; marks and candles stay.

        If the disk has no room, the file stays as it is.
        """
        self.flush()
        self._lines = 0
        if self._path is None or self._file is None:
            return
        made = self._path.with_name(f"{self._path.name}.new")
        try:
            with made.open("wb") as file:
                file.write(self._stored(_line("start", start)))
                file.writelines(map(self._stored, (*self._klines, *self._marks)))
                file.writelines(self._stored(_line(kind, value)) for kind, value in lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                made.unlink()
            return
        made.replace(self._path)
        os.close(self._file)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)

    def close(self) -> None:
        self.flush()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _count(self, kind: str, line: bytes) -> None:
        self._lines += 1
        if kind == "mark":
            self._marks.append(line)
        elif kind == "klines":
            self._klines.append(line)

    def _stored(self, line: bytes) -> bytes:
        return self._cipher.line(line[:-1]) + b"\n"

    def _whole_lines(self, path: Path) -> Iterator[bytes]:
        # A power loss may have left half a line; it was never acknowledged.
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
        if not self._cipher.is_on and content[: len(_BEGIN)] != _BEGIN[: len(content)]:
            raise ValueError("the beginning of a state is missing")
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with path.open("r+b") as file:
                file.truncate(whole)
        yield from map(self._cipher.read_line, content[:whole].splitlines())


def _line(kind: str, value: Any) -> bytes:
    return orjson.dumps([kind, value]) + b"\n"


def _check_age(memory: Memory) -> None:
    age_ms = memory.time_ms - memory.start.first_open_ms
    if not 0 <= age_ms <= _LONGEST_MS:
        raise ValueError(f"expected an exchange that has run for a while, found {age_ms} ms")


def _remember(memory: Memory, kind: str, value: Any) -> None:
    if kind == "start":
        again = _START.validate_python(value)
        memory.start = replace(
            memory.start, wall_ms=again.wall_ms, time_ms=again.time_ms, speed=again.speed
        )
    elif kind == "settings":
        memory.settings = value
    elif kind == "factors":
        memory.factors = value
    elif kind == "time":
        memory.time_ms = _TIME.validate_python(value)
    elif kind == "margin":
        memory.margins[str(value[0])] = Decimal(value[1]), int(value[2])
    elif kind == "account":
        memory.account = ACCOUNTS.validate_python(value)
    elif kind == "klines":
        memory.klines.append(value)
    elif kind == "mark":
        _COUNT.validate_python(value["number"])
        memory.marks.append(value)
    elif kind in _KEPT:
        name, adapter = _KEPT[kind]
        getattr(memory, name).append(adapter.validate_python(value))
