"""Writes the answers: both files, or neither."""

import os
from collections.abc import Mapping
from pathlib import Path

from domain.errors import ConfigError
from infra.operator.setup.answers import Answers, dotenv_text, settings_text
from infra.settings import load_settings

_OWN = 0o600
"""File mode: readable only by its owner."""


def check_free(settings: Path, *, is_replaced: bool) -> None:
    """Check that no settings file is lost.

    Raises:
        ConfigError: it would be.
    """
    if settings.exists() and not is_replaced:
        raise ConfigError(f"{settings}: already exists; name another --settings, or use --force")


def write(answers: Answers, settings: Path, dotenv: Path) -> list[Path]:
    """Write the settings file, and .env if there are secrets; return what was written.

    Raises:
        ConfigError: the answers contradict each other, or a file cannot be written.
    """
    parts = {settings: settings_text(answers)}
    if answers.secrets:
        old = dotenv.read_text(encoding="utf-8") if dotenv.is_file() else ""
        parts[dotenv] = dotenv_text(old, answers.secrets)
    made: dict[Path, Path] = {}
    try:
        for file, text in parts.items():
            made[file] = _beside(file, text)
        load_settings(made[settings], environ={}, dotenv=made.get(dotenv))
        for file, new in made.items():
            new.replace(file)
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be written: {error.strerror}") from error
    finally:
        _remove(made)
    return list(parts)


def _beside(file: Path, text: str) -> Path:
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWN), "w") as opened:
        opened.write(text)
    return new


def _remove(made: Mapping[Path, Path]) -> None:
    for new in made.values():
        new.unlink(missing_ok=True)
