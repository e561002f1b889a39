"""A comparison as text, and as plain values for programs."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from domain.backtesting.parity import Difference, Parity
from domain.text import counted, plain
from infra.process.times import show_time


def summary(parity: Parity) -> list[str]:
    decided = f"{counted(parity.closes, 'close')}, {counted(parity.alike, 'decision')} alike"
    lines = [
        f"Parity with the backtest, {show_time(parity.from_ms)} to {show_time(parity.until_ms)}",
        f"{decided}, {len(parity.differences)} differ",
    ]
    if parity.slippage_bps is not None and parity.fee_rate is not None:
        lines.append(
            f"{counted(parity.fills, 'fill')} at {parity.slippage_bps:.2f} bps worse than the "
            f"close, fees {parity.fee_rate:.4%} of the notional"
        )
    return lines


def line_of(difference: Difference) -> str:
    return plain(
        f"{show_time(difference.t_ms)} {difference.asset}: the rules say {difference.rules}, "
        f"the run did {difference.done}: {difference.cause}"
    )


def as_object(parity: Parity) -> Mapping[str, Any]:
    """Return the comparison as plain values."""
    return {
        **asdict(parity),
        "slippage_bps": parity.slippage_bps,
        "fee_rate": parity.fee_rate,
        "lines": [*summary(parity), *map(line_of, parity.differences)],
    }
