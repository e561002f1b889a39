"""The trades of a run, written for other programs."""

import sys
from pathlib import Path

from domain.errors import ConfigError
from infra.operator.report.trade_files import LAYOUTS
from infra.operator.report.trade_parquet import write_parquet
from infra.process.times import read_time
from infra.store.location import Location
from infra.store.reader import trades_between

_EXPECTED = f"expected: export trades --csv [--layout {' | '.join(LAYOUTS)}] | --parquet FILE"


def export(
    what: str,
    journal: Location,
    *,
    as_csv: bool,
    parquet: Path | None,
    layout: str,
    from_time: str | None,
    to_time: str | None,
) -> None:
    """Write the trades closed in a period: as CSV to stdout, or into a parquet file.

    Args:
        what: must be "trades".
        journal: of a running or finished run.
        as_csv: either this ...
        parquet: ... or this file.
        layout: of the CSV, by name.
        from_time: ISO; closed at this time or later.
        to_time: ISO; closed before it.

    Raises:
        ConfigError: the arguments are wrong, there is no journal, or the file cannot be written.
    """
    is_known = what == "trades" and layout in LAYOUTS
    if not is_known or as_csv == (parquet is not None) or (parquet and layout != "plain"):
        raise ConfigError(_EXPECTED)
    from_ms = 0 if from_time is None else read_time("--from", from_time)
    until_ms = None if to_time is None else read_time("--to", to_time)
    trades = trades_between(journal, from_ms, until_ms)
    if parquet is None:
        LAYOUTS[layout](sys.stdout, trades)
    else:
        write_parquet(parquet, trades)
