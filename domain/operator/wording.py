"""Text of single figures (prices, money, shares, times), and of single lines made of them."""

import re
import textwrap
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Literal

import numpy as np

from domain.market.instruments import DAY_MS, HOUR_MS, MINUTE_MS, Instrument, Side
from domain.operator.notices import Notice, Similar
from domain.portfolio.rebalancing import Advice
from domain.portfolio.snapshots import AssetSnapshot
from domain.portfolio.violations import Violation
from domain.strategies.base import Value
from domain.text import plain
from domain.trading.decisions import DenialReason

GOOD, BAD, CLOCK, SIREN = "🟢", "🔴", "⏰", "🚨"
LINE = 40
"""Characters that a phone shows in one line."""
_LONGEST = 300
_WAYS = {"telegram": "Telegram", "http": "HTTP", "web": "the web page"}
_NO_BREAK = "\u00a0"


def price(value: Decimal | float, instrument: Instrument) -> str:
    """Return a price with the instrument's decimals: $42,350.75."""
    exponent = instrument.tick_size.normalize().as_tuple().exponent
    digits = max(0, -exponent) if isinstance(exponent, int) else 0
    return f"${value:,.{digits}f}"


def money(value: Decimal) -> str:
    """Return quote money to the cent: $6,972.01."""
    return f"-${-value:,.2f}" if value < 0 else f"${value:,.2f}"


def gain(value: Decimal) -> str:
    """Return a gain or a loss, always with its sign: +12.30 USDT."""
    return f"{value:+,.2f} USDT"


def usdt(value: Decimal) -> str:
    """Return an amount of money, without a sign: 12.30 USDT."""
    return f"{value:,.2f} USDT"


def percent(fraction: Decimal | float, digits: int = 1) -> str:
    """Return a fraction as percent: 0.015 is 1.5%."""
    return f"{fraction * 100:.{digits}f}%"


def signed_percent(fraction: Decimal | float, digits: int = 1) -> str:
    """Return a fraction as percent, always with its sign."""
    return f"{fraction * 100:+.{digits}f}%"


def duration(length_ms: int) -> str:
    """Return a duration in its two largest units: 5h 37m."""
    if length_ms < MINUTE_MS:
        return f"{length_ms / 1000:.1f}s"
    days, rest = divmod(length_ms, DAY_MS)
    hours, rest = divmod(rest, HOUR_MS)
    minutes = rest // MINUTE_MS
    parts = [(days, "d"), (hours, "h"), (minutes, "m")]
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count}{unit}" for count, unit in parts[first : first + 2] if count)


def minutes(length_ms: int) -> str:
    """Return a duration in whole minutes."""
    return f"{length_ms // MINUTE_MS} min"


def rest(reason: str, end_ms: int, now_ms: int) -> str:
    """Return the active cooldown: its reason, its end, whole minutes left; empty: none."""
    if end_ms <= now_ms:
        return ""
    why = f"{reason} " if reason else ""
    return f"{why}until {utc(end_ms)}, {(end_ms - now_ms) // MINUTE_MS} min left"


def utc(time_ms: int) -> str:
    """Return a time in UTC, to the minute."""
    return f"{_iso(time_ms, 'm').replace('T', ' ')} UTC"


def utc_second(time_ms: int) -> str:
    """Return a time in UTC, to the second: when something happened."""
    return f"{_iso(time_ms, 's').replace('T', ' ')} UTC"


def day(time_ms: int) -> str:
    """Return the UTC day of a time."""
    return _iso(time_ms, "D")


def _iso(time_ms: int, unit: Literal["D", "m", "s"]) -> str:
    # With numpy: datetime, which has a clock, is not used in the domain.
    return str(np.datetime64(time_ms, "ms").astype(f"datetime64[{unit}]"))


def direction(side: Side) -> str:
    """Return the name of the position that an entry's side opens."""
    return "SHORT" if side is Side.SELL else "LONG"


def asker(operator: str) -> str:
    """Return who sent a command, and how: `telegram/7` is 7 by Telegram."""
    way, _, who = operator.partition("/")
    if who and way in _WAYS:
        return words(f"{who} by {_WAYS[way]}")
    return f"the signal {operator}" if operator.startswith("SIG") else words(operator)


def with_held_back(notice: Notice, before: Similar) -> Notice:
    """Return a notice that counts the similar ones that were held back before it."""
    return replace(
        notice,
        text=f"{notice.text}\n+{before.held_back} alike held back since {utc(before.told_ms)}",
    )


def words(text: str) -> str:
    """Return foreign text as one line of bounded length, of printable characters alone."""
    line = plain(" ".join(text.split()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def pairs(figures: str) -> str:
    """Return `key=value` pairs as readable text, fractions of risk as percent."""
    found = [pair.partition("=") for pair in figures.split()]
    is_share = any(name in _SHARES for name, _, _ in found)
    written = [
        f"{_UNIT.sub('', name).replace('_', ' ')} {_shown(name, value, is_share=is_share)}"
        for name, _, value in found
    ]
    line = words(", ".join(line.strip() for line in written))
    return line[:1].upper() + line[1:]


def _shown(name: str, value: str, *, is_share: bool) -> str:
    try:
        if name.endswith("_ms"):
            is_time = len(value) == _MS_DIGITS
            return utc(int(value)) if is_time else duration(int(value))
        if name.endswith("_s"):
            return duration(int(value) * 1000)
        if name in _SHARES or (is_share and name == "limit"):
            return percent(Decimal(value))
    except (ArithmeticError, ValueError):
        return value
    return value


_UNIT = re.compile("_m?s$")
_SHARES = {"drawdown", "daily_loss"}
_MS_DIGITS = 13
"""Digits of a time of these decades in ms; shorter numbers are durations."""


def sentence(text: str) -> str:
    """Return foreign text as a line that begins with a capital, `key=value` pairs written out."""
    parts = text.split()
    if parts and all("=" in part for part in parts):
        return pairs(text)
    line = words(text)
    return line[:1].upper() + line[1:]


def listed(title: str, items: Iterable[str]) -> list[str]:
    """Return a list under its title, in lines that fit on a phone."""
    whole = ", ".join(item.replace(" ", _NO_BREAK) for item in items)
    lines = textwrap.wrap(f"{title} {whole or 'none'}", LINE, subsequent_indent="  ")
    return [line.replace(_NO_BREAK, " ") for line in lines]


def why(wanted: str) -> str:
    """Return the command that shows the whole chain of causes."""
    return f"why {wanted}"


def trade_name(asset: str, exit_ms: int) -> str:
    """Return a trade's name, which does not change when its actors are restarted."""
    return f"{asset}@{_iso(exit_ms, 's')}"


def values(found: Iterable[Value], instrument: Instrument) -> list[str]:
    """Return the figures of a strategy, one per line."""
    return [f"{one.label[:1].upper()}{one.label[1:]} {_figure(one, instrument)}" for one in found]


def _figure(one: Value, instrument: Instrument) -> str:
    return price(one.figure, instrument) if one.is_price else f"{one.figure:.4g}"


def decided(snapshot: AssetSnapshot) -> str:
    """Return why an asset did something, or nothing, at its newest close."""
    if snapshot.explanation is None:
        return "no close has been decided yet"
    outcome = snapshot.explanation.outcome(utc)
    if snapshot.denial is None:
        return outcome
    return f"{outcome}: refused, {snapshot.denial.reason} {pairs(snapshot.denial.figures)}"


def advice_line(advice: Advice) -> str:
    """Return the advice for one position; empty: none."""
    if not advice.is_worth_telling:
        return ""
    says = [] if advice.action is None else [f"{advice.action} by {advice.qty:f}"]
    says += ["OVERSIZE"] if advice.is_oversize else []
    weight = f"weight {percent(advice.weight, 2)}, target {percent(advice.target, 2)}"
    return f"{advice.asset}: {', '.join(says)} ({weight})"


def violation_line(violation: Violation) -> str:
    """Return a broken limit, with its figures."""
    about = f" {violation.about}" if violation.about else ""
    now, allowed = _measured(violation, violation.now), _measured(violation, violation.allowed)
    return f"{violation.limit}{about}: {now}, limit {allowed}"


def _measured(violation: Violation, figure: Decimal) -> str:
    if violation.limit is DenialReason.MAX_POSITIONS:
        return f"{figure:f}"
    if violation.limit is DenialReason.CORRELATION:
        return f"{figure:.2f}"
    return usdt(figure)
