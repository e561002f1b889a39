"""The options of an exchange."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from domain.market.instruments import Instrument
from domain.rules import FillRules
from infra.venues.simulator.faults.spec import FaultSpec
from infra.venues.simulator.gate import DEFAULT_KEYS, IP_LIMIT, Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorOptions:
    """The options of an exchange."""

    instruments: Sequence[Instrument]
    others: Sequence[Instrument] = ()
    """Further symbols listed by a generated market, without changing the others' candles."""
    fills: FillRules
    port: int = 0
    speed: float | None = 1.0
    """Exchange seconds per real second; None: lock-step."""
    walked: frozenset[str] = frozenset()
    """Symbols whose candles lock-step goes through price by price, as trailing stops require."""
    seed: int = 0
    candles: Path | None = None
    """Folder of candle files; None: the market is generated from the seed."""
    from_ms: int | None = None
    """Earliest open time of the files' candles."""
    to_ms: int | None = None
    """Latest close time of the files' candles."""
    history: int = 3_500
    """Closed candles at the start; fewer if the files have less than twice as many."""
    start_ms: int | None = None
    """When a generated market starts; None: now."""
    faults: Sequence[FaultSpec] = ()
    keys: Keys = DEFAULT_KEYS
    state: Path | None = None
    """State file that the exchange continues from and writes to."""
    kept: int = 5_000
    """Number of closed orders, transactions and records of stops that the file keeps; it is
    rewritten once it has eight times as many lines."""
    book_size: Decimal = Decimal(20)
    """Size at each level of the book, in smallest orders."""
    crash_after: int | None = None
    """Number of the candle after the start in which every price crashes; None: none."""
    record: Path | None = None
    """File that all traffic is recorded to."""
    ip_limit: int = IP_LIMIT
    """Requests per address in five seconds before it is banned; 0: unlimited."""
    checks_time: bool | None = None
    """Whether request timestamps are checked; None: only if the clock runs by itself."""

    @property
    def listed(self) -> Sequence[Instrument]:
        """All tradable symbols."""
        return (*self.instruments, *(() if self.candles is not None else self.others))
