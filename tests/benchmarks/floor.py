"""What the disk takes, whatever this system does."""

import sqlite3
import time
from pathlib import Path


class Floor:
    """Stores a bare row at a time as an intent is stored: synced to the disk, by SQLite alone."""

    def __init__(self, file: Path) -> None:
        """Make a database."""
        self.taken_ms: list[float] = []
        self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        for statement in (
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "CREATE TABLE intent (id INTEGER PRIMARY KEY, text TEXT)",
        ):
            self._connection.execute(statement)

    def sync(self) -> None:
        """Store a row, and note the time."""
        began_s = time.perf_counter()
        self._connection.execute("INSERT INTO intent (text) VALUES (?)", ["x" * 200])
        self.taken_ms.append((time.perf_counter() - began_s) * 1000)

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()
