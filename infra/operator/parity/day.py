"""One day of a run, read from its journal and compared with the rules."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from domain.backtesting.parity import Parity, Record, compare_spans
from domain.errors import ConfigError
from domain.market.instruments import DAY_MS, Candle
from domain.operator.commands import pair_changes
from domain.operator.pairs import PairAction, PairChange, changes_at
from domain.rules import CapitalChange, TradingRules
from domain.trading.order import Order
from infra.candles.stored import series_of
from infra.process.times import show_time
from infra.settings import Settings
from infra.settings.stored import capital_changes, settings_before, settings_of
from infra.store.location import Location
from infra.store.reader import FactReader, Source

Given = Callable[[Sequence[PairChange]], Settings]
"""Returns settings with changes of pairs."""


def parity_of(journal: Location, given: Given | None, day: str | None) -> Parity:
    """Return the comparison of a day of a run.

    Args:
        journal: of the run.
        given: the settings; None: those that the journal records for that day.
        day: as 2025-05-01; None: the newest.

    Raises:
        ConfigError: there is no such journal or day, or it cannot be compared.
    """
    with closing(FactReader(journal)) as facts:
        newest_ms = max((candle.close_time_ms for _, _, candle in facts.candles()), default=None)
        if newest_ms is None:
            raise ConfigError(f"{journal}: {_why_not_judged(facts)}")
        day_ms = _day_ms(day) if day else (newest_ms - 1) // DAY_MS * DAY_MS
        end_ms = day_ms + DAY_MS
        rules_at = _RulesAt(facts, given or _held_at(facts, journal, end_ms))
        if given is None:
            changes = [each for each in facts.settings_changes() if each[0] < end_ms]
            rules_at.capital = capital_changes(changes)
        rules = rules_at(end_ms)
        record = _record(facts, rules)
    if not record.states:
        raise ConfigError(f"{journal}: holds no candles that a run has decided on")
    began_ms = record.states[0].t_ms
    # Before its first state nothing was decided; candles that ended by then do not count.
    from_ms = max(day_ms, -(-began_ms // rules.candles.candle_ms) * rules.candles.candle_ms)
    until_ms = min(day_ms + DAY_MS, newest_ms)
    if from_ms >= until_ms:
        shown = f"{show_time(began_ms)} to {show_time(newest_ms)}"
        raise ConfigError(f"{journal}: nothing of the day {day}; it holds {shown}")
    return compare_spans(record, list(rules_at.spans(from_ms, until_ms)))


def _why_not_judged(facts: FactReader) -> str:
    if facts.mode() == "replay":
        return (
            "a replay's journal cannot be judged: it holds no candles, which its files have; "
            "bin/backtest on the same files makes the same trades"
        )
    return "holds no candles that a run has decided on"


def _held_at(facts: FactReader, journal: Location, until_ms: int) -> Given:
    """Return the settings in force at the end of a day, with all pairs of any time."""
    noted = facts.settings()
    if noted is None:
        raise ConfigError(f"{journal}: records no settings; name the run's own by --settings")
    held = settings_before(noted, facts.settings_changes(), until_ms)
    return lambda pairs: settings_of(held, str(journal), pairs)


class _RulesAt:
    """The rules at each close of a day, in which pairs may have joined and left."""

    def __init__(self, facts: FactReader, settings: Given) -> None:
        self._settings = settings
        self._pairs = pair_changes(facts.commands())
        self._instruments = facts.instruments()
        self.capital: tuple[CapitalChange, ...] = ()

    def __call__(self, t_ms: int) -> TradingRules:
        """Return the rules at a close, with the exchange's filters of then."""
        rules = self._settings(changes_at(self._pairs, t_ms)).trading_rules()
        assets = tuple(
            replace(rule, instrument=self._instruments.get(rule.asset, rule.instrument))
            for rule in rules.assets
        )
        return replace(rules, assets=assets, capital_changes=self.capital)

    def spans(self, from_ms: int, until_ms: int) -> Iterator[tuple[TradingRules, int, int]]:
        """Yield the rules, and between which times they were in force."""
        candle_ms = self(until_ms).candles.candle_ms
        # A pair that joins at a close takes part in the decision of that close.
        moved = (c.from_ms - candle_ms for c in self._pairs if c.action is not PairAction.REMOVE)
        inside = sorted({t_ms for t_ms in moved if from_ms < t_ms < until_ms})
        for begin_ms, end_ms in pairwise([from_ms, *inside, until_ms]):
            yield self(begin_ms + candle_ms), begin_ms, end_ms


def _day_ms(text: str) -> int:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigError(f"--day {text}: not a day; write it like 2025-05-01") from None
    return round(day.timestamp() * 1000)


def _record(facts: FactReader, rules: TradingRules) -> Record:
    by_asset: defaultdict[str, list[Candle]] = defaultdict(list)
    late_ms: dict[tuple[str, int], int] = {}
    for source, asset, candle in facts.candles():
        by_asset[asset].append(candle)
        late_ms[asset, candle.close_time_ms] = _late_ms(source, candle)
    candle_ms = rules.candles.candle_ms
    return Record(
        candles={asset: series_of(found, candle_ms) for asset, found in by_asset.items()},
        late_ms=late_ms,
        decisions={found.t_ms: found for found in facts.decisions() if found.t_ms % candle_ms == 0},
        denials={(found.asset, found.t_ms): found for _, found in facts.denials()},
        orders=[Order(intent=order.intent, state=order.state) for order in facts.orders()],
        executions=facts.executions(),
        booked_ms=facts.booked_ms(),
        states=facts.states(),
        transfers=facts.transfers(),
    )


def _late_ms(source: Source, candle: Candle) -> int:
    return max(0, source.recorded_ms - candle.close_time_ms)


def day_before(t_ms: int) -> str:
    """Return the UTC day before that of a time."""
    return f"{datetime.fromtimestamp(t_ms / 1000, UTC) - timedelta(days=1):%Y-%m-%d}"
