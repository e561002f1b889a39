"""Problems of the settings and their places: one line of text each."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

Key = tuple[str | int, ...]
"""Path of a setting: ("portfolio", "assets", 0, "leverage")."""

_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """Where a value was written: a file's line, an environment variable, or one in a .env file."""

    file: str = ""
    line: int = 0
    variable: str = ""
    setting: str = ""
    """The settings that the variable sets, if there are several."""

    def __str__(self) -> str:
        """Return the place in readable form: `my.yaml:12`."""
        parts = [f"{self.file}:{self.line}" if self.line else self.file] if self.file else []
        parts += [f"environment variable {self.variable}"] if self.variable else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing that is wrong."""

    place: Place
    key: Key = ()
    text: str

    def __str__(self) -> str:
        """Return the line for the report."""
        setting = self.place.setting or show_key(self.key)
        return ": ".join(part for part in (str(self.place), setting, self.text) if part)


def show_key(key: Key) -> str:
    """Return a setting's path as text: portfolio.assets[0].leverage."""
    steps = (
        f"[{step}]" if isinstance(step, int) or step == "*" else f".{_show_step(step)}"
        for step in key
    )
    return "".join(steps).removeprefix(".")


def read_key(text: str) -> Key:
    """Return the path of a text such as portfolio.assets[0].leverage, or with [*]."""
    steps = re.findall(r"\[(\d+)\]|\[(\*)\]|([^.\[\]]+)", text)
    return tuple(int(number) if number else every or name for number, every, name in steps)


def show(text: str, longest: int = _LONGEST_SHOWN) -> str:
    """Return a value on one line, shortened; quoted unless it is clearly a number or a word."""
    short = text if len(text) <= longest else text[:longest] + "..."
    return short if re.fullmatch(r"[\w.+-]+", short, re.ASCII) else repr(short)


def report(problems: Iterable[Problem]) -> str:
    """Return the whole report: a heading with the count, then one line per problem."""
    lines = list(dict.fromkeys(str(problem) for problem in sorted(problems, key=_rank)))
    noun = "error" if len(lines) == 1 else "errors"
    return "\n".join([f"{len(lines)} {noun} in the settings:", *lines])


def _rank(problem: Problem) -> tuple[Place, str]:
    return problem.place, show_key(problem.key)


def _show_step(step: str) -> str:
    return step if re.fullmatch(r"[\w-]{1,60}", step, re.ASCII) else show(step)
