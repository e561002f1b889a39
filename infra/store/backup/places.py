"""Where backups are stored: in a folder, or at any URL that fsspec supports.

Names have the form CHAIN/FILE. A segment is never overwritten.
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
"""Number of files requested together."""
_LONGEST = 200
"""Longest part of a server's error that is shown, characters."""


class BackupPlace(Protocol):
    """Files of backups by name. All methods raise JournalError if the place cannot be reached."""

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""

    def read(self, names: Iterable[str]) -> Iterator[bytes]:
        """Yield the contents of files, in the order of the names."""

    def add(self, name: str, data: bytes) -> None:
        """Write a new file, whole or not at all.

        Raises:
            FileExistsError: it exists.
        """

    def put(self, name: str, data: bytes) -> None:
        """Write a file, replacing an existing one."""

    def remove(self, names: Sequence[str]) -> None:
        """Remove files."""


def open_place(url: str) -> BackupPlace:
    """Return the place named by a setting: a folder, or a URL.

    Raises:
        ConfigError: the packages for it are not installed, or the kind of URL is unknown.
    """
    if "://" not in url:
        return Folder(Path(url).expanduser())
    return Remote(url)


class Folder:
    """A folder on this machine."""

    def __init__(self, path: Path) -> None:
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
        """Yield the contents of files. See `BackupPlace`."""
        for name in names:
            try:
                yield (self._path / name).read_bytes()
            except OSError as error:
                raise self._failure(error) from error

    def add(self, name: str, data: bytes) -> None:
        """Write a new file. See `BackupPlace`."""
        self._write(name, data, is_new=True)

    def put(self, name: str, data: bytes) -> None:
        """Write a file. See `BackupPlace`."""
        self._write(name, data, is_new=False)

    def remove(self, names: Sequence[str]) -> None:
        """Remove files, and folders left empty. See `BackupPlace`."""
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
    """Files at a URL that fsspec supports; credentials come from the environment."""

    def __init__(self, url: str) -> None:
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
        """Write a new file. See `BackupPlace`."""
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
        except Exception as error:  # each file system raises errors of its own
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> JournalError:
        return JournalError(f"{self}: the backups cannot be reached: {_short(error)}")


def _register(protocol: str) -> None:
    """Let obstore serve the protocols that it supports, unless another package does."""
    with_obstore = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs"}
    other = with_obstore.get(protocol)
    if other is None or importlib.util.find_spec(other) is not None:
        return
    try:
        importlib.import_module("obstore.fsspec").register(protocol)
    except ImportError as error:
        raise ConfigError(f"{protocol}: {PACKAGES}") from error


def _shown(url: str) -> str:
    """Return a URL without anything that may be a password."""
    return plain(re.sub(r"//[^/@]*@", "//", url))


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return plain(lines[0])[:_LONGEST]
