"""Where backups lie: in a folder, or wherever fsspec reaches by a URL.

Names have the form CHAIN/FILE. A segment is never written over another one.
"""

import importlib
import importlib.util
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from domain.errors import ConfigError, JournalError
from domain.text import plain

PACKAGES = (
    "backups to a URL need packages that are not installed; install them: "
    ".venv/bin/python -m pip install -r requirements-backup.txt"
)
_AT_ONCE = 64
"""Files that are asked for together."""
_LONGEST = 200
"""Letters of what a server says that are told."""


class BackupPlace(Protocol):
    """Files of backups by name. All methods raise JournalError where they cannot be reached."""

    def names(self) -> list[str]:
        """Return the names of all files, in their order."""

    def read(self, names: Iterable[str]) -> Iterator[bytes]:
        """Yield what files hold, in the order of the names."""

    def add(self, name: str, data: bytes) -> None:
        """Write a file that is not there yet, whole or not at all.

        Raises:
            FileExistsError: it is there.
        """

    def put(self, name: str, data: bytes) -> None:
        """Write a file, in the place of the one that is there."""

    def remove(self, names: Sequence[str]) -> None:
        """Remove files."""


def open_place(url: str) -> BackupPlace:
    """Return the place that a setting names: a folder, or a URL.

    Raises:
        ConfigError: the packages for it are not installed, or nobody knows such URLs.
    """
    if "://" not in url:
        return Folder(Path(url).expanduser())
    return Remote(url)


class Folder:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        """Touch nothing yet."""
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def names(self) -> list[str]:
        """Return the names of all files. See `BackupPlace`."""
        try:
            found = [file for file in self._path.glob("*/*") if not file.name.startswith(".")]
        except OSError as error:
            raise self._failure(error) from error
        return sorted(str(file.relative_to(self._path)) for file in found)

    def read(self, names: Iterable[str]) -> Iterator[bytes]:
        """Yield what files hold. See `BackupPlace`."""
        for name in names:
            try:
                yield (self._path / name).read_bytes()
            except OSError as error:
                raise self._failure(error) from error

    def add(self, name: str, data: bytes) -> None:
        """Write a file that is not there yet. See `BackupPlace`."""
        self._write(name, data, is_new=True)

    def put(self, name: str, data: bytes) -> None:
        """Write a file. See `BackupPlace`."""
        self._write(name, data, is_new=False)

    def remove(self, names: Sequence[str]) -> None:
        """Remove files, and the folders that are empty then. See `BackupPlace`."""
        try:
            for name in names:
                (self._path / name).unlink(missing_ok=True)
            for chain in {(self._path / name).parent for name in names}:
                if chain.is_dir() and not any(chain.iterdir()):
                    chain.rmdir()
        except OSError as error:
            raise self._failure(error) from error

    def _write(self, name: str, data: bytes, *, is_new: bool) -> None:
        file = self._path / name
        unfinished = file.with_name(f".{file.name}.{os.getpid()}")
        if is_new and file.exists():
            raise FileExistsError(name)
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with unfinished.open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            unfinished.replace(file)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> JournalError:
        return JournalError(f"{self._path}: the backups cannot be reached: {error.strerror}")


class Remote:
    """Files behind a URL that fsspec knows; keys come from the environment."""

    def __init__(self, url: str) -> None:
        """Ask nothing yet."""
        self._url = url
        try:
            fsspec = importlib.import_module("fsspec")
        except ImportError as error:
            raise ConfigError(f"{_shown(url)}: {PACKAGES}") from error
        _register(url.partition("://")[0])
        try:
            files, root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError, TypeError) as error:
            raise ConfigError(f"{_shown(url)}: no such URL is known: {_short(error)}") from error
        self._files: Any = files
        self._root = root.rstrip("/")

    def __str__(self) -> str:
        return _shown(self._url)

    def names(self) -> list[str]:
        """Return the names of all files. See `BackupPlace`."""
        self._files.invalidate_cache()
        found = self._ask(self._files.find, self._root, missing=[])
        inside = (path[len(self._root) :].lstrip("/") for path in found)
        return sorted(name for name in inside if name.count("/") == 1)

    def read(self, names: Iterable[str]) -> Iterator[bytes]:
        """Yield what files hold. See `BackupPlace`."""
        left = map(self._path, names)
        while paths := list(islice(left, _AT_ONCE)):
            found = self._ask(self._files.cat, paths)
            yield from (found[path] for path in paths)

    def add(self, name: str, data: bytes) -> None:
        """Write a file that is not there yet. See `BackupPlace`."""
        if self._ask(self._files.exists, self._path(name)):
            raise FileExistsError(name)
        self.put(name, data)

    def put(self, name: str, data: bytes) -> None:
        """Write a file. See `BackupPlace`."""
        self._ask(self._files.pipe_file, self._path(name), data)

    def remove(self, names: Sequence[str]) -> None:
        """Remove files. See `BackupPlace`."""
        for name in names:
            self._ask(self._files.rm_file, self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _ask(self, call: Any, *arguments: Any, missing: Any = None) -> Any:
        try:
            return call(*arguments)
        except FileNotFoundError as error:
            if missing is not None:
                return missing
            raise self._failure(error) from error
        except Exception as error:  # each kind of files raises its own
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> JournalError:
        return JournalError(f"{self}: the backups cannot be reached: {_short(error)}")


def _register(protocol: str) -> None:
    """Let obstore serve the stores that it knows, unless other packages do."""
    with_obstore = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs"}
    other = with_obstore.get(protocol)
    if other is None or importlib.util.find_spec(other) is not None:
        return
    try:
        importlib.import_module("obstore.fsspec").register(protocol)
    except ImportError as error:
        raise ConfigError(f"{protocol}: {PACKAGES}") from error


def _shown(url: str) -> str:
    """Return a URL without what may be a password."""
    return plain(re.sub(r"//[^/@]*@", "//", url))


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return plain(lines[0])[:_LONGEST]
