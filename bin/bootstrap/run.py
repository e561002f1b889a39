"""A run that was put together: its actors, and the outer world that they were given."""

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
"""Of the time of a stop: for the actors, then for what the channels still carry."""
_MEMBER_S = 5.0
"""How long an incarnation is waited for where a pair joins or leaves."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The outer world, as the actors of one run get it."""

    feed: Feed
    exchange: Exchange
    clock: Clock
    journals: JournalStore
    wallet: Wallet | None = None
    """None in a replay, where no money comes or goes."""


@dataclass(kw_only=True)
class Run(Runtime):
    """The actors of one run with the outer world that they were given."""

    ports: Ports
    recorder: TraceRecorder | None
    channels: Channels
    asking: ReconcilePace = REPLAY_PACE
    unknown: tuple[str, ...] = ()
    """Assets that were open at the exchange while the journal knew of nothing."""
    facts_until_ms: int | None = None
    """When the newest fact was stored before this process; None: none was."""
    checks: LiveChecks | None = None
    """What the portfolio looks at between closes; nothing in a replay."""
    telling: NoticePace = USUAL_PACE
    inbox: Inbox | None = None
    """Where the admin's messages go; nobody reads them in a replay."""
    health: Callable[[], Mapping[str, str]] | None = None
    """Figures of the process and its surroundings, by name; None: nobody looks."""
    warnings: tuple[str, ...] = ()
    """What the operator should know of the account; told at the start."""
    meter: Meter | None = None
    """Counts the messages; None: nobody does."""
    inspector: Inspector = field(init=False)
    """What all who watch the run see of it."""

    def __post_init__(self) -> None:
        """Let those who watch look at it."""
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
        """Start the actors of one asset more; all others but portfolio and notifier live on.

        Args:
            rules: that have it.
            asset: that joins.

        Returns:
            Whether all were ready in time; if not, they are tried on.
        """
        added = (execution_name(asset), asset_name(asset))
        for name in added:
            self.system.expect(name)
        specs = self._take_rules(rules)
        is_ready = self._renew(PORTFOLIO)
        is_ready &= self.supervisor.add([specs[name] for name in added], _MEMBER_S)
        return self._renew(NOTIFIER) and is_ready

    def leave(self, rules: TradingRules, asset: str) -> bool:
        """End the actors of an asset that is flat; as `join`, with rules that have it no more."""
        removed = (asset_name(asset), execution_name(asset))
        self.system.removed.update(removed)
        self._take_rules(rules)
        is_ready = self._renew(PORTFOLIO)
        for name in removed:
            is_ready &= self.supervisor.remove(name, _MEMBER_S)
        return self._renew(NOTIFIER) and is_ready

    def _take_rules(self, rules: TradingRules) -> dict[str, ChildSpec]:
        """Give all incarnations that begin from now on other rules, and return these."""
        self.rules = rules
        specs = {spec.address: spec for spec in child_specs(self._parts())}
        if self.recorder is not None:
            # In the order in which what is told to all is told.
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
        """Let other kinds and times of notices hold, and look whether a report is due by them."""
        self.channels.change(settings.notifications)
        self.system.address(NOTIFIER).tell(ReportDue(), sender="runtime")

    def stop(self, timeout_s: float) -> None:
        """Stop all actors in order, and leave behind those that hang.

        Args:
            timeout_s: for the whole stop; what is left of it is for the connections.
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
