"""What was measured, with the machine that it was measured on, and how two runs compare."""

import json
import platform
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from domain.errors import ConfigError

_FIGURE = re.compile(
    r"(\d[\d,]*(?:\.\d+)?) ?(ms|us|s|cores?|MiB|KiB|asset-candles/s|M candles/s|/s)\b"
)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    measure: str
    """By whose name it is asked for."""
    what: str
    measured: str
    goal: str

    def figures(self) -> list[tuple[float, str]]:
        """Return the figures in its text that have a unit, and their units."""
        found = _FIGURE.findall(self.measured)
        return [(float(number.replace(",", "")), unit) for number, unit in found]


@dataclass(frozen=True)
class Machine:
    """Where the figures were taken."""

    cores: int
    memory_gib: int
    system: str
    python: str
    load: float
    """Of the minute before."""

    def __str__(self) -> str:
        return (
            f"{self.cores} cores, {self.memory_gib} GiB, {self.system}, Python {self.python}, "
            f"load {self.load:.1f}"
        )


@dataclass(frozen=True)
class Results:
    """One run of the benchmarks."""

    machine: Machine
    others_cores: float
    """How many cores other programs kept busy meanwhile."""
    rows: list[Row]

    def write(self, file: Path) -> None:
        """Keep them."""
        file.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def this_machine() -> Machine:
    """Return where we are."""
    return Machine(
        cores=psutil.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 2**30),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        load=psutil.getloadavg()[0],
    )


def read_results(file: Path) -> Results:
    """Return what an earlier run has kept.

    Raises:
        ConfigError: the file is no such thing.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        rows = [Row(**row) for row in found["rows"]]
        return Results(Machine(**found["machine"]), float(found["others_cores"]), rows)
    except (OSError, ValueError, TypeError, KeyError) as error:
        message = f"{file}: expected what `bin/bench --json FILE` has written, found: {error!r}"
        raise ConfigError(message) from error


def compared(old: Iterable[Row], new: Iterable[Row]) -> Iterator[tuple[str, str, str, str]]:
    """Yield of each line that both have: what, then, now, and each figure's ratio, new to old."""
    before = {row.what: row for row in old}
    for row in new:
        then = before.get(row.what)
        if then is not None:
            yield row.what, then.measured, row.measured, ", ".join(_ratios(then, row))


def _ratios(old: Row, new: Row) -> Iterator[str]:
    for (then, unit), (now, same_unit) in zip(old.figures(), new.figures(), strict=False):
        if unit != same_unit:
            return
        yield f"{now / then:.2f}" if then else "-"
