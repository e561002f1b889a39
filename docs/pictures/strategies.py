# ruff: noqa: INP001 (a script, and no package)
"""Draws a trade of each strategy, out of a backtest on candles of the simulated market.

PYTHONPATH=. .venv/bin/python docs/pictures/strategies.py
"""

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from pathlib import Path

from domain.market.indicators import ema_series
from domain.market.instruments import Side
from domain.rules import AssetRules
from domain.trading.sizing import protective_levels
from domain.trading.trailing import StopState, follow
from infra.settings import load_settings
from infra.venues.simulator.prices.generator import CANDLE_MS, CandleGenerator, Plan

FIRST_MS, DAYS, SEED, ASSET = 1_735_689_600_000, 240, 5, "SOL"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 340, 10, 150, 32, 22
INK, PRICE, FAST, SLOW, STOP, TARGET, ACTIVE = (
    *("#24292f", "#57606a", "#0969da", "#8250df"),
    *("#cf222e", "#1a7f37", "#dafbe1"),
)


@dataclass(frozen=True)
class Story:
    """Which trade of which strategy is drawn, and with how many candles around it."""

    strategy: str
    side: Side
    averages: tuple[int, int]
    reason: str
    number: int
    """Of the trade, among those of that reason."""
    before: int
    after: int


STORIES = (
    Story("ema_cross_short", Side.SELL, (240, 600), "TAKE_PROFIT", 1, 90, 16),
    Story("confirmed_trend_long", Side.BUY, (50, 200), "TRAILING_STOP", 0, 40, 16),
)


@dataclass(frozen=True)
class Shown:
    """A trade; its ends are numbers of candles."""

    begin: int
    end: int
    entry_price: Decimal
    exit_price: float


def make_candles(folder: Path) -> list[Plan]:
    """Write the candles of a simulated market, and return them."""
    assets = load_settings(None, environ={}, dotenv=None).trading_rules().assets
    generator = CandleGenerator([asset.instrument for asset in assets], SEED)
    made = [generator.step()[f"{ASSET}USDT"] for _ in range(DAYS * 288)]
    folder.mkdir()
    with (folder / f"{ASSET}USDT.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["open_time", "open", "high", "low", "close", "volume"])
        for number, plan in enumerate(made):
            prices = (plan.open, plan.high, plan.low, plan.close)
            writer.writerow([FIRST_MS + number * CANDLE_MS, *prices, plan.volume])
    return made


def write_settings(folder: Path, story: Story) -> Path:
    file = folder / f"{story.strategy}.yaml"
    shares = {"allocation_pct": 0.07, "leverage": 1} if story.side is Side.SELL else {}
    asset = {"symbol": f"{ASSET}USDT", "strategy": story.strategy, "enabled": True} | shares
    file.write_text(json.dumps({"portfolio": {"assets": [asset]}}))
    return file


def trades(folder: Path, story: Story, settings: Path) -> Iterator[Shown]:
    """Yield the trades of a backtest that closed for the story's reason, in profit."""
    out = folder / f"{story.strategy}.csv"
    words = ("-m", "bin.backtest", "--candles", str(folder / "candles"), "--trades", str(out))
    subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, *words, "--settings", str(settings)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with out.open(newline="") as rows:
        for row in csv.DictReader(rows):
            if row["reason"] == story.reason and float(row["pnl"]) > 0:
                begin, end = (
                    (int(row[name]) - FIRST_MS) // CANDLE_MS - 1
                    for name in ("entry_time_ms", "exit_time_ms")
                )
                entry, left = Decimal(row["entry_price"]), float(row["exit_price"])
                yield Shown(begin, end, entry, left)


def stops(story: Story, shown: Shown, asset: AssetRules, made: Sequence[Plan]) -> list[float]:
    """Return the stop in each candle of a trade, moved by the rules that trade."""
    levels = protective_levels(shown.entry_price, story.side, asset.stops, asset.instrument)
    state, found = StopState(side=story.side, levels=levels, best=shown.entry_price), []
    for plan in made[shown.begin + 1 : shown.end + 1]:
        found.append(float(state.levels.stop_loss))
        for price in (plan.low, plan.high):
            state = follow(state, price, asset.stops, asset.instrument)
    return found


class Drawing:
    """A picture as SVG, in candles and prices."""

    def __init__(self, first: int, last: int, prices: Sequence[float]) -> None:
        """Show the candles `first` to `last`, and all prices given."""
        self._first, self._last = first, last
        self._low, self._high = min(prices), max(prices)
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"',
            ' font-family="sans-serif" font-size="13">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        ]

    def x(self, candle: float) -> float:
        share = (candle - self._first) / (self._last - self._first)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, price: float) -> float:
        share = (self._high - price) / (self._high - self._low)
        return round(TOP + share * (HEIGHT - TOP - BOTTOM), 1)

    def line(self, begin: int, prices: Sequence[float], colour: str, width: float) -> None:
        points = " ".join(f"{self.x(begin + n)},{self.y(price)}" for n, price in enumerate(prices))
        self._polyline(points, colour, width)

    def steps(self, begin: int, prices: Sequence[float], colour: str) -> None:
        points = []
        for price, alike in groupby(enumerate(prices, begin), key=lambda each: each[1]):
            numbers = [number for number, _ in alike]
            ends = (numbers[0], numbers[-1] + 1)
            points += [f"{self.x(number)},{self.y(price)}" for number in ends]
        self._polyline(" ".join(points), colour, 2)

    def _polyline(self, points: str, colour: str, width: float) -> None:
        look = f'fill="none" stroke="{colour}" stroke-width="{width}"'
        self._parts.append(f'<polyline points="{points}" {look}/>')

    def band(self, begin: int, end: int) -> None:
        x, width = self.x(begin), self.x(end) - self.x(begin)
        size = f'y="{TOP}" width="{width:.1f}" height="{HEIGHT - TOP - BOTTOM}"'
        self._parts.append(f'<rect x="{x}" {size} fill="{ACTIVE}"/>')

    def dot(self, candle: int, price: float, words: str) -> None:
        x, y = self.x(candle), self.y(price)
        self._parts.append(f'<circle cx="{x}" cy="{y}" r="5" fill="{INK}"/>')
        self.text(x - 9, y - 8, words, INK, "end")

    def text(self, x: float, y: float, words: str, colour: str, anchor: str = "start") -> None:
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" '
            f'stroke="#ffffff" stroke-width="3" paint-order="stroke">{words}</text>'
        )

    def labels(self, named: dict[str, tuple[float, str]]) -> None:
        """Write words at the right, beside their prices, and never over each other."""
        lowest = 0.0
        for words, (price, colour) in sorted(named.items(), key=lambda each: -each[1][0]):
            lowest = max(self.y(price) + 4, lowest + 17)
            self.text(WIDTH - RIGHT + 8, lowest, words, colour)

    def svg(self) -> str:
        return "\n".join([*self._parts, "</svg>", ""])


def active(closes: Sequence[float], fast: Sequence[float], slow: Sequence[float]) -> list[int]:
    """Return the candles at whose close the regime of the short strategy is ACTIVE."""
    rows = enumerate(zip(closes, fast, slow, strict=True))
    return [number for number, (close, one, two) in rows if close < one < two]


def draw(story: Story, shown: Shown, asset: AssetRules, made: Sequence[Plan]) -> str:
    closes = [float(plan.close) for plan in made]
    fast, slow = (ema_series(closes, period) for period in story.averages)
    first, last = shown.begin - story.before, shown.end + story.after
    span, stop = slice(first, last + 1), stops(story, shown, asset, made)
    entry = float(shown.entry_price)
    levels = protective_levels(shown.entry_price, story.side, asset.stops, asset.instrument)
    target = None if levels.take_profit is None else float(levels.take_profit)
    drawing = Drawing(
        first, last, [*closes[span], *fast[span], *slow[span], *stop, target or entry]
    )
    if story.side is Side.SELL:
        numbers = [n for n in active(closes, fast, slow) if first <= n < last]
        begins = [n for n in numbers if n - 1 not in numbers]
        ends = [n for n in numbers if n + 1 not in numbers]
        for begin, end in zip(begins, ends, strict=True):
            drawing.band(begin, end + 1)
    drawing.line(first, slow[span], SLOW, 1.5)
    drawing.line(first, fast[span], FAST, 1.5)
    drawing.line(first, closes[span], PRICE, 1)
    drawing.steps(shown.begin, stop, STOP)
    named = {
        f"EMA {story.averages[0]}": (fast[last], FAST),
        f"EMA {story.averages[1]}": (slow[last], SLOW),
        "close": (closes[last], PRICE),
        "stop": (stop[-1], STOP),
    }
    if target is not None:
        drawing.steps(shown.begin, [target] * len(stop), TARGET)
        named["target, reached"] = (target, TARGET)
        drawing.text(LEFT, HEIGHT - 2, "green: regime ACTIVE at the close", INK)
    drawing.dot(shown.begin, entry, "sold" if story.side is Side.SELL else "bought")
    drawing.dot(shown.end, shown.exit_price, "")
    drawing.labels(named)
    hours, change = (shown.end - shown.begin) / 12, shown.exit_price / entry - 1
    words = f"{story.strategy}: closed after {hours:.1f} h, the price {change:+.1%}"
    drawing.text(LEFT, 20, words, INK)
    return drawing.svg()


def main() -> None:
    """Draw one trade of each strategy."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = make_candles(folder / "candles")
        for story in STORIES:
            file = write_settings(folder, story)
            rules = load_settings(file, environ={}, dotenv=None).trading_rules()
            shown = list(trades(folder, story, file))[story.number]
            picture = Path(__file__).with_name(f"{story.strategy}.svg")
            picture.write_text(draw(story, shown, rules.assets[0], made), encoding="utf-8")


if __name__ == "__main__":
    main()
