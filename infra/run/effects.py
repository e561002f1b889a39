"""Settings that have no effect in a run, or less than their names suggest."""

import os
from collections.abc import Iterator

from loguru import logger

from infra.settings import Settings, SettingsSource, default_dotenv
from infra.settings.doubts import doubts
from infra.settings.merged import Facts
from infra.settings.unread import other_account, unread
from infra.venues.modes import Mode


def warn_of_doubts(source: SettingsSource) -> None:
    """Log which settings hardly do what was intended."""
    for line in doubts(source.merged()):
        logger.warning("{}", line)


def without_effect(settings: Settings, mode: Mode, facts: Facts) -> Iterator[str]:
    """Yield a line for each such setting and variable; `facts` are the settings as written."""
    yield from doubts(facts)
    yield from other_account(settings.exchange, mode, has_account=mode.has_account)
    yield from _not_encrypted(settings)
    yield from unread(os.environ, default_dotenv())


def _not_encrypted(settings: Settings) -> Iterator[str]:
    if settings.storage.encryption and settings.database.postgres_url() is not None:
        yield "storage.encryption: the journal is in PostgreSQL; encrypt that server's disk"
