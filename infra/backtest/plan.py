"""The values that a sweep tries: parsing the command line, and the resulting settings."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import prod
from random import Random

from domain.backtesting.sweep import Combination
from domain.errors import ConfigError
from infra.settings import SettingsSource

_FORM = "expected KEY=FROM:TO:STEP or KEY=VALUE,VALUE, several after commas"
_KEY = re.compile(r"\w+(\[(\d+|\*)\])?(\.\w+(\[(\d+|\*)\])?)+")
_MOST_VALUES = 10_000
_MOST_COMBINATIONS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A setting, and the values that it takes in turn."""

    key: str
    values: tuple[str, ...]


def read_sweep(text: str) -> tuple[Parameter, ...]:
    """Return what a sweep varies: `a.b=120:360:40,c.d=0.01,0.02`; ranges include their end.

    Raises:
        ConfigError: the text is malformed.
    """
    found: dict[str, list[str]] = {}
    key = ""
    for word in text.split(","):
        name, equals, value = word.strip().rpartition("=")
        if equals:
            key = name.strip()
            if not _KEY.fullmatch(key):
                raise ConfigError(f"--sweep {word.strip()}: {key!r} is not a setting; {_FORM}")
            if key in found:
                raise ConfigError(f"--sweep {word.strip()}: {key} is there a second time; {_FORM}")
        elif not key:
            raise ConfigError(f"--sweep {text}: {_FORM}")
        found.setdefault(key, []).extend(_values(key, value.strip()))
    return tuple(
        Parameter(key=key, values=tuple(dict.fromkeys(values))) for key, values in found.items()
    )


def _values(key: str, text: str) -> list[str]:
    if not text:
        raise ConfigError(f"--sweep {key}: found no value; {_FORM}")
    if ":" not in text:
        return [text]
    where = f"--sweep {key}={text}"
    try:
        first, last, step = map(Decimal, text.split(":"))
        is_sound = first <= last and step > 0
        count = int((last - first) / step) + 1 if is_sound else 0
    except (InvalidOperation, ValueError, OverflowError):
        raise ConfigError(f"{where}: expected FROM:TO:STEP in numbers") from None
    if not 0 < count <= _MOST_VALUES:
        raise ConfigError(
            f"{where}: expected FROM:TO:STEP that rises and has at most {_MOST_VALUES:,} values"
        )
    return [format(first + number * step, "f") for number in range(count)]


def combinations(
    parameters: Sequence[Parameter],
    source: SettingsSource,
    *,
    samples: int | None = None,
    seed: int = 0,
) -> list[Combination]:
    """Return every combination, or a random sample, each checked like settings.

    Args:
        parameters: what varies; the last one varies fastest.
        source: of all other settings.
        samples: how many to take; None: all.
        seed: of the random choice.

    Raises:
        ConfigError: a setting does not exist, values are not allowed, alone or together, or there
            are too many combinations.
    """
    total = prod(len(parameter.values) for parameter in parameters)
    count = total if samples is None else min(samples, total)
    if count > _MOST_COMBINATIONS:
        raise ConfigError(
            f"--sweep: found {count:,} combinations, expected at most {_MOST_COMBINATIONS:,}; "
            "--samples N takes some by chance"
        )
    numbers = range(total)
    chosen = sorted(Random(seed).sample(numbers, count)) if count < total else numbers  # noqa: S311
    found, refused = [], []
    for number in chosen:
        values = _at(parameters, number)
        try:
            rules = source.settings(values, source="--sweep").trading_rules()
            found.append(Combination(values=values, rules=rules))
        except ConfigError as error:
            refused.append((values, str(error)))
    if refused:
        values, why = refused[0]
        shown = ", ".join(f"{key}={value}" for key, value in values.items())
        raise ConfigError(
            f"--sweep: {len(refused):,} of {count:,} combinations are not allowed; "
            f"the first, {shown}:\n{why}"
        )
    return found


def _at(parameters: Sequence[Parameter], number: int) -> dict[str, str]:
    picked: dict[str, str] = {}
    for parameter in reversed(parameters):
        number, place = divmod(number, len(parameter.values))
        picked[parameter.key] = parameter.values[place]
    return {parameter.key: picked[parameter.key] for parameter in parameters}
