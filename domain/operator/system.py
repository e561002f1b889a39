"""The whole running system at one moment, as whoever watches it sees it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from domain.operator.wording import asker
from domain.portfolio.performance import Performances
from domain.portfolio.snapshots import AssetSnapshot, ExecutionSnapshot, PortfolioSnapshot


class SystemState(StrEnum):
    """What a system is in, least serious first."""

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
"""Actors that one line names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing that the operator must know at once."""

    state: SystemState
    """What it alone makes of the system; RUNNING where it keeps back less than that."""
    text: str
    until_ms: int | None = None
    """When it ends by itself, on the trading clock; None: not by itself."""


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
    """Of its present incarnation."""
    last_failure: str = ""
    """Why it was given up, or why its last incarnation ended; empty where none failed."""
    crash_id: str = ""
    """Of the last failure, as bin/trace takes it."""
    handled: int = 0
    """Messages since the process began."""
    p50_ms: float | None = None
    """How long the newest messages were worked on; None where there were none."""
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """One asset's prices as they come in."""

    asset: str
    age_s: float | None
    """Since its candles were last heard of, finished or not; None: not yet."""
    is_stale: bool
    """Older than the settings allow."""
    price: Decimal | None = None
    """The newest heard, quote per base; None: none since the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueLink:
    """One asset's ties to the exchange."""

    asset: str
    is_streaming: bool
    """A stream connection carries its candles."""
    orders_per_minute: float
    """Over the last minute."""
    request_p50_ms: float | None
    """How long the newest requests about it took; None where there were none lately."""
    request_p99_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSnapshot:
    """All actors, and the newest answers of those that answer with a snapshot."""

    actors: tuple[ActorState, ...]
    dead_letters: int
    """Messages set aside since the process began."""
    portfolio: PortfolioSnapshot | None
    """None where it did not answer this time."""
    assets: Mapping[str, AssetSnapshot] = field(default_factory=dict)
    """By asset, as are the executions; the newest answer of each, whenever it came."""
    executions: Mapping[str, ExecutionSnapshot] = field(default_factory=dict)
    set_aside: int = 0
    """Those that wait for the operator, also of earlier processes."""
    mode: str = ""
    account: str = ""
    """Where orders go, in words."""
    started_ms: int = 0
    now_ms: int = 0
    """The trading clock when it was made: the exchange's time."""
    machine_ms: int = 0
    """This machine's clock when it was made, since 1970."""
    feeds: Mapping[str, FeedState] = field(default_factory=dict)
    """By asset; none in a replay."""
    links: Mapping[str, VenueLink] = field(default_factory=dict)
    """By asset; none in a replay."""
    performance: Performances = field(default_factory=Performances)
    """Of all facts of the run; the newest look at them."""
    unknown_orders: int = 0
    """Orders of which it is not known yet whether the exchange accepted them."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """Why channels of notifications do not work, by channel."""
    health: Mapping[str, str] = field(default_factory=dict)
    """Figures of the process and its surroundings, by name."""

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """What keeps the system from trading all it could, or endangers it; worst first."""
        found = [*_portfolio_reasons(self), *_feed_reasons(self), *_danger_reasons(self)]
        return tuple(sorted(found, key=lambda reason: -_SERIOUS[reason.state]))

    @property
    def state(self) -> SystemState:
        """The most serious state that any reason makes."""
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
    """Return one line, however many there are: a start has all of them for a moment."""
    if len(addresses) == 1:
        return f"{addresses[0]} does not run"
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
