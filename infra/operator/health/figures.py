"""All figures of one look at a running system."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.operator.system import ActorState, VenueLink
from domain.portfolio.metrics import PortfolioMetrics
from domain.portfolio.performance import Performances
from domain.portfolio.snapshots import PortfolioSnapshot
from infra.net.stream_stats import StreamStats
from infra.operator.health.machine import Machine
from infra.store.books import Books
from infra.venues.bybit.http.meter import RequestStats


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFigures:
    """One asset's market data."""

    asset: str
    feed_age_s: float | None
    """Since its candles were last heard of, finished or not; None: not yet."""
    last_candle_ms: int | None
    """Close of the newest candle that was decided on; the exchange's time."""
    candle_age_s: float | None
    """Since that close, on the machine's clock; not negative."""
    is_unprotected: bool | None
    """Its position has no stop; None where its execution has not answered yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFigures:
    """The backup of the journal."""

    complete_s: float
    """When it had all facts last, seconds since 1970; the start, if it never had."""
    trouble: str
    """Why it does not get on; empty where nothing is known to be wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One look. Money is quote."""

    mode: str
    at_s: float
    """When, seconds since 1970 on this machine's clock."""
    machine: Machine
    journal_bytes: int
    connections: int
    """To the journal, of this process."""
    trace_bytes: int
    actors: Sequence[ActorState]
    dead_letters: int
    assets: Sequence[AssetFigures]
    portfolio: PortfolioSnapshot | None
    """None where it does not answer."""
    money: PortfolioMetrics | None
    """Of it."""
    books: Books
    orders_per_minute: float
    performance: Performances
    links: Mapping[str, VenueLink]
    """By asset."""
    requests: RequestStats
    streams: Sequence[StreamStats]
    refused: Mapping[tuple[str, str], int]
    """How much of what came from outside was not what it should be, by source and kind."""
    is_clock_known: bool
    """The exchange's time was measured, and nobody doubts it."""
    clock_offset_s: float | None
    """The exchange's time minus the machine's; None until measured.

    At a simulated exchange of another speed: how far they have parted since the start."""
    accesses: Mapping[int, int] = field(default_factory=dict)
    """Requests to the control interface by HTTP status."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """Why channels take no notices or give no commands, by channel."""
    backup: BackupFigures | None = None
    """None: there is to be no backup."""

    @property
    def unprotected(self) -> int:
        """How many positions have no stop."""
        return sum(asset.is_unprotected is True for asset in self.assets)
