"""From a closed candle to the others' orders, while one asset's actor crashes or hangs all along.

The pace is slower than `close`'s, so that the failing actor is back before the next close, as it
is at a real market's pace.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from actors.core.system import Moment
from actors.drills.probes import CrashDrill, Fail, HangDrill, crash
from tests.benchmarks.close import running, shown

CLOSES = 240
PERIOD_S = 0.25
FAILING = "BTC"
_HANG_S = 0.1
_IMPATIENT = {"supervision": {"hang_seconds": _HANG_S}}


def measure(_candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield what the orders of the other assets take, without and with a failing one."""
    yield from _rows("undisturbed", None)
    yield from _rows(f"{FAILING} crashes at 1 of 5 messages", _Drill(crash, 0.2))
    yield from _rows(f"{FAILING} hangs at 1 of 20", _Drill(HangDrill(10 * _HANG_S), 0.05))


@dataclass
class _Drill:
    """Lets one actor fail once it has started."""

    fail: Fail
    probability: float
    is_on: Event = field(default_factory=Event)
    failures: int = 0

    def __post_init__(self) -> None:
        self._drill = CrashDrill(self.probability, 1, self._count)

    def __call__(self, address: str, moment: Moment) -> None:
        if address == f"asset/{FAILING}" and self.is_on.is_set():
            self._drill(address, moment)

    def _count(self, moment: Moment) -> None:
        self.failures += 1
        self.fail(moment)


def _rows(name: str, drill: _Drill | None) -> Iterator[tuple[str, str, str]]:
    changes: Mapping[str, Any] = {} if drill is None else _IMPATIENT
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), drill, changes) as (market, watch),
    ):
        watch.left_out = FAILING
        if drill is not None:
            drill.is_on.set()
        market.play(CLOSES, PERIOD_S)
    failures = "" if drill is None else f", {drill.failures} times"
    yield f"exits of the others, {name}{failures}", shown(sorted(watch.exits_ms)), ""
    yield (
        f"- their entries, granted once {FAILING} has reported",
        shown(sorted(watch.entries_ms)),
        "",
    )
