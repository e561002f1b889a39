"""A user's own strategy, checked against the contract at every close.

Whatever it raises, or returns against the contract, becomes one `StrategyError`, which names the
strategy, the close and what is wrong.
"""

from collections.abc import Callable
from typing import TypeVar

from domain.errors import StrategyError
from domain.market.candles import CandleSeries
from domain.market.instruments import Candle, Side
from domain.strategies.base import CandleRules, Evaluation, Strategy, StrategySpec
from domain.strategies.contract import At, is_tuple_of, problems, show_close, with_plain_numbers
from domain.text import plain

_LONGEST_CAUSE = 300
"""Characters."""

Answer = TypeVar("Answer")


class Guarded(Strategy):
    """Delegates to the strategy, and raises an error if a result breaks the contract."""

    def __init__(self, kind: type[Strategy], spec: StrategySpec, candles: CandleRules) -> None:
        """Make the strategy.

        Raises:
            StrategyError: it cannot be created with these parameters.
        """
        super().__init__(spec.parameters, candles)
        self._kind, self._spec = kind, spec
        self._found: Evaluation | None = None
        """Evaluation of the newest close, once it was requested."""
        self._newest_signal_ms = 0
        self._inner = self.call(lambda: kind(spec.parameters, candles))
        self.side = self.call(lambda: Side(self._inner.side))
        self.version = str(self._inner.version)
        self.exits_when_inactive = bool(self._inner.exits_when_inactive)

    def fold(self, candle: Candle, before_ms: int | None) -> tuple[str, ...]:  # noqa: ARG002
        """Fold one more candle and return what it signaled."""
        self._found = None
        made = self.call(lambda: self._inner.apply(candle))
        if not is_tuple_of(made, str):
            raise self._broken(self.call(lambda: f"fold to return a tuple of str, found {made!r}"))
        return made

    def evaluate(self) -> Evaluation:
        """Return the strategy's evaluation of the newest close, which is computed once."""
        if self._found is None:
            found = self.call(self._inner.evaluate)
            problem = self.call(lambda: next(problems(found, self._at()), None))
            if problem is not None:
                raise self._broken(problem)
            if found.signal is not None:
                self._newest_signal_ms = found.signal.signal_ms
            self._found = with_plain_numbers(found)
        return self._found

    def refold(self, series: CandleSeries) -> None:
        """Fold a series twice, at once and one by one: a pure strategy ends in the same state.

        Raises:
            StrategyError: it does not, or it breaks its contract on the way.
        """
        if not len(series):
            return
        again = Guarded(self._kind, self._spec, self.candles)
        for i in range(len(series)):
            again.apply(series.candle(i))
            again.evaluate()
        self._found = None
        self.t_ms, self.closes_seen = again.t_ms, again.closes_seen
        self.call(lambda: self._inner.refold(series))
        if self.evaluate() != again.evaluate():
            raise self._broken(
                "the same decision whenever the same candles are folded, found two: "
                f"{self.evaluate()} and {again.evaluate()}"
            )

    def call(self, ask: Callable[[], Answer]) -> Answer:
        """Return what a method of the strategy returns; all of its code runs in here.

        Raises:
            StrategyError: it raised an error.
        """
        try:
            return ask()
        except (Exception, SystemExit) as error:
            raise StrategyError(self._sentence(f"raised {_cause(error)}")) from error

    def _at(self) -> At:
        return At(
            t_ms=self.t_ms or 0,
            candle_ms=self.candles.candle_ms,
            closes_after_warmup=self.closes_seen - self.candles.warmup_candles,
            newest_signal_ms=self._newest_signal_ms,
            side=self.side,
        )

    def _broken(self, expected: str) -> StrategyError:
        return StrategyError(self._sentence(f"expected {_short(expected)}"))

    def _sentence(self, what: str) -> str:
        at = "at its start" if self.t_ms is None else f"at the close of {show_close(self.t_ms)}"
        return f"strategy {self._spec.name}, {at}: {what}"


def _cause(error: BaseException) -> str:
    try:
        return _short(f"{type(error).__name__}: {error}")
    except Exception:  # noqa: BLE001 (its text is the user's code as well)
        return type(error).__name__


def _short(text: str) -> str:
    shown = plain(text)
    return shown if len(shown) <= _LONGEST_CAUSE else f"{shown[: _LONGEST_CAUSE - 3]}..."
