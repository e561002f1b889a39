"""The live picture of a running system, and the lines that take its place without a terminal."""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime

from rich import box
from rich import console as rich_console
from rich.console import ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bin.bootstrap.run import Run
from bin.bootstrap.watching import FRESH_S
from domain.market.instruments import Side
from domain.operator import wording as say
from domain.operator.system import ActorState, Reason, SystemSnapshot, SystemState
from domain.operator.wording import advice_line, decided, rest, utc
from domain.portfolio.snapshots import AssetSnapshot, PortfolioSnapshot, StopSnapshot
from domain.rules import AssetRules
from domain.text import counted, plain
from domain.trading.positions import Position
from infra.operator.terminal.screen import headed

_ANSWER_S = 0.3
"""How long the picture waits for the actors' answers; a later one is shown in the next."""
_EVENTS_SHOWN = 6
_FRAME = 4
"""Columns of a panel's frame."""
_FEW = 5
"""Assets that are shown with all their figures."""
_MANY_WAITING = 20
_STATE_STYLE = {
    SystemState.RUNNING: "yellow",
    SystemState.PAUSED: "yellow",
    SystemState.COOLDOWN: "yellow",
}
"""Of what keeps the system back; the more serious states are red."""
_REGIME_STYLE = {"ACTIVE": "green", "INACTIVE": "dim", "COOLDOWN": "yellow"}


class _Events:
    """The newest events, the newest at the bottom, each on two lines at most."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines

    def __rich_console__(
        self, console: rich_console.Console, options: ConsoleOptions
    ) -> RenderResult:
        """Draw as many as there is room for, however high the rest of the picture is."""
        shown = [Text.from_ansi(line) for line in self._lines[-_EVENTS_SHOWN:]]
        for text in shown:
            text.truncate(2 * (options.max_width - _FRAME) - _FRAME, overflow="ellipsis")
        yield Panel(Group(*shown), title="last events")


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
        seen = self._run.inspector.snapshot(_ANSWER_S, FRESH_S)
        now_ms = self._run.clock.now_ms()
        is_well = seen.state is SystemState.RUNNING
        style = "green" if is_well else _STATE_STYLE.get(seen.state, "bold red")
        parts: list[RenderableType] = [
            Text.assemble((f"{self._mode}  {_time(now_ms)}  ", "bold"), (seen.state, style)),
            *(_reason_line(reason, now_ms) for reason in seen.reasons),
            self._assets(seen),
            _portfolio_line(seen.portfolio),
            _actors_line(seen.actors),
            self._trace(),
        ]
        if self._events:
            parts.append(_Events(list(self._events)))
        return Group(*parts)

    def _assets(self, seen: SystemSnapshot) -> Table:
        is_many = len(self._run.rules.assets) > _FEW
        table = Table(
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            show_edge=False,
            pad_edge=False,
            expand=is_many,
        )
        for name in ("asset", "price", "regime", "PnL"):
            # A number without its end is another number: a narrow terminal wraps words alone.
            table.add_column(name, no_wrap=True)
        if not is_many:
            table.add_column("figures", no_wrap=True)
        table.add_column(
            "position, cooldown, why",
            overflow="ellipsis" if is_many else "fold",
            no_wrap=is_many,
            ratio=1 if is_many else None,
        )
        for rules in self._run.rules.assets:
            snapshot = seen.assets.get(rules.asset)
            if snapshot is None:
                table.add_row(rules.asset, Text("no answer", "red"))
            else:
                table.add_row(*self._asset_row(snapshot, rules, seen, is_many=is_many))
        return table

    def _asset_row(
        self, snapshot: AssetSnapshot, rules: AssetRules, seen: SystemSnapshot, *, is_many: bool
    ) -> list[str | Text]:
        report = snapshot.report
        if report is None:
            return [snapshot.asset, "waiting for candles"]
        execution = seen.executions.get(snapshot.asset)
        stop = None if execution is None else execution.stop
        words = [*_words(snapshot, stop), *_advised(snapshot.asset, seen.portfolio)]
        row: list[str | Text] = [
            snapshot.asset,
            say.price(report.close, rules.instrument).lstrip("$"),
            Text(report.regime, _REGIME_STYLE[report.regime]),
            _pnl_text(snapshot, seen.portfolio),
        ]
        if is_many:
            return [*row, "; ".join(words)]
        return [*row, "\n".join(say.values(report.values, rules.instrument)), "\n".join(words)]

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


def _advised(asset: str, portfolio: PortfolioSnapshot | None) -> list[str]:
    advice = () if portfolio is None else portfolio.advice
    return [advice_line(each) for each in advice if each.asset == asset]


def _words(snapshot: AssetSnapshot, stop: StopSnapshot | None) -> list[str]:
    """Return position, cooldown and the outcome of the newest close, as far as there are any."""
    words = []
    if snapshot.position is not None:
        words.append(_position_text(snapshot.position, stop))
    if snapshot.cooldown_minutes:
        until = f"until {utc(snapshot.cooldown_end_ms)}, {snapshot.cooldown_minutes} min"
        words.append(f"cooldown {snapshot.cooldown_reason} {until}")
    return [*words, decided(snapshot)]


def _position_text(position: Position, stop: StopSnapshot | None) -> str:
    side = "short" if position.side is Side.SELL else "long"
    text = f"{side} {position.qty} at {position.avg_entry_price:,.6g}"
    if stop is None:
        return text
    kind = "trailing stop" if stop.is_armed else "stop"
    return f"{text}, {kind} {stop.stop_loss:,f}"


def _actors_line(actors: Sequence[ActorState]) -> Text:
    """Return all actors in a line; by name only those that were restarted, or have much to do."""
    line = Text.assemble(("actors: ", "dim"), f"{sum(a.is_running for a in actors)} running")
    for actor in actors:
        if actor.is_given_up:
            line.append(f"  {actor.address} given up", "red")
        elif actor.restarts or actor.depth > _MANY_WAITING or not actor.is_running:
            state = "" if actor.is_running else " not running"
            line.append(f"  {actor.address} {actor.restarts}r {actor.depth}w{state}", "yellow")
    return line


def _pnl_text(snapshot: AssetSnapshot, portfolio: PortfolioSnapshot | None) -> Text:
    price = None if portfolio is None else portfolio.prices.get(snapshot.asset)
    if snapshot.position is None or price is None:
        return Text()
    pnl = snapshot.position.unrealized_pnl(price)
    return Text(f"{pnl:+,.2f}", "green" if pnl >= 0 else "red")


def _reason_line(reason: Reason, now_ms: int) -> Text:
    style = _STATE_STYLE.get(reason.state, "red")
    if reason.until_ms is None:
        return Text(plain(reason.text), style)
    return Text(f"global cooldown {rest(plain(reason.text), reason.until_ms, now_ms)}", style)


def _portfolio_line(portfolio: PortfolioSnapshot | None) -> Text:
    if portfolio is None:
        return Text("portfolio: no answer", "red")
    parts = [
        f"equity {portfolio.equity:,.2f}",
        f"balance {portfolio.balance:,.2f}",
        f"exposure {portfolio.exposure:,.2f}",
        f"drawdown {portfolio.drawdown:.2%}",
        f"today {-portfolio.daily_loss:+.2%}",
        f"{counted(portfolio.trades, 'trade')} {portfolio.realized_pnl:+,.2f}",
    ]
    return headed("", "", "  ".join(parts))


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
