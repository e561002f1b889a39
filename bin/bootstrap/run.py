"""An assembled run: its actors and their ports."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from loguru import logger

from actors.children import Parts
from actors.core.supervisor import ChildSpec
from actors.messages import ReportDue, SystemStopping
from actors.names import NOTIFIER, PORTFOLIO, asset_name, execution_name
from actors.operator.inspector import Inspector
from actors.operator.meter import Meter
from actors.pace import REPLAY_PACE, USUAL_PACE, NoticePace, ReconcilePace
from actors.ports import Clock, Exchange, Feed, Wallet
from actors.runtime import Runtime
from actors.watch import LiveChecks
from bin.bootstrap.children import child_specs
from domain.rules import TradingRules
from infra.operator.notices.channels import Channels
from infra.operator.notices.inbox import Inbox
from infra.settings import Settings
from infra.store.journal import JournalStore
from infra.trace.recorder import TraceRecorder
from infra.trace.recording import describe

_ACTORS_SHARE, _LAST_WORDS_SHARE = 0.6, 0.2
"""Fractions of the time of a stop: for the actors, then for the channels to send what waits."""
_MEMBER_S = 5.0
"""How long to wait for an incarnation when a pair joins or leaves."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The outer world, as the actors of one run see it."""

    feed: Feed
    exchange: Exchange
    clock: Clock
    journals: JournalStore
    wallet: Wallet | None = None
    """None in a replay, where no money is paid in or out."""


@dataclass(kw_only=True)
class Run(Runtime):
    """The actors of one run, with their ports."""

    ports: Ports
    recorder: TraceRecorder | None
    channels: Channels
    asking: ReconcilePace = REPLAY_PACE
    unknown: tuple[str, ...] = ()
    """Assets with a position at the exchange at the start of which the journal knew nothing."""
    facts_until_ms: int | None = None
    """When an earlier process stored the newest fact; None: no facts were stored."""
    checks: LiveChecks | None = None
    """What the portfolio looks at between closes; nothing in a replay."""
    telling: NoticePace = USUAL_PACE
    inbox: Inbox | None = None
    """Where the admin's messages go; not read in a replay."""
    health: Callable[[], Mapping[str, str]] | None = None
    """Figures of the process and its surroundings, by name; None: not measured."""
    warnings: tuple[str, ...] = ()
    """What the operator should know about the account; logged at the start."""
    meter: Meter | None = None
    """Counts the messages; None: they are not counted."""
    inspector: Inspector = field(init=False)
    """What every view of the run is made from."""

    def __post_init__(self) -> None:
        """Connect the shared snapshot to the run."""
        self.inspector = Inspector(self, self.meter)

    def start(self) -> None:
        """Start all actors and channels."""
        specs = child_specs(self._parts())
        if self.recorder is not None:
            self.recorder.start(describe(specs))
        self.supervisor.start(specs)
        self.channels.start()
        for warning in self.warnings:
            self._warn(warning)

    def join(self, rules: TradingRules, asset: str) -> bool:
        """Start the actors of another asset; all others except portfolio and notifier keep running.

        Args:
            rules: with the asset.
            asset: that joins.

        Returns:
            Whether all were ready in time; if not, they are still restarted.
        """
        added = (execution_name(asset), asset_name(asset))
        for name in added:
            self.system.expect(name)
        specs = self._take_rules(rules)
        is_ready = self._renew(PORTFOLIO)
        is_ready &= self.supervisor.add([specs[name] for name in added], _MEMBER_S)
        return self._renew(NOTIFIER) and is_ready

    def leave(self, rules: TradingRules, asset: str) -> bool:
        """Stop the actors of a flat asset; like `join`, with rules without the asset."""
        removed = (asset_name(asset), execution_name(asset))
        self.system.removed.update(removed)
        self._take_rules(rules)
        is_ready = self._renew(PORTFOLIO)
        for name in removed:
            is_ready &= self.supervisor.remove(name, _MEMBER_S)
        return self._renew(NOTIFIER) and is_ready

    def _take_rules(self, rules: TradingRules) -> dict[str, ChildSpec]:
        """Set the rules of all incarnations that start from now on, and return them."""
        self.rules = rules
        specs = {spec.address: spec for spec in child_specs(self._parts())}
        if self.recorder is not None:
            # In the order in which messages to all actors are sent.
            known = (each.name for each in self.system.addresses() if each.name in specs)
            self.recorder.describe(describe(specs[name] for name in known), _MEMBER_S)
        present = {child.spec.address for child in self.supervisor.children()}
        self.supervisor.revise([spec for name, spec in specs.items() if name in present])
        return specs

    def _renew(self, address: str) -> bool:
        return self.supervisor.restart(address, _MEMBER_S)

    def _parts(self) -> Parts:
        ports = self.ports
        return Parts(
            rules=self.rules,
            info=self.info,
            feed=ports.feed,
            exchange=ports.exchange,
            clock=ports.clock,
            journals=ports.journals,
            outboxes=self.channels.outboxes,
            wallet=ports.wallet,
            asking=self.asking,
            unknown=self.unknown,
            facts_until_ms=self.facts_until_ms,
            checks=self.checks,
            telling=self.telling,
        )

    def _warn(self, warning: str) -> None:
        key = f"account/{warning}/{self.info.started_ms}"
        self.tell_operator(key, "Check the account", warning)

    def change(self, settings: Settings) -> None:
        """Apply other kinds and times of notices, and check whether a report is due by them."""
        self.channels.change(settings.notifications)
        self.system.address(NOTIFIER).tell(ReportDue(), sender="runtime")

    def stop(self, timeout_s: float) -> None:
        """Stop all actors in order, and abandon those that hang.

        Args:
            timeout_s: for the whole stop; what remains of it is for the connections.
        """
        escalated = self.supervisor.escalated.is_set()
        why = "an actor that everything depends on was given up" if escalated else "asked to stop"
        self.system.address(NOTIFIER).tell(SystemStopping(why=why), sender="runtime")
        late = self.supervisor.stop(timeout_s * _ACTORS_SHARE)
        if late:
            logger.warning("did not stop in time and were abandoned: {}", ", ".join(late))
        if self.recorder is not None:
            self.recorder.close()
        self.channels.close(timeout_s * _LAST_WORDS_SHARE)
        self.ports.journals.reserve.close()
