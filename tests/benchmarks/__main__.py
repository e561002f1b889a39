"""Measures what the system must reach, and prints it as a table with the machine's description.

Nothing here is asserted: times belong to the reader, not to the tests.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from loguru import logger
from rich.console import Console
from rich.table import Table

from domain.errors import ConfigError
from tests.benchmarks import (
    backtest,
    close,
    isolation,
    journal,
    live,
    many,
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
from tests.benchmarks.others import Others, warning
from tests.benchmarks.results import (
    Machine,
    Results,
    Row,
    compared,
    read_results,
    this_machine,
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
    "many": many.measure,
    "web": web.measure,
}


def main() -> None:
    options = _parser().parse_args()
    logger.remove()
    try:
        old = None if options.compare is None else read_results(options.compare)
    except ConfigError as error:
        sys.exit(str(error))
    console, machine, others = Console(), this_machine(), Others()
    if options.peers:
        _print(console, machine, ("what", "measured", "ratio"), peers.measure())
    else:
        rows = list(_measured(options.names or list(MEASURES), options.candles))
        results = Results(machine, others.cores(), rows)
        if options.json is not None:
            results.write(options.json)
        table = ((row.what, row.measured, row.goal) for row in rows)
        _print(console, machine, ("what", "measured", "goal"), table)
        if old is not None:
            columns = ("what", f"then, load {old.machine.load:.1f}", "now", "ratio")
            _print(console, old.machine, columns, compared(old.rows, rows))
    console.print(warning(others.cores(), machine.cores))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bin/bench",
        description=__doc__,
        epilog="Example: bin/bench backtest close --json before.json",
    )
    parser.add_argument("names", nargs="*", choices=[*MEASURES, []], help="all by default")
    parser.add_argument(
        "--candles",
        type=Path,
        default=Path(__file__).resolve().parents[3]
        / "shared/data/market/bybit_perp_2025-04_2025-07",
        help="folder of BTCUSDT, ETHUSDT and SOLUSDT candles",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures, and where")
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="OLD.json",
        help="print each figure beside that of an earlier run, and their ratio, new to old",
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="measure our backtest beside other libraries', in an environment of their own",
    )
    return parser


def _measured(names: Sequence[str], candles: Path) -> Iterator[Row]:
    for name in names:
        for what, measured, goal in MEASURES[name](candles):
            yield Row(name, what, measured, goal)


def _print(
    console: Console, machine: Machine, columns: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    table = Table(*columns, title=str(machine), title_justify="left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    main()
