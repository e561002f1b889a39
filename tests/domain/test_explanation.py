"""What is said of a close is what was decided: on random markets, close by close."""

import operator
from collections.abc import Callable
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtesting.histories import history_of
from domain.backtesting.market import Market
from domain.market.instruments import HOUR_MS, MINUTE_MS, Side
from domain.strategies.ema_cross_short import EmaCrossShort, Levels
from domain.strategies.explanation import Condition, Explanation
from domain.strategies.registry import CONFIRMED_TREND_LONG
from domain.trading.asset import AssetState
from domain.trading.cooldowns import CooldownReason
from domain.trading.decisions import AssetEvaluation
from domain.trading.orders import ExitReason
from tests.backtesting.markets import Recipe, lively_rules, random_market
from tests.domain.builders import NOON_MS, RULES, entry, fill, short

_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
}
_EXITS = {None: None, "regime": ExitReason.REGIME, "hours held": ExitReason.TIME}

recipes = st.builds(
    Recipe,
    seed=st.integers(0, 1000),
    candles=st.integers(60, 500),
    flat=st.sampled_from([0.0, 0.5]),
    decimals=st.sampled_from([0, 2]),
    assets=st.just(1),
)


def is_so(condition: Condition) -> bool:
    """Judge a condition by what is shown of it alone."""
    if not condition.needs:
        return str(condition.figure).split()[0] == condition.limit
    if condition.figure == "none":
        return False
    needs = condition.needs.split()[0]
    return _HOLDS[needs](float(condition.figure), float(condition.limit))


def judged(state: AssetState, *, may_enter: bool) -> tuple[AssetEvaluation, Explanation]:
    """Return a close's report and explanation, which must say the same."""
    decided = state.decide(may_enter=may_enter)
    assert decided is not None
    report, explanation = decided
    assert report == state.report(may_enter=may_enter)
    for condition in (*explanation.entry, *explanation.stay):
        assert condition.holds == is_so(condition), condition
    assert (report.signal is not None) == (explanation.failed_entry is None)
    failed = explanation.failed_stay
    assert report.strategy_exit == _EXITS[None if failed is None else failed.name]
    assert report.t_ms == explanation.t_ms
    return report, explanation


@settings(max_examples=60, deadline=None)
@given(recipes, st.sampled_from([1, 4, 12]), st.sampled_from([0, 5, 33]))
def test_the_explanation_of_each_close_is_its_decision(
    recipe: Recipe, threshold: int, window_minutes: int
) -> None:
    rules = lively_rules(
        strategy={"cross_threshold": threshold, "entry_window_minutes": window_minutes},
        stops={"max_hold_ms": 7_200_000},
    )
    market = Market(random_market(recipe))
    state, chance = AssetState("BTC", rules), Random(recipe.seed)

    series = market.assets["BTC"].series
    for index, close in enumerate(series.close.tolist()):
        t_ms = market.time_ms(index)
        state.apply_candle(series.candle(index))
        may_enter = chance.random() < 0.9
        report, _ = judged(state, may_enter=may_enter)
        if report.strategy_exit is not None:
            state.apply_execution(fill(Side.BUY, 1, close, ts_ms=t_ms, decided_ms=t_ms))
        elif report.signal is not None and chance.random() < 0.7:
            opened = entry("BTC", 1, close, t_ms)
            state.apply_execution(replace(opened, signal_ms=report.signal.signal_ms))


@settings(max_examples=40, deadline=None)
@given(recipes, st.sampled_from([1, 12]))
def test_the_explanation_agrees_with_the_signals_of_a_whole_history(
    recipe: Recipe, threshold: int
) -> None:
    """The fast engine finds its signals in arrays, by other code than the fold."""
    rules = lively_rules(strategy={"cross_threshold": threshold})
    market = Market(random_market(recipe))
    history = history_of(market, "BTC", rules)
    state, series = AssetState("BTC", rules), market.assets["BTC"].series

    for index in range(len(series)):
        state.apply_candle(series.candle(index))
        _, explanation = judged(state, may_enter=True)
        assert (history.entry_at(index) is not None) == (explanation.failed_entry is None)


def test_the_first_condition_that_failed_is_named_with_its_figures() -> None:
    state = AssetState("BTC", RULES)
    strategy = state.strategy
    assert isinstance(strategy, EmaCrossShort)
    strategy.t_ms, state.close = NOON_MS, 90.0
    strategy.levels = Levels(close=90.0, ema_short=95.0, ema_long=100.0)
    strategy.closes_seen, strategy.crosses_today = 3001, 12
    strategy.newest_signal_ms = NOON_MS - 20 * MINUTE_MS
    strategy.newest_crosses = "PRICE_BELOW_LONG"

    def outcome() -> str:
        return judged(state, may_enter=True)[1].outcome(lambda ms: f"at {ms}")

    assert outcome() == "no entry: minutes since the newest signal 20, needs <= 15"
    strategy.newest_signal_ms = state.used_signal_ms = NOON_MS
    used = f"used PRICE_BELOW_LONG of at {NOON_MS}"
    assert outcome() == f"no entry: newest signal {used}, needs unused"
    state.used_signal_ms = None
    state.cooldown.end_ms, state.cooldown.reason = NOON_MS + 1, CooldownReason.SHORT_HOLD
    until = f"SHORT_HOLD until at {NOON_MS + 1}"
    assert outcome() == f"no entry: cooldown {until}, needs none"
    state.cooldown.end_ms = 0
    assert outcome() == "no entry: crosses today 12, needs < 12"
    strategy.crosses_today = 11
    assert outcome() == "asks to enter"
    state.position = short("BTC", 1, 90, opened_ms=NOON_MS - 24 * HOUR_MS)
    assert outcome() == "exit: hours held 24, needs < 24"
    strategy.levels = Levels(close=96.0, ema_short=95.0, ema_long=100.0)
    assert outcome() == "exit: regime INACTIVE, needs ACTIVE"
    state.position = None
    assert outcome() == "no entry: close 96, needs < EMA short 95"


def test_a_position_that_only_its_stops_end_is_said_to_stay_open() -> None:
    rules = lively_rules(kinds=[CONFIRMED_TREND_LONG], stops={"max_hold_ms": None})
    state = AssetState("BTC", rules)
    series = Market(random_market(Recipe(seed=1, candles=300, assets=1))).assets["BTC"].series
    for index in range(len(series)):
        state.apply_candle(series.candle(index))
    before = state.decide(may_enter=True)
    state.position = short("BTC", 1, 90, opened_ms=NOON_MS)

    held = state.decide(may_enter=True)

    assert before is not None
    assert held is not None
    assert not before[1].is_open
    assert held[1].stay == ()
    assert held[1].outcome(str) == "stays open"
