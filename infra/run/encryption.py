"""Checks, before anything is stored, that a run directory is encrypted as configured."""

from pathlib import Path

from domain.errors import ConfigError
from infra.secrets.vault import new_vault, vault_of
from infra.settings import Settings
from infra.store.location import journal_file
from infra.store.sqlite.driver import demand_sqlcipher


def prepare_encryption(settings: Settings, directory: Path) -> None:
    """Create the data key of a new directory, or refuse one that is not as configured.

    Raises:
        ConfigError: it holds unencrypted files, or encrypted ones that should not be, or there is
            no key.
    """
    vault = vault_of(directory)
    if not settings.storage.encryption:
        if vault is not None:
            raise ConfigError(
                f"{directory}: is encrypted; set storage.encryption: on, or decrypt it by "
                "`bin/keys rekey --to none`"
            )
        return
    file = journal_file(directory, settings.database)
    if file.parent.resolve() != directory.resolve():
        raise ConfigError(
            f"database.file: with storage.encryption the journal must be in the run directory; "
            f"found {settings.database.file}"
        )
    if settings.database.postgres_url() is None:
        demand_sqlcipher()
    if vault is not None:
        return
    found = _plain_files(directory, file)
    if found:
        raise ConfigError(
            f"{found[0]}: was stored before storage.encryption was on; encrypt the directory by "
            f"`bin/keys rekey --run-dir {directory} --to {settings.storage.key}`, or name another"
        )
    new_vault(directory, [settings.storage.key]).write()


def _plain_files(directory: Path, journal: Path) -> list[Path]:
    patterns = (f"{journal.name}*", "*.reserve", "*.state", "sim-keys.json", "trace/*", "crashes/*")
    return sorted(file for pattern in patterns for file in directory.glob(pattern))
