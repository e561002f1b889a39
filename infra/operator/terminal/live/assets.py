"""The assets: a table that fits, or a short form if there is no room for it."""

from collections.abc import Iterator
from decimal import Decimal

from rich.text import Text

from domain.operator import wording as say
from domain.portfolio.snapshots import AssetSnapshot, StopSnapshot
from domain.rules import AssetRules
from domain.strategies.base import Regime
from domain.trading.positions import Position
from domain.trading.sizing import protective_levels
from infra.operator.terminal.live.rows import Column, fitted, flowing, safe, table
from infra.operator.terminal.live.scene import Scene

_REGIME = {Regime.ACTIVE: "green", Regime.INACTIVE: "dim", Regime.COOLDOWN: "yellow"}
_WHY_LEAST = 24
"""Smallest width of the reasons column, cells; with less they get their own line, or none."""


class AssetRow:
    """What is known about one asset, each figure as formatted text."""

    def __init__(self, scene: Scene, asset: str) -> None:
        self._scene, self.asset = scene, asset
        self._rules: AssetRules | None = next(
            (rules for rules in scene.rules.assets if rules.asset == asset), None
        )
        self._found: AssetSnapshot | None = scene.seen.assets.get(asset)
        execution = scene.seen.executions.get(asset)
        self._stop: StopSnapshot | None = None if execution is None else execution.stop
        self.is_unprotected = execution is not None and execution.is_unprotected
        self.held: Position | None = scene.position(asset)

    def name(self) -> Text:
        return safe(self.asset, "bold")

    def position(self) -> Text:
        """Return side and quantity."""
        if self.held is None:
            return Text("flat", "dim")
        return Text(f"{say.direction(self.held.side)} {self.held.qty:f}", "bold")

    def pnl(self) -> Text:
        """Return the unrealized PnL."""
        if self.held is None:
            return Text()
        pnl = self._scene.pnl(self.asset)
        if pnl is None:
            return Text("PnL ?", "yellow")
        return Text(f"{pnl:+,.2f}", "bold green" if pnl >= 0 else "bold bright_red")

    def price(self) -> Text:
        """Return the newest price, grayed if it is too old."""
        price, feed = self._scene.price(self.asset), self._scene.seen.feeds.get(self.asset)
        if price is None:
            return Text("no price", "dim")
        if feed is not None and feed.is_stale:
            return Text.assemble((self._price(price), "dim strike"), (" STALE", "dark_orange"))
        return Text(self._price(price))

    def regime(self) -> Text:
        """Return the regime, or why there is none."""
        if self._found is None:
            return Text("no answer", "bold bright_red")
        if self._found.report is None:
            return Text("no candles", "yellow")
        regime = self._found.report.regime
        return Text(str(regime), _REGIME[regime])

    def entry(self) -> Text:
        """Return the average entry price."""
        return Text() if self.held is None else Text(self._price(self.held.avg_entry_price))

    def stop(self) -> Text:
        """Return the stop with its distance from the price."""
        if self.held is None:
            return Text()
        if self.is_unprotected or self._stop is None:
            is_bare = self.is_unprotected
            return Text(
                "NO STOP" if is_bare else "stop ?", "bold white on red" if is_bare else "yellow"
            )
        level, price = self._stop.stop_loss, self._scene.price(self.asset)
        away = "" if not price else f" {abs(float(level) / float(price) - 1):.2%}"
        return Text(f"{'trail ' if self._stop.is_armed else ''}{self._price(level)}{away}")

    def target(self) -> Text:
        """Return the take profit."""
        if self.held is None or self._rules is None:
            return Text()
        terms = self.held.terms
        stops = self._rules.stops if terms is None else terms.stops
        target = protective_levels(
            self.held.avg_entry_price, self.held.side, stops, self._rules.instrument
        ).take_profit
        return Text() if target is None else Text(self._price(target))

    def signal(self) -> Text:
        """Return the age of the newest signal."""
        newest_ms = None if self._found is None else self._found.newest_signal_ms
        if newest_ms is None:
            return Text()
        return Text(say.duration(max(0, self._scene.seen.now_ms - newest_ms)))

    def standing(self) -> Text:
        """Return what blocks entries of the asset; empty if nothing does."""
        return Text(" ").join(self._standing())

    def _standing(self) -> Iterator[Text]:
        portfolio, found = self._scene.seen.portfolio, self._found
        if portfolio is not None and self.asset in portfolio.suspended:
            yield Text("SUSPENDED", "bold bright_red")
        if portfolio is not None and self.asset in portfolio.not_flat:
            yield Text("NOT FLAT YET", "bold bright_red")
        if portfolio is not None and self.asset in portfolio.paused:
            yield Text("PAUSED", "yellow")
        if found is not None and found.cooldown_minutes:
            yield safe(f"cooldown {found.cooldown_minutes} min {found.cooldown_reason}", "yellow")

    def why(self) -> Text:
        """Return the reasons for the newest decision, and any advice."""
        if self._found is None:
            return Text()
        words = [] if self._found.report is None else [say.decided(self._found)]
        portfolio = self._scene.seen.portfolio
        advice = () if portfolio is None else portfolio.advice
        words += [say.advice_line(each) for each in advice if each.asset == self.asset]
        return safe("; ".join(filter(None, words)))

    def values(self) -> Text:
        """Return the figures of the strategy, with its labels."""
        if self._found is None or self._found.report is None or self._rules is None:
            return Text()
        values = say.values(self._found.report.values, self._rules.instrument)
        return safe(", ".join(values), "dim")

    def short(self) -> Text:
        """Return the essentials: asset, position, PnL, and whether it has a stop."""
        parts = [self.name(), self.position(), self.pnl()]
        if self.is_unprotected:
            parts.append(self.stop())
        return Text(" ").join(part for part in parts if part.cell_len)

    def detail(self, width: int) -> Text:
        """Return the line under the row: the figures and reasons of the strategy."""
        parts = [part for part in (self.values(), self.why()) if part.cell_len]
        return fitted(Text.assemble("      ", Text("  ").join(parts)), width)

    def _price(self, price: Decimal | float) -> str:
        if self._rules is None:
            return f"{price:,f}"
        return say.price(price, self._rules.instrument).replace("$", "")


def asset_table(rows: list[AssetRow], width: int, *, has_why: bool) -> list[Text]:
    """Return a row for each asset under column titles; columns that do not fit are left out.

    Args:
        rows: at least one.
        width: cells.
        has_why: whether figures and reasons are columns; otherwise they go to the lines under
            the rows.
    """
    why = [
        Column(title="figures", cells=[row.values() for row in rows], rank=11, least=_WHY_LEAST),
        Column(title="why", cells=[row.why() for row in rows], rank=10, least=_WHY_LEAST),
    ]
    columns = [
        Column(title="asset", cells=[row.name() for row in rows], rank=0),
        Column(title="price", cells=[row.price() for row in rows], is_number=True, rank=4),
        Column(title="regime", cells=[row.regime() for row in rows], rank=6),
        Column(title="position", cells=[row.position() for row in rows], rank=1),
        Column(title="PnL USDT", cells=[row.pnl() for row in rows], is_number=True, rank=2),
        Column(title="stop", cells=[row.stop() for row in rows], is_number=True, rank=5),
        Column(title="target", cells=[row.target() for row in rows], is_number=True, rank=9),
        Column(title="entry", cells=[row.entry() for row in rows], is_number=True, rank=8),
        Column(title="signal", cells=[row.signal() for row in rows], is_number=True, rank=7),
        Column(title="standing", cells=[row.standing() for row in rows], rank=3),
        *(why if has_why else []),
    ]
    return table(columns, width)


def short_lines(rows: list[AssetRow], width: int, room: int | None = None) -> list[Text]:
    """Return all open positions in as little room as possible; no lines if there are none.

    Args:
        rows: of all assets.
        width: cells.
        room: lines; positions left out are counted, and those without a stop come first.
    """
    held = [row for row in rows if row.held is not None]
    lines = flowing([row.short() for row in held], width)
    if room is None or len(lines) <= room:
        return lines
    held.sort(key=lambda row: not row.is_unprotected)
    for kept in reversed(range(len(held))):
        more = Text(f"+{len(held) - kept} more open", "bold bright_red")
        lines = flowing([*(row.short() for row in held[:kept]), more], width)
        if len(lines) <= room:
            return lines
    return []


def flat_line(rows: list[AssetRow], width: int) -> Text:
    """Return the assets without a position, in a line."""
    names = ", ".join(row.asset for row in rows)
    return fitted(safe(f"{len(rows)} flat: {names}", "dim"), width)
