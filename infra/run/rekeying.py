"""Changes the key of a run directory: everything that a run has stored is re-encrypted.

The vault holds both data keys until all files are done, so that an interrupted change can continue,
and no file is ever left that cannot be opened.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from domain.errors import ConfigError
from infra.files import make_folder
from infra.process.locks import RUN_LOCK, FileLock
from infra.secrets.change import Rewrite, rewrite_file, rewrite_line, rewrite_lines, rewrite_whole
from infra.secrets.cipher import STATE, Cipher
from infra.secrets.keystore import CREDENTIALS
from infra.secrets.keystore import FILE as KEYSTORE
from infra.secrets.vault import FILE, Vault, new_vault, read_vault, vault_of
from infra.store.location import find_journal
from infra.store.reserve import count_waiting
from infra.store.sqlite.driver import JOURNAL
from infra.store.sqlite.rekeying import rekey_file
from infra.trace.frames import TRACE, rewrite_frames

_FILES: tuple[tuple[str, str, Rewrite], ...] = (
    ("trace/*.trace", TRACE, rewrite_frames),
    ("crashes/*.crash", TRACE, rewrite_frames),
    ("*.state", STATE, rewrite_lines),
    ("sim-keys.json", STATE, rewrite_line),
    (KEYSTORE, CREDENTIALS, rewrite_whole),
)
_RESERVES = "*.reserve"
_LOGS = ("logs/*.jsonl*", "sim-exchange.log", "web.log")


def rekey(directory: Path, sources: Sequence[str]) -> list[Path]:
    """Encrypt a run directory with a new data key, which any one of the sources opens.

    Args:
        directory: of a stopped run; it may be unencrypted, or not exist yet.
        sources: of keys; without any the directory is decrypted.

    Returns:
        Earlier logs, which are not encrypted and left for the user to delete.

    Raises:
        ConfigError: a run uses it, a key is not available, or the disk is full. Repeating the same
            call finishes it; with other sources the earlier change is finished first.
    """
    with ExitStack() as held:
        make_folder(directory)
        lock = FileLock(directory / RUN_LOCK, f"{directory}: a run uses this directory")
        held.callback(lock.release)
        _demand_inside(directory)
        _demand_no_waiting(directory)
        _rekey(directory, sources)
    return [file for pattern in _LOGS for file in sorted(directory.glob(pattern)) if sources]


def allow(directory: Path, source: str) -> None:
    """Allow another key, or a passphrase, to open a run directory.

    Raises:
        ConfigError: it is not encrypted, cannot be opened, or the source has no key.
    """
    vault = vault_of(directory)
    if vault is None:
        raise ConfigError(f"{directory}: is not encrypted")
    vault.with_source(source).write()


def _rekey(directory: Path, sources: Sequence[str]) -> None:
    known = read_vault(directory)
    if known is not None and known.is_changing:
        known = _change(directory, known)
        if known.sources == list(sources):
            return
    if sources:
        made = new_vault(directory, sources).changing() if known is None else known.renewed(sources)
        _change(directory, made)
    elif known is not None:
        _decrypt(directory, known)


def _decrypt(directory: Path, known: Vault) -> None:
    if (directory / KEYSTORE).exists():
        raise ConfigError(f"{directory}: is a keystore, which is always encrypted")
    _convert(directory, known, None)
    (directory / FILE).unlink()


def _change(directory: Path, vault: Vault) -> Vault:
    vault.write()
    _convert(directory, None, vault)
    finished = vault.finished()
    finished.write()
    return finished


def _convert(directory: Path, old: Vault | None, new: Vault | None) -> None:
    def keys(purpose: str) -> tuple[bytes | None, bytes | None]:
        if new is not None:
            return new.former_key(purpose), new.key(purpose)
        return None if old is None else old.key(purpose), None

    journal = find_journal(directory)
    if isinstance(journal, Path) and journal.is_file():
        rekey_file(journal, *keys(JOURNAL))
    for reserve in directory.glob(_RESERVES):  # nothing waits in it, and the next start creates one
        reserve.unlink()
    for pattern, purpose, rewrite in _FILES:
        before, after = (Cipher(key) for key in keys(purpose))
        for file in sorted(directory.glob(pattern)):
            rewrite_file(file, rewrite, before, after)


def _demand_no_waiting(directory: Path) -> None:
    for reserve in directory.glob(_RESERVES):
        waiting = count_waiting(reserve)
        if waiting:
            raise ConfigError(
                f"{reserve}: {waiting} records wait in it to be stored; start the run once more, "
                "with room on the disk"
            )


def _demand_inside(directory: Path) -> None:
    journal = find_journal(directory)
    if isinstance(journal, Path) and journal.parent.resolve() != directory.resolve():
        raise ConfigError(
            f"{journal}: lies outside of {directory}; `bin/store copy` it there first, and take "
            "database.file out of the settings"
        )
