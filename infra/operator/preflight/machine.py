"""Checks of the machine: its disk, the journal, and the notification channels."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from domain.errors import ConfigError, JournalError
from domain.text import counted
from infra.operator.notices.channels import check_addresses
from infra.operator.preflight.finding import Finding, fail, ok, warn
from infra.secrets.sealing import derived_key
from infra.secrets.sources import key_of
from infra.secrets.vault import vault_of
from infra.settings import Settings
from infra.store.backup.places import open_place
from infra.store.backup.segment import PURPOSE
from infra.store.location import Location, PostgresAddress, journal_location
from infra.store.opening import inspect_journal, inspect_server
from infra.store.sqlite.driver import demand_sqlcipher

_GIB = 1 << 30
_LITTLE_GIB, _TOO_LITTLE_GIB = 1.0, 0.1


def check_machine(
    settings: Settings, mode: str, directory: Path, dotenv: Path | None
) -> Iterator[Finding]:
    """Yield the findings about this machine."""
    yield _dotenv(dotenv)
    yield from _directory(directory)
    yield from _database(journal_location(directory, settings.database, mode), mode)
    yield from _encryption(settings, directory)
    yield from _backup(settings, mode)
    yield from _wrong_addresses(settings)
    yield _notifications(settings)


def _dotenv(dotenv: Path | None) -> Finding:
    if dotenv is None:
        return ok(".env", "none, and none is needed")
    mode = dotenv.stat().st_mode & 0o777
    if mode & 0o077:
        return warn(
            ".env",
            f"{dotenv}, which others may open ({mode:o})",
            "600",
            f"chmod 600 {dotenv}",
        )
    return ok(".env", str(dotenv))


def _directory(directory: Path) -> Iterator[Finding]:
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        yield fail(
            "run directory",
            f"{existing} cannot be written to",
            f"a writable {directory}",
            "change its owner, or choose another --run-dir",
        )
        return
    yield ok("run directory", f"{directory}{'' if existing == directory else ' (to be created)'}")
    free_gib = shutil.disk_usage(existing).free / _GIB
    found, expected = f"{free_gib:.1f} GiB free", f"at least {_LITTLE_GIB:g} GiB"
    if free_gib < _TOO_LITTLE_GIB:
        yield fail("disk", found, expected, "free some: a journal that cannot be written stops all")
    elif free_gib < _LITTLE_GIB:
        yield warn("disk", found, expected, "free some before it is full")
    else:
        yield ok("disk", found, expected)


def _database(location: Location, mode: str) -> Iterator[Finding]:
    expected = f"a sound journal of mode {mode}"
    if isinstance(location, PostgresAddress):
        name, advice = (
            str(location),
            "see to the server and docs/postgresql.md, or restore a backup",
        )
    else:
        name, advice = location.name, "restore a backup, or move the file away"
    try:
        journal, doubt = inspect_journal(location), inspect_server(location)
    except ConfigError as error:
        yield fail("database", str(error), expected, advice)
        return
    if doubt:
        advice = "set synchronous_standby_names on the server (docs/postgresql.md)"
        yield warn("database", doubt, "a synchronous standby", advice)
    if journal is None:
        yield ok("database", f"{name} is made at the first start")
    elif journal.mode not in (None, mode):
        yield fail(
            "database",
            f"{location}: holds the facts of mode {journal.mode}",
            expected,
            "choose another --run-dir, or set database.file to null",
        )
    else:
        yield ok("database", f"{name}, {journal.size_bytes / 1e6:.1f} MB, sound")


def _encryption(settings: Settings, directory: Path) -> Iterator[Finding]:
    if not settings.storage.encryption:
        return
    try:
        demand_sqlcipher()
        vault = vault_of(directory)
        if vault is None:
            key_of(settings.storage.key)
    except ConfigError as error:
        advice = "see docs/encryption.md: nothing starts without it"
        yield fail("encryption", str(error), "a key, and SQLCipher", advice)
        return
    sources = [settings.storage.key] if vault is None else vault.sources
    yield ok("encryption", f"opens by {', '.join(sources)}")


def _backup(settings: Settings, mode: str) -> Iterator[Finding]:
    url, source = settings.backup.url, settings.backup.key
    if url is None or source is None:
        return
    try:
        derived_key(key_of(source), PURPOSE)
        place = open_place(f"{url.rstrip('/')}/{mode}")
        files = len(place.names())
    except ConfigError as error:
        yield fail("backup", str(error), "a key, and a place for backups", "see docs/backup.md")
    except JournalError as error:
        # A run starts all the same, and keeps trying.
        yield warn("backup", str(error), "a place that can be reached", "check it, and the network")
    else:
        yield ok("backup", f"{place}, {counted(files, 'file')}")


def _wrong_addresses(settings: Settings) -> Iterator[Finding]:
    try:
        check_addresses(settings.notifications, settings.events)
    except ConfigError as error:
        found, expected = "; ".join(str(error).splitlines()), "addresses that can be sent to"
        yield fail("notifications", found, expected, "correct them (.env.example)")


def _notifications(settings: Settings) -> Finding:
    name, told = "notifications", settings.notifications
    chats = (told.telegram_channel_id, told.telegram_admin_chat_id)
    if told.telegram_bot_token is not None and chats == (None, None):
        advice = "set TELEGRAM_CHANNEL_ID or TELEGRAM_ADMIN_CHAT_ID"
        return fail(name, "a Telegram bot without a chat", "a chat", advice)
    if told.telegram_bot_token is None and chats != (None, None):
        advice = "set TELEGRAM_BOT_TOKEN"
        return fail(name, "a Telegram chat without a bot", "a bot's token", advice)
    is_group = (told.telegram_admin_chat_id or "").startswith("-")
    if is_group and not told.user_ids():
        advice = "set TELEGRAM_USER_IDS, or no command by Telegram is obeyed"
        return warn(name, "a group as the admin chat, with no allowed users", "user ids", advice)
    places = {
        "Telegram": told.telegram_bot_token,
        "Discord": told.discord_url,
        "Slack": told.slack_url,
        "e-mail": told.email_url,
        "another service": told.other_url,
    }
    used = [place for place, secret in places.items() if secret is not None]
    if not used:
        advice = "set TELEGRAM_BOT_TOKEN or another place (.env.example)"
        return warn(name, "only the log", "a place that the operator reads", advice)
    if told.heartbeat_url is None:
        advice = "set HEARTBEAT_URL, so that silence raises an alarm"
        return warn(name, f"{', '.join(used)}, no heartbeat", "a heartbeat", advice)
    return ok(name, f"{', '.join(used)} and a heartbeat; nothing was sent")
