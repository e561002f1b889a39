"""The actors of a run, and what each is constructed with."""

from dataclasses import dataclass, replace

from actors.account import AccountActor
from actors.asset import AssetActor
from actors.core.supervisor import ChildSpec
from actors.execution.actor import ExecutionActor
from actors.names import ACCOUNT, NOTIFIER, PORTFOLIO, asset_name, execution_name
from actors.notifier import NotifierActor
from actors.pace import NoticePace, ReconcilePace
from actors.portfolio.actor import PortfolioActor
from actors.ports import Clock, Exchange, Feed, Journals, Outboxes, Wallet
from actors.watch import LiveChecks
from actors.wording.system import RunInfo
from domain.errors import RightLostError
from domain.rules import TradingRules
from domain.strategies.guarded import Guarded


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the actors of one run are constructed with."""

    rules: TradingRules
    info: RunInfo
    feed: Feed
    exchange: Exchange
    clock: Clock
    journals: Journals
    outboxes: Outboxes
    wallet: Wallet | None
    """None in a replay, which has no transfers."""
    asking: ReconcilePace
    unknown: tuple[str, ...]
    """Assets with positions at the exchange when the journal was still empty."""
    facts_until_ms: int | None
    """When the newest fact before this process was stored; None: there was none."""
    checks: LiveChecks | None
    """What the portfolio checks between closes; nothing in a replay."""
    telling: NoticePace


def specs_of(parts: Parts) -> list[ChildSpec]:
    """Return the specs of all actors in start order."""
    common = {"rules": parts.rules, "journals": parts.journals}
    assets = [asset.asset for asset in parts.rules.assets]
    notifier = common | {
        "run": parts.info,
        "clock": parts.clock,
        "outboxes": parts.outboxes,
        "patience_ms": parts.telling.patience_ms,
        "gather_ms": parts.telling.gather_ms,
        "yields_s": parts.telling.yields_s,
    }
    portfolio = common | {
        "feed": parts.feed,
        "clock": parts.clock,
        "checks": parts.checks,
        "unknown": parts.unknown,
        "facts_until_ms": parts.facts_until_ms,
    }
    execution = common | {
        "exchange": parts.exchange,
        "clock": parts.clock,
        "facts_until_ms": parts.facts_until_ms,
        "ask_again_ms": parts.asking.ask_again_ms,
        "reconcile_ms": parts.asking.reconcile_ms,
        "stale_ms": parts.asking.stale_ms,
    }
    specs = [
        # Kept alive: a trading system must not stop sending notices.
        ChildSpec(address=NOTIFIER, actor=NotifierActor, arguments=notifier, is_kept=True),
        ChildSpec(address=PORTFOLIO, actor=PortfolioActor, arguments=portfolio, is_vital=True),
        *_account_spec(parts),
        # Kept alive: a position needs its books and emergency closes even when suspended.
        *(
            ChildSpec(
                address=execution_name(asset),
                actor=ExecutionActor,
                arguments=execution | {"asset": asset},
                is_kept=True,
            )
            for asset in assets
        ),
        *(
            ChildSpec(
                address=asset_name(asset),
                actor=AssetActor,
                arguments=common | {"feed": parts.feed, "clock": parts.clock, "asset": asset},
                may_end_in=Guarded.call,
            )
            for asset in assets
        ),
    ]
    return [replace(spec, ends_all=(RightLostError,)) for spec in specs]


def _account_spec(parts: Parts) -> list[ChildSpec]:
    if parts.wallet is None:
        return []
    account = {
        "wallet": parts.wallet,
        "clock": parts.clock,
        "journals": parts.journals,
        "ask_every_ms": parts.asking.reconcile_ms,
    }
    return [ChildSpec(address=ACCOUNT, actor=AccountActor, arguments=account, is_kept=True)]
