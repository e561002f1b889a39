"""All figures of one sample of a running system."""

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
    """Time since the last candle update, closed or not; None: none yet."""
    last_candle_ms: int | None
    """Close time of the newest candle with a decision; the exchange's time."""
    candle_age_s: float | None
    """Time since that close, by the machine's clock; not negative."""
    is_unprotected: bool | None
    """Whether its position has no stop; None if its execution has not answered yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFigures:
    """The backup of the journal."""

    complete_s: float
    """When it last had all facts, seconds since 1970; the start if it never had."""
    trouble: str
    """Why it cannot proceed; empty if nothing is known to be wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One sample. Money is in the quote currency."""

    mode: str
    at_s: float
    """Time of the sample, seconds since 1970 by this machine's clock."""
    machine: Machine
    journal_bytes: int
    connections: int
    """Connections of this process to the journal."""
    trace_bytes: int
    actors: Sequence[ActorState]
    dead_letters: int
    assets: Sequence[AssetFigures]
    portfolio: PortfolioSnapshot | None
    """None if it does not answer."""
    money: PortfolioMetrics | None
    """Of the portfolio."""
    books: Books
    orders_per_minute: float
    performance: Performances
    links: Mapping[str, VenueLink]
    """By asset."""
    requests: RequestStats
    streams: Sequence[StreamStats]
    refused: Mapping[tuple[str, str], int]
    """Number of unreadable items from outside, by source and kind."""
    is_clock_known: bool
    """Whether the exchange's time is measured and trusted."""
    clock_offset_s: float | None
    """The exchange's time minus the machine's; None until measured.

    At a simulated exchange of another speed: how far they have drifted apart since the start."""
    accesses: Mapping[int, int] = field(default_factory=dict)
    """Requests to the control interface by HTTP status."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """Why channels accept no notices or deliver no commands, by channel."""
    backup: BackupFigures | None = None
    """None: no backup is configured."""

    @property
    def unprotected(self) -> int:
        """How many positions have no stop."""
        return sum(asset.is_unprotected is True for asset in self.assets)
