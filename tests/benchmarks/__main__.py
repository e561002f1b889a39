"""Measures what the system must reach, and prints it as a table with the machine's description.

Nothing here is asserted: times belong to the reader, not to the tests.
"""

import argparse
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from loguru import logger
from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    backtest,
    close,
    isolation,
    journal,
    live,
    messages,
    peers,
    polled,
    replay,
    restart,
    sockets,
    streams,
    sweep,
    ticks,
    web,
)

MEASURES: dict[str, Callable[[Path], Iterator[tuple[str, str, str]]]] = {
    "backtest": backtest.measure,
    "sweep": sweep.measure,
    "replay": replay.measure,
    "sockets": sockets.measure,
    "restart": restart.measure,
    "messages": messages.measure,
    "journal": journal.measure,
    "streams": streams.measure,
    "close": close.measure,
    "polled": polled.measure,
    "isolation": isolation.measure,
    "ticks": ticks.measure,
    "live": live.measure,
    "web": web.measure,
}


@dataclass(frozen=True)
class Machine:
    """Where the figures were taken."""

    def __str__(self) -> str:
        memory_gib = psutil.virtual_memory().total / 2**30
        return (
            f"{psutil.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.system()} "
            f"{platform.machine()}, Python {platform.python_version()}, "
            f"load {psutil.getloadavg()[0]:.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="bin/bench", description=__doc__, epilog="Example: bin/bench backtest close"
    )
    parser.add_argument("names", nargs="*", choices=[*MEASURES, []], help="all by default")
    parser.add_argument(
        "--candles",
        type=Path,
        default=Path(__file__).resolve().parents[3]
        / "shared/data/market/bybit_perp_2025-04_2025-07",
        help="folder of BTCUSDT, ETHUSDT and SOLUSDT candles",
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="measure our backtest beside other libraries', in an environment of their own",
    )
    options = parser.parse_args()
    logger.remove()
    if options.peers:
        table = Table("what", "measured", "ratio", title=str(Machine()), title_justify="left")
        for row in peers.measure():
            table.add_row(*row)
        Console().print(table)
        return
    table = Table("what", "measured", "goal", title=str(Machine()), title_justify="left")
    for name in options.names or MEASURES:
        for what, measured, goal in MEASURES[name](options.candles):
            table.add_row(what, measured, goal)
    Console().print(table)


if __name__ == "__main__":
    main()
