"""The live picture of a running system, and the lines that take its place without a terminal."""

from collections import deque
from datetime import UTC, datetime

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from actors.wording import figures as say
from actors.wording.figures import asker, rest, utc
from actors.wording.market import decided
from actors.wording.rebalancing import advice_line
from bin.bootstrap.run import Run
from domain.market.instruments import Side
from domain.portfolio.snapshots import AssetSnapshot, PortfolioSnapshot
from domain.rules import AssetRules
from domain.text import counted, plain
from domain.trading.positions import Position
from domain.trading.sizing import protective_levels
from infra.operator.terminal.screen import headed

_REGIME_STYLE = {"ACTIVE": "green", "INACTIVE": "dim", "COOLDOWN": "yellow"}


class LiveView:
    """Draws a run anew each time it is asked."""

    def __init__(self, run: Run, mode: str, events: deque[str]) -> None:
        """Draw nothing yet.

        Args:
            run: what is shown.
            mode: where it trades.
            events: the last log lines, colored.
        """
        self._run = run
        self._mode = mode
        self._events = events

    def draw(self) -> RenderableType:
        """Return the picture of this moment."""
        portfolio = self._run.portfolio_snapshot()
        now_ms = self._run.ports.clock.now_ms()
        head = Text(f"{self._mode}  {_time(now_ms)}", style="bold")
        parts: list[RenderableType] = [
            head,
            self._assets(portfolio),
            _portfolio_line(portfolio, now_ms),
            self._actors(),
            self._trace(),
            *self._troubles(),
        ]
        if self._events:
            events = Group(*(Text.from_ansi(line) for line in self._events))
            parts.append(Panel(events, title="last events"))
        return Group(*parts)

    def _assets(self, portfolio: PortfolioSnapshot | None) -> Table:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
        for name in ("asset", "price", "indicators", "regime", "PnL"):
            # A number without its end is another number: a narrow terminal wraps words alone.
            table.add_column(name, no_wrap=True)
        table.add_column("position, cooldown, why", overflow="fold")
        for rules in self._run.rules.assets:
            snapshot = self._run.asset_snapshot(rules.asset)
            if snapshot is None:
                table.add_row(rules.asset, Text("no answer", "red"))
            else:
                table.add_row(*self._asset_row(snapshot, portfolio))
        return table

    def _asset_row(
        self, snapshot: AssetSnapshot, portfolio: PortfolioSnapshot | None
    ) -> list[str | Text]:
        report = snapshot.report
        if report is None:
            return [snapshot.asset, "waiting for candles"]
        rules = self._run.rules
        instrument = rules.asset(snapshot.asset).instrument
        style = _REGIME_STYLE[report.regime]
        rests = snapshot.cooldown_minutes
        until = f"until {utc(snapshot.cooldown_end_ms)}"
        cooldown = f"cooldown {snapshot.cooldown_reason} {until}, {rests} min" if rests else ""
        position = _position_text(snapshot.position, rules.asset(snapshot.asset))
        advice = [] if portfolio is None else portfolio.advice
        advised = [advice_line(each) for each in advice if each.asset == snapshot.asset]
        return [
            snapshot.asset,
            f"{report.close:,.2f}",
            "\n".join(say.values(report.values, instrument)),
            Text(report.regime, style),
            _pnl_text(snapshot, portfolio),
            "\n".join(filter(None, (position, *advised, cooldown, decided(snapshot)))),
        ]

    def _actors(self) -> Text:
        depths, restarts = self._run.depths(), self._run.restarts()
        given_up = self._run.given_up()
        shown = [
            Text(f"{name} given up", "red")
            if name in given_up
            else Text(f"{name} {count}r {depths[name]}w")
            for name, count in restarts.items()
        ]
        return Text.assemble(("actors (restarts, waiting): ", "dim"), Text("  ").join(shown))

    def _troubles(self) -> list[Text]:
        found = self._run.channels.troubles()
        return [headed(f"{c} does not work:", "red", f" {plain(why)}") for c, why in found.items()]

    def _trace(self) -> Text:
        """Return whether a trace is written, and the last crash that `bin/trace crash` shows."""
        recorder = self._run.recorder
        if recorder is None:
            return Text("no trace is written", "dim")
        if recorder.stopped_because is not None:
            why = plain(recorder.stopped_because)
            return Text.assemble(("tracing stopped, trading goes on: ", "red"), why)
        crashes = [c.reports[-1] for c in self._run.supervisor.children() if c.reports]
        last = max(crashes, key=lambda report: report.origin.message_id, default=None)
        size = f"{recorder.bytes_written / 1e6:,.1f} MB"
        known = "" if last is None else f"; last crash {last.crash_id} of {last.address}"
        return Text(f"trace: session {recorder.session.number}, {size}{known}", "dim")


def _position_text(position: Position | None, rules: AssetRules) -> str:
    if position is None:
        return ""
    stops = rules.stops if position.terms is None else position.terms.stops
    levels = protective_levels(position.avg_entry_price, position.side, stops, rules.instrument)
    target = "" if levels.take_profit is None else f", target {levels.take_profit:,}"
    side = "short" if position.side is Side.SELL else "long"
    return (
        f"{side} {position.qty} at {position.avg_entry_price:,.2f}, "
        f"stop {levels.stop_loss:,}{target}"
    )


def _pnl_text(snapshot: AssetSnapshot, portfolio: PortfolioSnapshot | None) -> Text:
    price = None if portfolio is None else portfolio.prices.get(snapshot.asset)
    if snapshot.position is None or price is None:
        return Text()
    pnl = snapshot.position.unrealized_pnl(price)
    return Text(f"{pnl:+,.2f}", "green" if pnl >= 0 else "red")


def _portfolio_line(portfolio: PortfolioSnapshot | None, now_ms: int) -> Text:
    if portfolio is None:
        return Text("portfolio: no answer", "red")
    rests = rest(portfolio.global_cooldown_reason, portfolio.global_cooldown_end_ms, now_ms)
    parts = [
        f"equity {portfolio.equity:,.2f}",
        f"balance {portfolio.balance:,.2f}",
        f"exposure {portfolio.exposure:,.2f}",
        f"drawdown {portfolio.drawdown:.2%}",
        f"today {-portfolio.daily_loss:+.2%}",
        f"{counted(portfolio.trades, 'trade')} {portfolio.realized_pnl:+,.2f}",
    ]
    line = headed("", "", "  ".join(parts))
    if rests:
        line.append(f"  global cooldown {rests}", "yellow")
    if portfolio.is_halted:
        line.append("  HALTED", "red")
    if portfolio.panic_since_ms is not None:
        line.append(f"  PANIC by {asker(portfolio.panic_by)}", "red")
    return line


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
