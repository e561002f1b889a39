"""Faults from plain data and from files."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from domain.errors import ConfigError
from infra.venues.simulator.faults.spec import FaultSpec

_SPECS = TypeAdapter(list[FaultSpec])


def read_specs(found: Any, where: str) -> list[FaultSpec]:
    """Return faults from plain data: one, or a list of them.

    Raises:
        ConfigError: they are not faults; lists all problems.
    """
    try:
        return _SPECS.validate_python(found if isinstance(found, list) else [found])
    except ValidationError as error:
        lines = [
            f"{where}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from error


def read_file(path: Path) -> list[FaultSpec]:
    """Return the faults of a YAML file.

    Raises:
        ConfigError: it cannot be read, or does not hold faults.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be opened: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path}: is not YAML: {error}") from error
    return read_specs(found or [], str(path))
