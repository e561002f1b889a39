"""The paper account on disk: one line per act, complete or absent."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from domain.errors import BadDataError, ConfigError
from domain.trading.orders import OrderUpdate
from domain.trading.positions import Execution
from domain.trading.sizing import ProtectiveLevels
from infra.secrets.cipher import PLAIN, Cipher


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What happened in one step, and the asset's state after it."""

    asset: str
    executions: tuple[Execution, ...] = ()
    updates: tuple[OrderUpdate, ...] = ()
    stops: ProtectiveLevels | None = None
    """The stops after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The first line."""

    initial_balance: Decimal


_ACTS, _OPENINGS = TypeAdapter(Act), TypeAdapter(Opening)


class Memory:
    """An account's append-only file; a killed process loses nothing that it has reported."""

    def __init__(self, file: Path, cipher: Cipher = PLAIN) -> None:
        """Take the file, which may not exist yet, and the cipher of its lines."""
        self._path, self._cipher = file, cipher

    def read(self) -> tuple[Opening | None, list[Act]]:
        """Return what was stored, oldest first.

        Raises:
            ConfigError: the file cannot be read, or is not a paper account.
        """
        try:
            lines = list(self._whole_lines())
            if not lines:
                return None, []
            opening = _OPENINGS.validate_json(lines[0])
            return opening, [_ACTS.validate_json(line) for line in lines[1:]]
        except (OSError, ValidationError, BadDataError) as error:
            raise ConfigError(f"{self._path}: is not a readable paper account") from error

    def begin(self, opening: Opening) -> None:
        """Store the first line."""
        self._append(_OPENINGS.dump_json(opening))

    def add(self, act: Act) -> None:
        """Store an act; on disk when this returns."""
        self._append(_ACTS.dump_json(act))

    def _append(self, line: bytes) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            old_size, rest = os.fstat(file).st_size, self._cipher.line(line) + b"\n"
            try:
                while rest:
                    rest = rest[os.write(file, rest) :]
                os.fsync(file)
            except OSError:
                # A full disk may take half a line, to which the next act would be appended.
                os.ftruncate(file, old_size)
                raise
        finally:
            os.close(file)

    def _whole_lines(self) -> Iterator[bytes]:
        # Half a line is left if the machine lost power: it was never reported.
        content = self._path.read_bytes() if self._path.exists() else b""
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with self._path.open("r+b") as file:
                file.truncate(whole)
        yield from map(self._cipher.read_line, content[:whole].splitlines())
