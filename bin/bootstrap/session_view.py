"""Shows people what one life of a trading process came to."""

from datetime import UTC, datetime

from rich.console import Group, RenderableType

from bin.bootstrap.run import Run
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.text import plain
from infra.operator.terminal.screen import headed
from infra.operator.terminal.summary import counts_text, open_text, trades_table


class SessionView:
    """From the start of a run to its end."""

    def __init__(self, run: Run, mode: str) -> None:
        """Begin at this moment."""
        self._run = run
        self._mode = mode
        self._begin_ms = run.ports.clock.now_ms()
        self._before_stop: PortfolioSnapshot | None = None

    def note(self) -> None:
        """Keep what only living actors know: call before the run is stopped."""
        self._before_stop = self._run.portfolio_snapshot()

    def draw(self) -> RenderableType:
        """Return the summary, once the run has stopped."""
        end_ms = self._run.ports.clock.now_ms()
        assets = [rules.asset for rules in self._run.rules.assets]
        journals = self._run.ports.journals
        with journals.connected():
            records = journals.records()
            trades = records.trades(self._begin_ms, end_ms + 1)
            refused = records.denials(self._begin_ms, end_ms + 1)
            before = records.balance_at(self._begin_ms)
        parts: list[RenderableType] = [
            headed(f"{self._mode}, {_time(self._begin_ms)} to {_time(end_ms)}", "bold")
        ]
        portfolio = self._before_stop
        if portfolio is not None:
            start = "" if before is None else f"{before:,.2f} -> "
            parts.append(
                f"Balance {start}{portfolio.balance:,.2f} USDT, equity {portfolio.equity:,.2f}, "
                f"drawdown {portfolio.drawdown:.2%}"
            )
        parts.append(trades_table(assets, trades))
        parts.append(
            counts_text("Refusals", {str(reason): count for reason, count in refused.items()})
        )
        parts.append(counts_text("Restarts", self._run.restarts()))
        if portfolio is not None:
            parts += [f"{open_text(held)}, under its stop" for held in portfolio.positions.values()]
        parts += [
            headed(f"{name} was given up", "red", f": {plain(why)}")
            for name, why in self._run.given_up().items()
        ]
        return Group(*parts)


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
