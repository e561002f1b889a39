"""Strategies of the user's own: the example, and what each way to break the contract costs."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from domain.backtesting.plain_loop import Backtest
from domain.errors import ConfigError, StrategyError
from domain.market.candles import CandleSeries, carry_forward
from domain.market.instruments import Side
from domain.rules import EntryTerms, TradingRules
from domain.strategies.base import Regime, StrategySpec
from domain.strategies.registry import make_strategy
from tests.domain import foreign
from tests.domain.builders import CANDLE_MS, NOON_MS, RULES, candle, changed

WARMUP = 5
BREAKOUT = StrategySpec(name="examples.own_strategy:Breakout", parameters={"channel_candles": 3})
CANDLES = replace(RULES.candles, warmup_candles=WARMUP, volatility_window=4)
FLAT = (10.0, 11.0, 10.0, 11.0, 10.0, 11.0)


def series(*closes: float) -> CandleSeries:
    close = np.array(closes)
    return carry_forward(
        open_time_ms=NOON_MS + CANDLE_MS * np.arange(len(close)),
        open=close,
        high=close.copy(),
        low=close.copy(),
        close=close.copy(),
        volume=np.ones(len(close)),
        candle_ms=CANDLE_MS,
    )


def with_own(name: str, **parameters: object) -> TradingRules:
    """Return rules under which BTC follows a strategy of the user's own, with a trailing stop."""
    spec = StrategySpec(name=name, parameters={"channel_candles": 3, **parameters})
    rules = changed(candles={"warmup_candles": WARMUP, "volatility_window": 4})
    stops = replace(
        rules.assets[0].stops,
        stop_loss_fraction=None,
        take_profit_fraction=None,
        trail_fraction=Decimal("0.5"),
    )
    own = replace(rules.assets[0], terms=EntryTerms(strategy=spec, stops=stops))
    return replace(rules, assets=(own, *rules.assets[1:]))


def of(kind: type) -> StrategySpec:
    return replace(BREAKOUT, name=f"tests.domain.foreign:{kind.__name__}")


def folded(spec: StrategySpec, *closes: float):
    found = make_strategy(spec, CANDLES)
    made = [found.apply(each) for each in map(series(*closes).candle, range(len(closes)))]
    return found, made


def test_a_close_above_the_channel_signals_and_one_below_it_is_inactive() -> None:
    found, made = folded(BREAKOUT, *FLAT, 12.0)

    assert made == [(), (), (), (), (), (), ("BREAKOUT",)]
    assert found.evaluate().signal.signal_ms == found.t_ms
    assert found.evaluate().signal.side is Side.BUY
    assert found.evaluate().signal.strength == 12.0 / 11.0 - 1
    assert found.evaluate().market_regime is Regime.ACTIVE
    found.apply(candle(found.t_ms + CANDLE_MS, 9.0))
    assert found.evaluate().market_regime is Regime.INACTIVE
    assert found.evaluate().signal.signal_ms == found.t_ms - CANDLE_MS


def test_an_equal_close_is_no_breakout() -> None:
    _, made = folded(BREAKOUT, *FLAT, 11.0)

    assert not any(made)


def test_the_plain_loop_trades_it_long_and_out_again() -> None:
    closes = (*FLAT, 12.0, 13.0, 9.0, 9.0, 8.0)

    trades = Backtest({"BTC": series(*closes)}, with_own(BREAKOUT.name)).run().trades

    assert [(trade.side, str(trade.reason)) for trade in trades] == [(Side.BUY, "REGIME")]


def test_folded_at_once_it_is_what_it_is_candle_by_candle() -> None:
    one, _ = folded(BREAKOUT, *FLAT, 12.0, 11.0)
    other = make_strategy(BREAKOUT, CANDLES)

    other.refold(series(*FLAT, 12.0, 11.0))

    assert other.evaluate() == one.evaluate()
    assert (other.t_ms, other.closes_seen) == (one.t_ms, one.closes_seen)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (foreign.NanStrength, "strength to be a finite number, found nan"),
        (foreign.TextStrength, "strength to be a finite number, found 'high'"),
        (foreign.OtherSide, "signals of side BUY, found <Side.SELL"),
        (foreign.OffTheGrid, "signal_ms to be the close time of a candle up to this one, found 1"),
        (foreign.FutureSignal, "signal_ms to be the close time of a candle up to this one"),
        (foreign.EndlessAge, "max_age_ms to be whole milliseconds, 0 or more, found inf"),
        (foreign.SignalsInTheWarmUp, "no signal of the warm-up"),
        (foreign.NoRegime, "regime to name a condition, found none"),
        (foreign.ListedRegime, "regime to be a tuple of Condition"),
        (foreign.NanCondition, "regime: one to be a finite number or a text, found nan"),
        (foreign.MaybeHolds, "holds of one to be True or False, found 1"),
        (foreign.ControlText, r"note to be a short text, found '\x1b[2J'"),
        (foreign.NoEvaluation, "evaluate to return an Evaluation, found None"),
        (foreign.NanValue, "highest to be a finite number, found nan; leave a value out"),
        (foreign.ListOfSignals, "fold to return a tuple of str, found []"),
        (foreign.Exits, "raised SystemExit: 0"),
        (foreign.RaisesWhenShown, "raised OddError"),
    ],
)
def test_an_answer_against_the_contract_is_one_line_that_names_it(kind: type, words: str) -> None:
    with pytest.raises(StrategyError) as caught:
        make_strategy(of(kind), CANDLES).refold(series(*FLAT, 9.0, 12.0))

    assert words in str(caught.value)
    assert f"strategy tests.domain.foreign:{kind.__name__}, at the close of 20" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_of_numpy_become_plain_ones() -> None:
    one, _ = folded(BREAKOUT, *FLAT, 12.0)
    other, _ = folded(of(foreign.NumpyNumbers), *FLAT, 12.0)

    found = other.evaluate()

    assert found == one.evaluate()
    numbers = [found.signal.strength, found.regime[0].figure, found.values[0].figure]
    assert [type(number) for number in numbers] == [float, float, float]


@pytest.mark.parametrize("kind", [foreign.Remembers, foreign.Guesses, foreign.OtherRefold])
def test_a_strategy_that_answers_otherwise_when_folded_again_is_found_at_the_start(
    kind: type,
) -> None:
    with pytest.raises(StrategyError, match="the same decision whenever the same candles"):
        make_strategy(of(kind), CANDLES).refold(series(*FLAT, 12.0))


def test_a_strategy_that_cannot_be_made_says_why() -> None:
    with pytest.raises(StrategyError, match="at its start: raised KeyError: 'missing'"):
        make_strategy(of(foreign.NeedsMore), CANDLES)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("examples.own_strategy:Nothing", "to be a subclass of Strategy, found None"),
        ("examples.nowhere:Breakout", "cannot be imported: ModuleNotFoundError"),
        ("breakout", "expected a strategy (ema_cross_short, confirmed_trend_long) or module:Class"),
    ],
)
def test_a_strategy_that_is_not_there_is_told(name: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_strategy(replace(BREAKOUT, name=name), CANDLES)

    assert words in str(caught.value)


def test_a_failure_in_a_backtest_is_one_clear_error() -> None:
    closes = (*FLAT, 12.0, 1_001.0)

    with pytest.raises(StrategyError, match="raised ZeroDivisionError: a made failure"):
        Backtest({"BTC": series(*closes)}, with_own("tests.domain.foreign:Raises")).run()
