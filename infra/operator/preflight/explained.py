"""The values in force for each pair of a run that is to start."""

import os
from collections.abc import Sequence
from pathlib import Path

from domain.errors import ConfigError, JournalError
from infra.settings import SettingsSource, default_dotenv
from infra.settings.explanation import explain
from infra.store.location import journal_location
from infra.store.pairs import stored_changes
from infra.venues.modes import Mode


def explained(mode: Mode, settings_file: Path | None, directory: Path) -> Sequence[str]:
    """Return the lines; none if settings or journal are wrong, which the check reports.

    Args:
        mode: that is to run.
        settings_file: overrides of settings.yaml.
        directory: of the run.
    """
    try:
        source = SettingsSource(settings_file, environ=os.environ, dotenv=default_dotenv())
        pairs = stored_changes(journal_location(directory, source.settings().database, mode))
        source.settings(pairs=pairs)
    except (ConfigError, JournalError):
        return ()
    return tuple(explain(source, pairs))
