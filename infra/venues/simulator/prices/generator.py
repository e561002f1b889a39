"""Candles from a seed: regimes, fat tails, clustered volatility, correlated assets."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from domain.market.instruments import Instrument

CANDLE_MS = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The planned prices of a candle."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    """Volume in base units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Character:
    """The characteristics of one asset."""

    price: float
    """First price, USDT."""
    sigma: float
    """Usual standard deviation of a candle's log return."""
    turnover: float
    """Usual turnover of a candle, USDT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Regime:
    volatility: float
    """Factor on the usual sigma."""
    drift: float
    """Log return per candle in units of the usual sigma."""


_CHARACTERS = {
    "BTCUSDT": _Character(price=84_000.0, sigma=0.0012, turnover=15e6),
    "ETHUSDT": _Character(price=1_850.0, sigma=0.0018, turnover=9e6),
    "SOLUSDT": _Character(price=128.0, sigma=0.0022, turnover=4e6),
    "AVAXUSDT": _Character(price=20.0, sigma=0.0023, turnover=1.5e6),
    "ADAUSDT": _Character(price=0.65, sigma=0.0022, turnover=2e6),
    "XRPUSDT": _Character(price=2.1, sigma=0.0021, turnover=5e6),
    "DOGEUSDT": _Character(price=0.17, sigma=0.0024, turnover=4e6),
    "LINKUSDT": _Character(price=13.5, sigma=0.0022, turnover=1.5e6),
    "DOTUSDT": _Character(price=4.0, sigma=0.0022, turnover=1e6),
    "LTCUSDT": _Character(price=83.0, sigma=0.0019, turnover=1.2e6),
    "BNBUSDT": _Character(price=600.0, sigma=0.0014, turnover=2e6),
    "UNIUSDT": _Character(price=6.0, sigma=0.0024, turnover=8e5),
    "NEARUSDT": _Character(price=2.6, sigma=0.0025, turnover=8e5),
    "SUIUSDT": _Character(price=2.3, sigma=0.0027, turnover=3e6),
    "TRXUSDT": _Character(price=0.24, sigma=0.0012, turnover=8e5),
    "AAVEUSDT": _Character(price=165.0, sigma=0.0024, turnover=9e5),
    "BCHUSDT": _Character(price=310.0, sigma=0.002, turnover=8e5),
    "ATOMUSDT": _Character(price=4.3, sigma=0.0022, turnover=6e5),
    "MATICUSDT": _Character(price=0.2, sigma=0.0024, turnover=4e5),
    "OPUSDT": _Character(price=0.75, sigma=0.0027, turnover=7e5),
    "APEUSDT": _Character(price=0.45, sigma=0.0028, turnover=4e5),
}
_OTHER = _Character(price=10.0, sigma=0.0025, turnover=1e6)
_REGIMES = (
    _Regime(volatility=0.7, drift=0.0),
    _Regime(volatility=1.0, drift=0.06),
    _Regime(volatility=1.1, drift=-0.07),
    _Regime(volatility=2.3, drift=-0.02),
)
_SWITCH = 1 / 150
_SHARED = 0.85
"""Correlation of each asset with the market."""
_TAIL = 4
"""Degrees of freedom of the shocks."""
_FARTHEST = 0.06
"""Largest log return of a candle."""


@dataclass(slots=True)
class _Walker:
    """The random walk of one asset."""

    instrument: Instrument
    character: _Character
    price: Decimal
    heat: float = 1.0
    """Clustered variance, in units of the usual one."""


@dataclass(slots=True)
class CandleGenerator:
    """An endless series of candles per symbol: the same seed gives the same candles.

    Always true: a candle's open is the close before it, and the candles of `instruments` do not
    depend on which others there are.
    """

    instruments: Sequence[Instrument]
    seed: int
    others: Sequence[Instrument] = ()
    """Further instruments in the same market."""
    _chance: random.Random = field(init=False)
    _regime: _Regime = field(init=False)
    _walkers: dict[str, _Walker] = field(init=False)
    _others: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Start at the open of the first candle."""
        self._chance = random.Random(self.seed)  # noqa: S311 - a market, not a secret
        self._regime = _REGIMES[0]
        self._walkers = {}
        self._others = frozenset(instrument.symbol for instrument in self.others)
        for instrument in (*self.instruments, *self.others):
            character = _CHARACTERS.get(instrument.symbol, _OTHER)
            price = instrument.round_price_down(Decimal(str(character.price)))
            self._walkers[instrument.symbol] = _Walker(instrument, character, price)

    def state(self) -> dict[str, Any]:
        """Return everything that `resume` needs, as JSON values."""
        return {
            "chance": self._chance.getstate(),
            "regime": _REGIMES.index(self._regime),
            "walkers": {
                symbol: [str(walker.price), walker.heat] for symbol, walker in self._walkers.items()
            },
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Continue from the state of a generator with the same instruments."""
        version, internal, gauss_next = state["chance"]
        self._chance.setstate((version, tuple(internal), gauss_next))
        self._regime = _REGIMES[state["regime"]]
        for symbol, (price, heat) in state["walkers"].items():
            self._walkers[symbol].price, self._walkers[symbol].heat = Decimal(price), heat

    def step(self) -> dict[str, Plan]:
        """Return the next candle of each symbol."""
        if self._chance.random() < _SWITCH:
            self._regime = self._chance.choice(_REGIMES)
        shared = _shock(self._chance)
        return {
            symbol: self._walk(walker, shared, self._chance_of(symbol, walker))
            for symbol, walker in self._walkers.items()
        }

    def _chance_of(self, symbol: str, walker: _Walker) -> random.Random:
        """Return the random source of a symbol: for a further one nothing that all share."""
        if symbol not in self._others:
            return self._chance
        where = f"{self.seed}/{symbol}/{walker.price}/{walker.heat}"
        return random.Random(where)  # noqa: S311 - a market, not a secret

    def _walk(self, walker: _Walker, shared: float, chance: random.Random) -> Plan:
        shock = _SHARED * shared + math.sqrt(1 - _SHARED**2) * _shock(chance)
        sigma = walker.character.sigma * self._regime.volatility * math.sqrt(walker.heat)
        walker.heat = min(6.0, 0.93 * walker.heat + 0.07 * shock * shock)
        wanted = sigma * shock + walker.character.sigma * self._regime.drift
        moved = math.exp(max(-_FARTHEST, min(_FARTHEST, wanted)))
        opened = walker.price
        closed = self._tick(walker, opened, moved)
        above, below = (1 + sigma * abs(chance.gauss(0, 0.5)) for _ in range(2))
        high = max(opened, closed, self._tick(walker, max(opened, closed), above))
        low = min(opened, closed, self._tick(walker, min(opened, closed), 1 / below))
        walker.price = closed
        busy = math.exp(chance.gauss(0, 0.4)) * (0.5 + abs(shock)) * self._regime.volatility
        volume = Decimal(str(round(walker.character.turnover * busy / float(closed), 6)))
        step = walker.instrument.qty_step
        return Plan(
            open=opened,
            high=high,
            low=low,
            close=closed,
            volume=max(step * 10, walker.instrument.round_qty(volume)),
        )

    @staticmethod
    def _tick(walker: _Walker, price: Decimal, factor: float) -> Decimal:
        moved = walker.instrument.round_price_down(price * Decimal(str(factor)))
        return max(walker.instrument.tick_size * 10, moved)


def _shock(chance: random.Random) -> float:
    # Student's t with variance 1.
    spread = chance.gammavariate(_TAIL / 2, 2 / _TAIL)
    return chance.gauss(0, 1) / math.sqrt(spread) * math.sqrt((_TAIL - 2) / _TAIL)
