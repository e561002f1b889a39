"""One day of a run, read from its journal and compared with the rules."""

from collections import defaultdict
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from domain.backtesting.parity import Parity, Record, compare
from domain.errors import ConfigError
from domain.market.candles import CandleSeries, carry_forward
from domain.market.instruments import DAY_MS, Candle
from domain.rules import TradingRules
from domain.trading.order import Order
from infra.process.times import show_time
from infra.settings.stored import capital_changes, settings_before, settings_of
from infra.store.location import Location
from infra.store.reader import FactReader, Source


def parity_of(journal: Location, given: TradingRules | None, day: str | None) -> Parity:
    """Return how a day of a run compares.

    Args:
        journal: of the run.
        given: the rules; None: those of the settings that the journal says held on that day.
        day: as 2025-05-01; None: the newest.

    Raises:
        ConfigError: there is no such journal or day, or it cannot be judged.
    """
    with closing(FactReader(journal)) as facts:
        newest_ms = max((candle.close_time_ms for _, _, candle in facts.candles()), default=None)
        if newest_ms is None:
            raise ConfigError(f"{journal}: {_why_not_judged(facts)}")
        day_ms = _day_ms(day) if day else (newest_ms - 1) // DAY_MS * DAY_MS
        rules = given or _rules_of(facts, journal, day_ms + DAY_MS)
        record, rules = _record(facts, rules), _with_instruments(rules, facts)
    if not record.states:
        raise ConfigError(f"{journal}: holds no candles that a run has decided on")
    began_ms = record.states[0].t_ms
    # Before its first state nothing was decided; a candle that ended by then is none of the run's.
    from_ms = max(day_ms, -(-began_ms // rules.candles.candle_ms) * rules.candles.candle_ms)
    until_ms = min(day_ms + DAY_MS, newest_ms)
    if from_ms >= until_ms:
        shown = f"{show_time(began_ms)} to {show_time(newest_ms)}"
        raise ConfigError(f"{journal}: nothing of the day {day}; it holds {shown}")
    return compare(record, rules, from_ms, until_ms)


def _why_not_judged(facts: FactReader) -> str:
    if facts.mode() == "replay":
        return (
            "a replay's journal cannot be judged: it holds no candles, which its files have; "
            "bin/backtest on the same files makes the same trades"
        )
    return "holds no candles that a run has decided on"


def _rules_of(facts: FactReader, journal: Location, until_ms: int) -> TradingRules:
    """Return the rules of the settings that held at the end of a day."""
    noted = facts.settings()
    if noted is None:
        raise ConfigError(f"{journal}: notes no settings; name the run's own by --settings")
    changes = [change for change in facts.settings_changes() if change[0] < until_ms]
    held = settings_before(noted, facts.settings_changes(), until_ms)
    rules = settings_of(held, str(journal)).trading_rules()
    return replace(rules, capital_changes=capital_changes(changes))


def _day_ms(text: str) -> int:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigError(f"--day {text}: no day; write it like 2025-05-01") from None
    return round(day.timestamp() * 1000)


def _with_instruments(rules: TradingRules, facts: FactReader) -> TradingRules:
    """Return the rules with the filters that the exchange had."""
    stored = facts.instruments()
    assets = (
        replace(rule, instrument=stored.get(rule.asset, rule.instrument)) for rule in rules.assets
    )
    return replace(rules, assets=tuple(assets))


def _record(facts: FactReader, rules: TradingRules) -> Record:
    by_asset: defaultdict[str, list[Candle]] = defaultdict(list)
    late_ms: dict[tuple[str, int], int] = {}
    for source, asset, candle in facts.candles():
        by_asset[asset].append(candle)
        late_ms[asset, candle.close_time_ms] = _late_ms(source, candle)
    candle_ms = rules.candles.candle_ms
    return Record(
        candles={asset: _series(found, candle_ms) for asset, found in by_asset.items()},
        late_ms=late_ms,
        decisions={found.t_ms: found for found in facts.decisions() if found.t_ms % candle_ms == 0},
        denials={(found.asset, found.t_ms): found for _, found in facts.denials()},
        orders=[Order(intent=order.intent, state=order.state) for order in facts.orders()],
        executions=facts.executions(),
        states=facts.states(),
        transfers=facts.transfers(),
    )


def _late_ms(source: Source, candle: Candle) -> int:
    return max(0, source.recorded_ms - candle.close_time_ms)


def _series(candles: list[Candle], candle_ms: int) -> CandleSeries:
    candles.sort(key=lambda candle: candle.open_time_ms)
    return carry_forward(
        open_time_ms=np.array([c.open_time_ms for c in candles], dtype=np.int64),
        open=np.array([c.open for c in candles]),
        high=np.array([c.high for c in candles]),
        low=np.array([c.low for c in candles]),
        close=np.array([c.close for c in candles]),
        volume=np.array([c.volume for c in candles]),
        candle_ms=candle_ms,
    )


def day_before(t_ms: int) -> str:
    """Return the UTC day before the one of a time."""
    return f"{datetime.fromtimestamp(t_ms / 1000, UTC) - timedelta(days=1):%Y-%m-%d}"
