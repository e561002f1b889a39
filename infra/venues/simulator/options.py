"""What an exchange is made of."""

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
    """What an exchange is made of."""

    instruments: Sequence[Instrument]
    others: Sequence[Instrument] = ()
    """More that a market from the seed lists, without any change of what it is without them."""
    fills: FillRules
    port: int = 0
    speed: float | None = 1.0
    """Exchange seconds per real second; None: lock-step."""
    walked: frozenset[str] = frozenset()
    """Symbols through whose candles lock-step goes price by price, as trailing stops need."""
    seed: int = 0
    candles: Path | None = None
    """Folder of candle files; None: the market comes from the seed."""
    from_ms: int | None = None
    """Lowest open time of the files' candles."""
    to_ms: int | None = None
    """Highest close time of the files' candles."""
    history: int = 3_500
    """Closed candles at the start; fewer where the files have less than twice as many."""
    start_ms: int | None = None
    """When a generated market starts; None: now."""
    faults: Sequence[FaultSpec] = ()
    keys: Keys = DEFAULT_KEYS
    state: Path | None = None
    """File that the exchange goes on from, and is kept in."""
    kept: int = 5_000
    """Closed orders, transactions and records of stops that the file keeps; it is rewritten once
    it has eight times as many lines."""
    book_size: Decimal = Decimal(20)
    """At each level of the book, in smallest orders."""
    crash_after: int | None = None
    """Candles after the start in which every price crashes; None: none does."""
    record: Path | None = None
    """File that takes all traffic."""
    ip_limit: int = IP_LIMIT
    """Requests of one address in five seconds before it is shut out; 0: never."""
    checks_time: bool | None = None
    """Whether a request's timestamp must fit; None: only where the clock runs by itself."""

    @property
    def listed(self) -> Sequence[Instrument]:
        """All that can be traded there."""
        return (*self.instruments, *(() if self.candles is not None else self.others))
