"""The portfolio's checks between closes, and the texts of their findings."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from actors.messages import RiskRaised
from domain.market.instruments import DAY_MS
from domain.operator.commands import OUTDATED, OperatorCommand
from domain.operator.wording import utc
from domain.portfolio.malfunctions import Malfunctions
from domain.rules import TradingRules
from domain.trading.positions import ZERO, UnmanagedPosition
from domain.trading.transfers import Transfer

WALLET_TOLERANCE = Decimal("0.01")
"""Tolerance, quote: venues round."""
ALARMING_WALLETS = 3
_EVERY_MS = 1_000
WALLET = "wallet"
"""The malfunction source for a differing balance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveChecks:
    """Intervals of checks between closes, trading clock; a replay has none."""

    every_ms: int
    """How often the equity is checked."""
    stale_ms: int
    """Age from which missing data is a malfunction."""

    @classmethod
    def at_speed(cls, speed: float, stale_ms: int) -> Self:
        """Return the checks in real time under a clock of a speed; stale_ms is real time."""
        return cls(every_ms=int(_EVERY_MS * speed), stale_ms=int(stale_ms * speed))


class MalfunctionWatch:
    """What is broken now, and what has changed since the last check."""

    def __init__(self, rules: TradingRules, checks: LiveChecks, now_ms: int) -> None:
        """Start with nothing broken."""
        assets = [asset.asset for asset in rules.assets]
        self.sources = Malfunctions(assets, stale_ms=checks.stale_ms, now_ms=now_ms)
        self._since_ms: dict[str, int] = {}
        self._details: dict[str, str] = {}
        self._closes_all = rules.protection.malfunction_closes_all

    @property
    def details(self) -> Mapping[str, str]:
        """Texts of malfunctions, by source."""
        return self._details

    def look(self, now_ms: int, held: Collection[str]) -> tuple[list[RiskRaised], bool]:
        """Return what to notify of, and whether something new is broken."""
        found = self.sources.found(now_ms, held)
        begun = [source for source in found if source not in self._since_ms]
        ended = [source for source in self._since_ms if source not in found]
        told = [self._ended(source, now_ms) for source in ended]
        self._since_ms = {source: self._since_ms.get(source, now_ms) for source in found}
        self._details = found
        return [*told, *(self._begun(source) for source in begun)], bool(begun)

    def risks(self) -> list[RiskRaised]:
        """Return all malfunctions, to be notified again."""
        return [self._begun(source) for source in self._since_ms]

    def _begun(self, source: str) -> RiskRaised:
        positions = "are closed" if self._closes_all else "stay under their stops"
        return RiskRaised(
            key=f"malfunction/{source}/{self._since_ms[source]}",
            asset=None,
            what=f"malfunction: {self._details[source]}",
            figures=f"source={source}",
            effect=f"nothing is opened until it works again; open positions {positions}",
            advice="check the network and the exchange's status page",
            group="malfunction",
        )

    def _ended(self, source: str, now_ms: int) -> RiskRaised:
        since_ms = self._since_ms[source]
        return RiskRaised(
            key=f"malfunction/{source}/{since_ms}/ended",
            asset=None,
            what=f"malfunction over: {source} works again",
            figures=f"lasted_s={(now_ms - since_ms) // 1000}",
            effect="it no longer blocks entries",
            advice="nothing to do",
            group="malfunction over",
        )


class WalletAudit:
    """Compares the booked balance with the exchange's; a lasting difference blocks entries.

    Sizes, drawdown and the daily loss are all based on the balance: no new risk on a wrong one.
    """

    def __init__(self) -> None:
        """Start without doubt."""
        self._differences = 0
        self._difference = ZERO
        self._ours: Decimal | None = None
        """The books' balance at the last comparison."""
        self._since_ms: int | None = None
        """Since when a lasting difference is known."""

    @property
    def is_in_doubt(self) -> bool:
        """Tell whether there is a lasting difference."""
        return self._since_ms is not None

    def difference(self, ours: Decimal) -> Decimal:
        """Return the lasting difference, the exchange's balance minus the books'; 0: they agree.

        What was booked since the last comparison may be what was missing: then it is 0 until the
        next one.

        Args:
            ours: the books' balance now.
        """
        return self._difference if self.is_in_doubt and ours == self._ours else ZERO

    @property
    def details(self) -> Mapping[str, str]:
        """Texts of what blocks entries, by source."""
        if self._since_ms is None:
            return {}
        text = f"the exchange's balance is {self._difference:+f} from the books'"
        return {WALLET: text}

    def accept(self, ours: Decimal) -> Decimal:
        """Return the lasting difference, and treat it as explained; see `difference`."""
        difference = self.difference(ours)
        if difference:
            self._since_ms, self._differences = None, 0
        return difference

    def put_off(self) -> None:
        """Restart the count of a difference that is not lasting yet: it cannot be compared now."""
        if not self.is_in_doubt:
            self._differences = 0

    def compare(self, ours: Decimal, theirs: Decimal, ts_ms: int) -> RiskRaised | None:
        """Return a danger if they repeatedly differ by the same amount, or its end."""
        difference, self._ours = theirs - ours, ours
        if abs(difference) < WALLET_TOLERANCE:
            since_ms, self._since_ms, self._differences = self._since_ms, None, 0
            return None if since_ms is None else _wallet_agrees(since_ms, theirs)
        # A fill or a transfer may be in transit; only a lasting difference is worth reporting.
        is_same = abs(difference - self._difference) < WALLET_TOLERANCE
        self._differences = self._differences + 1 if is_same else 1
        self._difference = difference
        if self._differences != ALARMING_WALLETS:
            return None
        self._since_ms = ts_ms
        return RiskRaised(
            key=f"wallet/{ts_ms}",
            asset=None,
            what="the exchange's balance is not what trades, funding and transfers add up to",
            figures=f"exchange={theirs:f} books={ours:f} difference={difference:f}",
            effect="nothing is opened until both agree; open positions stay as they are",
            advice="compare the exchange's transaction log with the journal; where the exchange is "
            "right, rearm makes its balance the books' own, as neither gain nor loss",
        )


def _wallet_agrees(since_ms: int, balance: Decimal) -> RiskRaised:
    return RiskRaised(
        key=f"wallet/{since_ms}/ended",
        asset=None,
        what="the exchange's balance and the books agree again",
        figures=f"balance={balance:f}",
        effect="it no longer blocks entries",
        advice="nothing to do",
    )


def lost_journal_risk(began_ms: int, unknown: tuple[str, ...]) -> RiskRaised:
    """Return the danger of a journal that starts while positions are open.

    Args:
        began_ms: when it started.
        unknown: assets with positions then; empty if a later process repeats it.
    """
    found = f"Open at the exchange: {', '.join(unknown)}. " if unknown else ""
    return RiskRaised(
        key=f"lost journal/{began_ms}",
        asset=None,
        what="the journal is lost or new, and positions are open",
        figures=f"{found}The journal knew of no position.",
        effect="No entries until rearm; open positions stay under their stops",
        advice="restore the journal and start again, or close the open positions and send rearm",
    )


def journal_outdated(
    order_id: str, executed_ms: int, facts_until_ms: int | None, now_ms: int
) -> OperatorCommand:
    """Return the command fact that the journal lacks an order of ours; only a rearm ends it.

    Args:
        order_id: of the order.
        executed_ms: when the exchange executed it.
        facts_until_ms: when the newest fact before this process was stored; None: there was none.
        now_ms: the present.
    """
    ends = "it began empty" if facts_until_ms is None else f"its facts end {utc(facts_until_ms)}"
    return OperatorCommand(
        command=OUTDATED,
        arguments="",
        operator="reconciliation",
        result=f"the journal lacks {order_id}, executed {utc(executed_ms)}; {ends}",
        ts_ms=now_ms,
        is_done=True,
    )


def outdated_risk(found: OperatorCommand) -> RiskRaised:
    """Return the danger of a journal that lacks orders of ours."""
    return RiskRaised(
        key=f"{OUTDATED}/{found.ts_ms}",
        asset=None,
        what="the journal is an older copy of itself",
        figures=f"{found.result[:1].upper()}{found.result[1:]}.",
        effect="No entries until rearm; the books are completed from the exchange's executions, "
        "and what is open is managed. A panic, halt or pause after that time is forgotten",
        advice="make sure that no other system trades this account, then send rearm",
    )


def transfer_risk(transfer: Transfer) -> RiskRaised:
    """Return the danger of a deposit or withdrawal; of foreign trades once a day each."""
    figures = f"amount={transfer.amount:f} kind={transfer.kind}"
    if transfer.is_foreign_trade:
        return RiskRaised(
            key=f"{transfer.kind}/{transfer.ts_ms // DAY_MS}",
            asset=None,
            what="somebody else trades in this account",
            figures=figures,
            effect="balance, peak and the day's start move by what it costs or earns",
            advice="use a separate account for manual trades; if it was not you, lock the account",
        )
    return RiskRaised(
        key=f"transfer/{transfer.transfer_id}",
        asset=None,
        what="money came in" if transfer.amount > 0 else "money went out",
        figures=figures,
        effect="balance, peak and the day's start moved by it; it is neither gain nor loss",
        advice="nothing to do if it was you; otherwise lock the account",
    )


def unmanaged_risk(unmanaged: UnmanagedPosition) -> RiskRaised:
    """Return the danger of an unmanaged position; the same one is reported once."""
    stop = "none" if unmanaged.stop_loss is None else f"{unmanaged.stop_loss:f}"
    price = "unknown" if unmanaged.avg_entry_price is None else f"{unmanaged.avg_entry_price:f}"
    return RiskRaised(
        key=f"stray/{unmanaged.symbol}/{unmanaged.signed_qty:f}/{price}",
        asset=None,
        what=f"a position in {unmanaged.symbol} is open, and the settings do not have it",
        figures=f"qty={unmanaged.signed_qty:f} entry={price} stop={stop}",
        effect="it is not monitored, and it uses the account's balance; nothing else changes",
        advice="set a stop or close it; use a separate account for manual trades",
    )
