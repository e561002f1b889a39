"""A snapshot of the whole running system, which every view is made from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from domain.operator.wording import asker
from domain.portfolio.performance import Performances
from domain.portfolio.snapshots import AssetSnapshot, ExecutionSnapshot, PortfolioSnapshot


class SystemState(StrEnum):
    """States of the system, least serious first."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    """The operator lets no asset open anything."""
    COOLDOWN = "COOLDOWN"
    MALFUNCTION = "MALFUNCTION"
    """Something is broken, so that nothing is opened."""
    STALE = "STALE"
    """Prices are older than the settings allow."""
    HALTED = "HALTED"
    PANIC = "PANIC"
    DOWN = "DOWN"
    """The portfolio does not answer."""


_SERIOUS = {state: rank for rank, state in enumerate(SystemState)}
_NAMED = 3
"""Most actors that one line names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing that the operator must know at once."""

    state: SystemState
    """The state of the system by this reason alone; RUNNING if it restricts less than a pause."""
    text: str
    until_ms: int | None = None
    """When it ends by itself, by the trading clock; None: not by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorState:
    """One actor and its mailbox."""

    address: str
    is_running: bool
    is_given_up: bool
    restarts: int
    depth: int
    """Messages that wait."""
    oldest_s: float
    """How long the oldest of them has waited; 0 if none waits."""
    status: str = ""
    """STARTING, RUNNING, WAITING (for its restart), GIVEN_UP, STOPPED."""
    generation: int = 0
    """Of its current incarnation."""
    last_failure: str = ""
    """Why it was given up, or why its last incarnation ended; empty: none failed."""
    crash_id: str = ""
    """Crash id of the last failure, for bin/trace."""
    handled: int = 0
    """Messages since the process began."""
    p50_ms: float | None = None
    """How long handling the newest messages took; None: there were none."""
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """One asset's price feed."""

    asset: str
    age_s: float | None
    """Time since its last candle update, finished or not; None: none yet."""
    is_stale: bool
    """Older than the settings allow."""
    price: Decimal | None = None
    """The newest price, quote per base; None: none since the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueLink:
    """One asset's connection to the exchange."""

    asset: str
    is_streaming: bool
    """A stream connection carries its candles."""
    orders_per_minute: float
    """Orders over the last minute."""
    request_p50_ms: float | None
    """How long the newest requests about it took; None: there were none lately."""
    request_p99_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSnapshot:
    """All actors, and the newest snapshots of those that give one."""

    actors: tuple[ActorState, ...]
    dead_letters: int
    """Messages set aside since the process began."""
    portfolio: PortfolioSnapshot | None
    """None: it did not answer this time."""
    assets: Mapping[str, AssetSnapshot] = field(default_factory=dict)
    """By asset, as are the executions; the newest answer of each, whenever it came."""
    executions: Mapping[str, ExecutionSnapshot] = field(default_factory=dict)
    set_aside: int = 0
    """Those that wait for the operator, earlier processes included."""
    mode: str = ""
    account: str = ""
    """Where orders go, in words."""
    started_ms: int = 0
    now_ms: int = 0
    """Time by the trading clock, the exchange's, when it was made."""
    machine_ms: int = 0
    """Time by this machine's clock when it was made, since 1970."""
    feeds: Mapping[str, FeedState] = field(default_factory=dict)
    """By asset; none in a replay."""
    links: Mapping[str, VenueLink] = field(default_factory=dict)
    """By asset; none in a replay."""
    performance: Performances = field(default_factory=Performances)
    """Of all facts of the run, when it was last computed."""
    unknown_orders: int = 0
    """Orders that the exchange may or may not have accepted."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """Why notification channels do not work, by channel."""
    health: Mapping[str, str] = field(default_factory=dict)
    """Figures of the process and its surroundings, by name."""

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """What restricts or endangers trading; worst first."""
        found = [*_portfolio_reasons(self), *_feed_reasons(self), *_danger_reasons(self)]
        return tuple(sorted(found, key=lambda reason: -_SERIOUS[reason.state]))

    @property
    def state(self) -> SystemState:
        """The most serious state among the reasons."""
        return next((reason.state for reason in self.reasons), SystemState.RUNNING)


def _portfolio_reasons(seen: SystemSnapshot) -> Iterator[Reason]:
    portfolio = seen.portfolio
    if portfolio is None:
        yield Reason(state=SystemState.DOWN, text="the portfolio does not answer")
        return
    if portfolio.panic_since_ms is not None:
        waits = ", ".join(sorted(portfolio.not_flat))
        flat = f"not yet flat: {waits}" if waits else "all flat at the exchange"
        text = f"PANIC by {asker(portfolio.panic_by)} until rearm; {flat}"
        yield Reason(state=SystemState.PANIC, text=text)
    if portfolio.is_halted:
        yield Reason(state=SystemState.HALTED, text="HALTED until rearm")
    if portfolio.outdated:
        yield Reason(state=SystemState.MALFUNCTION, text=f"older journal: {portfolio.outdated}")
    for detail in portfolio.malfunctions.values():
        yield Reason(state=SystemState.MALFUNCTION, text=detail)
    if portfolio.global_cooldown_end_ms > seen.now_ms:
        text = portfolio.global_cooldown_reason
        until_ms = portfolio.global_cooldown_end_ms
        yield Reason(state=SystemState.COOLDOWN, text=text, until_ms=until_ms)
    if portfolio.paused:
        is_all = set(seen.assets) <= set(portfolio.paused)
        state = SystemState.PAUSED if is_all else SystemState.RUNNING
        yield Reason(state=state, text=f"paused: {', '.join(sorted(portfolio.paused))}")
    if portfolio.is_reduced:
        yield Reason(state=SystemState.RUNNING, text="entries at reduced size")


def _feed_reasons(seen: SystemSnapshot) -> Iterator[Reason]:
    stale = [feed for feed in seen.feeds.values() if feed.is_stale]
    if stale:
        oldest_s = max(feed.age_s or 0.0 for feed in stale)
        names = ", ".join(feed.asset for feed in stale)
        yield Reason(state=SystemState.STALE, text=f"no prices of {names} for {oldest_s:.0f} s")


def _not_running(addresses: Sequence[str]) -> str:
    """Return one line for any number of actors: for a moment at a start none is running."""
    if len(addresses) == 1:
        return f"{addresses[0]} is not running"
    named, left = addresses[:_NAMED], len(addresses) - _NAMED
    more = f" and {left} more" if left > 0 else ""
    return f"{len(addresses)} actors are not running: {', '.join(named)}{more}"


def _danger_reasons(seen: SystemSnapshot) -> Iterator[Reason]:
    bare = [asset for asset, one in seen.executions.items() if one.is_unprotected]
    if bare:
        text = f"position without a stop: {', '.join(sorted(bare))}"
        yield Reason(state=SystemState.MALFUNCTION, text=text)
    if seen.unknown_orders:
        text = f"orders with an unknown outcome: {seen.unknown_orders}"
        yield Reason(state=SystemState.MALFUNCTION, text=text)
    for actor in seen.actors:
        if actor.is_given_up:
            text = f"{actor.address} was given up: {actor.last_failure}"
            yield Reason(state=SystemState.RUNNING, text=text)
    if resting := [a.address for a in seen.actors if not (a.is_running or a.is_given_up)]:
        yield Reason(state=SystemState.RUNNING, text=_not_running(resting))
    for channel, why in seen.troubles.items():
        yield Reason(state=SystemState.RUNNING, text=f"{channel} does not work: {why}")
