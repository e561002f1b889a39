"""Strategies of a user's own, most of which break their contract in one way each."""
# ruff: noqa: ARG002, RUF012 - they stand for what users write

import itertools
import random
from dataclasses import replace

import numpy as np

from domain.market.instruments import Side
from domain.strategies.base import Evaluation, Strategy, Value
from domain.strategies.explanation import Condition
from examples.own_strategy import Breakout

HOLDS = Condition(name="one", figure=1, limit=1, holds=True)


class Changed(Breakout):
    """Answers like its parent but for the fields of `change`, once a signal is there."""

    change: dict = {}

    def evaluate(self):
        return replace(super().evaluate(), **self.change)


class ChangedSignal(Breakout):
    change: dict = {}

    def evaluate(self):
        found = super().evaluate()
        if found.signal is None:
            return found
        return replace(found, signal=replace(found.signal, **self.change))


class NanStrength(ChangedSignal):
    change = {"strength": float("nan")}


class TextStrength(ChangedSignal):
    change = {"strength": "high"}


class OtherSide(ChangedSignal):
    change = {"side": Side.SELL}


class OffTheGrid(ChangedSignal):
    change = {"signal_ms": 1}


class EndlessAge(ChangedSignal):
    change = {"max_age_ms": float("inf")}


class FutureSignal(Breakout):
    def evaluate(self):
        found = super().evaluate()
        if found.signal is None:
            return found
        future = self.t_ms + self.candles.candle_ms
        return replace(found, signal=replace(found.signal, signal_ms=future))


class NoRegime(Changed):
    change = {"regime": ()}


class ListedRegime(Changed):
    change = {"regime": [HOLDS]}


class NanCondition(Changed):
    change = {"regime": (HOLDS._replace(figure=float("nan")),)}


class MaybeHolds(Changed):
    change = {"regime": (HOLDS._replace(holds=1),)}


class ControlText(Changed):
    change = {"note": "\x1b[2J"}


class NoEvaluation(Breakout):
    def evaluate(self):
        return None


class NanValue(Breakout):
    def evaluate(self):
        found = super().evaluate()
        return replace(found, values=(replace(found.values[0], figure=float("nan")),))


class ListOfSignals(Breakout):
    def fold(self, candle, before_ms):
        return list(super().fold(candle, before_ms))


class SignalsInTheWarmUp(Breakout):
    @property
    def is_warm(self):
        return True


class Raises(Breakout):
    """Fails at a close whose price is above 1,000."""

    def fold(self, candle, before_ms):
        if candle.close > 1_000:
            raise ZeroDivisionError("a made failure")
        return super().fold(candle, before_ms)


class Exits(Breakout):
    def evaluate(self):
        raise SystemExit(0)


class NumpyNumbers(Breakout):
    def evaluate(self):
        found = super().evaluate()
        regime = tuple(each._replace(figure=np.float64(each.figure)) for each in found.regime)
        values = tuple(replace(each, figure=np.float64(each.figure)) for each in found.values)
        signal = found.signal and replace(found.signal, strength=np.float64(found.signal.strength))
        return replace(found, regime=regime, values=values, signal=signal)


class RaisesWhenShown(Breakout):
    class OddError(Exception):
        def __str__(self):
            raise ValueError("no text")

    def fold(self, candle, before_ms):
        raise self.OddError


class Loops(Breakout):
    """Never ends at a close whose price is above 1,000."""

    def fold(self, candle, before_ms):
        while candle.close > 1_000:
            pass
        return super().fold(candle, before_ms)


class Remembers(Breakout):
    """Counts over all its lives."""

    counter = itertools.count()

    def evaluate(self):
        found = super().evaluate()
        return replace(found, note=str(next(self.counter)))


class Guesses(Breakout):
    def evaluate(self):
        return replace(super().evaluate(), note=str(random.random()))


class OtherRefold(Breakout):
    """Folds a series at once otherwise than candle by candle."""

    def refold(self, series):
        super().refold(series.until(int(series.open_time_ms[-1])))
        self.t_ms = int(series.open_time_ms[-1]) + series.candle_ms


class NeedsMore(Strategy):
    """Has a parameter that is not given."""

    side = Side.BUY

    def __init__(self, parameters, candles):
        super().__init__(parameters, candles)
        parameters["missing"]

    def fold(self, candle, before_ms):
        return ()

    def evaluate(self):
        return Evaluation(regime=(HOLDS,), values=())


class Quiet(Strategy):
    """Signals nothing, and comes to `at_trouble` at close number 100."""

    side = Side.BUY
    is_in_trouble = False

    def fold(self, candle, before_ms):
        if self.closes_seen >= 100:
            self.at_trouble()
        return ()

    def evaluate(self):
        figure = float("nan") if self.is_in_trouble else 1.0
        return Evaluation(
            regime=(HOLDS._replace(holds=False),),
            values=(Value(name="one", label="one", figure=figure),),
        )

    def at_trouble(self):
        pass


class QuietRaises(Quiet):
    def at_trouble(self):
        raise ZeroDivisionError("a made failure")


class QuietExits(Quiet):
    def at_trouble(self):
        raise SystemExit(3)


class QuietLoops(Quiet):
    def at_trouble(self):
        while True:
            try:
                sum(range(100))
            except Exception:  # noqa: BLE001 (as careless loops do)
                continue


class QuietNan(Quiet):
    def at_trouble(self):
        self.is_in_trouble = True
