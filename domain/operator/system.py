"""The whole running system at one moment, as whoever watches it sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.portfolio.snapshots import AssetSnapshot, ExecutionSnapshot, PortfolioSnapshot


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
    """How long the oldest of them has waited; 0 where none waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSnapshot:
    """All actors, and the newest answers of those that answer with a snapshot."""

    actors: tuple[ActorState, ...]
    dead_letters: int
    portfolio: PortfolioSnapshot | None
    """None where it did not answer this time."""
    assets: Mapping[str, AssetSnapshot] = field(default_factory=dict)
    """By asset, as are the executions; the newest answer of each, whenever it came."""
    executions: Mapping[str, ExecutionSnapshot] = field(default_factory=dict)
