"""The summary of one session of a trading process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType

from domain.portfolio.snapshots import PortfolioSnapshot
from domain.text import plain
from infra.operator.terminal.screen import headed
from infra.operator.terminal.summary import counts_text, open_text, trades_table
from infra.process.times import show_time
from infra.store.records import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A run from its start to its end."""

    mode: str
    begin_ms: int
    end_ms: int
    assets: Sequence[str]
    portfolio: PortfolioSnapshot | None
    """The portfolio right before the stop; None if it did not answer."""
    restarts: Mapping[str, int]
    given_up: Mapping[str, str]
    """Actors that were given up, by address, with the cause."""

    def draw(self, records: Records) -> RenderableType:
        """Return the summary; requires a connection to the journal."""
        trades = records.trades(self.begin_ms, self.end_ms + 1)
        refused = records.denials(self.begin_ms, self.end_ms + 1)
        before = records.balance_at(self.begin_ms)
        parts: list[RenderableType] = [
            headed(f"{self.mode}, {_time(self.begin_ms)} to {_time(self.end_ms)}", "bold")
        ]
        portfolio = self.portfolio
        if portfolio is not None:
            start = "" if before is None else f"{before:,.2f} -> "
            parts.append(
                f"Balance {start}{portfolio.balance:,.2f} USDT, equity {portfolio.equity:,.2f}, "
                f"drawdown {portfolio.drawdown:.2%}"
            )
        parts.append(trades_table(self.assets, trades))
        parts.append(
            counts_text("Refusals", {str(reason): count for reason, count in refused.items()})
        )
        parts.append(counts_text("Restarts", self.restarts))
        if portfolio is not None:
            parts += [f"{open_text(held)}, under its stop" for held in portfolio.positions.values()]
        parts += [
            headed(f"{name} was given up", "red", f": {plain(why)}")
            for name, why in self.given_up.items()
        ]
        return Group(*parts)


def _time(ms: int) -> str:
    return f"{show_time(ms)} UTC"
