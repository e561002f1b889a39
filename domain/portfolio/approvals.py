"""Which entries are approved, decided over all signals of a close at once.

The rules are section 7 of the strategy and 6.1 to 6.3a of the multi-pair system.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.fast_init import fast_init
from domain.market.instruments import exact
from domain.portfolio.groups import Correlate, Held, group_of, largest_deployed, signed
from domain.rules import TradingRules
from domain.trading.decisions import (
    Approval,
    AssetEvaluation,
    Denial,
    DenialReason,
    EntrySignal,
)
from domain.trading.order import Order
from domain.trading.positions import ZERO
from domain.trading.sizing import order_qty, target_notional, volatility_multiplier

Blocked = tuple[DenialReason, str]
"""A limit, and its figures for one signal."""
Limit = tuple[DenialReason, str, tuple[object, ...]]
"""The same with the figures as a format and its arguments, formatted only when they are shown."""
_HAIR = Decimal("1.000000001")
"""How far a size may exceed its limit, because the settings' fractions are rounded."""


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSnapshot:
    """The one state of the portfolio on which all signals of a close are decided."""

    t_ms: int
    balance: Decimal
    held: Mapping[str, Held]
    """Open positions and reserved entries by asset."""
    size_multiplier: Decimal
    protection_epoch: int
    blocked: Blocked | None
    """Why nothing is approved at all, with figures."""
    kept: Callable[[], Sequence[Blocked]]
    """Returns the kept limits of the whole portfolio, with their figures."""
    explains: bool = True
    """Whether answers list the kept limits."""
    suspended: frozenset[str]
    """Assets that open nothing because one of their actors was given up."""
    paused: frozenset[str] = frozenset()
    """Assets that open nothing because the operator paused them."""
    correlate: Correlate
    """Returns Pearson's correlation of two assets; None if it cannot be judged."""


def decide_entries(
    reports: Sequence[AssetEvaluation], snapshot: RiskSnapshot, rules: TradingRules
) -> tuple[tuple[Approval, ...], tuple[Denial, ...]]:
    """Return the approvals and denials of one close, in the order in which they were judged.

    Args:
        reports: of one close, in any order.
        snapshot: after the exchange's own fills inside the candle.
        rules: the limits.
    """
    approvals: list[Approval] = []
    denials: list[Denial] = []
    for report, signal in _in_order(reports, rules):
        answer = _Judgement(report, signal, approvals, snapshot, rules).answer()
        if isinstance(answer, Approval):
            approvals.append(answer)
        else:
            denials.append(answer)
    return tuple(approvals), tuple(denials)


def _in_order(
    reports: Sequence[AssetEvaluation], rules: TradingRules
) -> list[tuple[AssetEvaluation, EntrySignal]]:
    signaling = [(report, report.signal) for report in reports if report.signal is not None]

    if len(signaling) < 2:  # noqa: PLR2004 - nothing to compare
        return signaling

    def rank(pair: tuple[AssetEvaluation, EntrySignal]) -> tuple[float, int, float, int]:
        report, signal = pair
        index = rules.order_of(report.asset)
        return (-signal.volatility, -signal.signal_ms, -signal.strength, index)

    return sorted(signaling, key=rank)


class _Judgement:
    """One signal, checked against each limit in order."""

    def __init__(
        self,
        report: AssetEvaluation,
        signal: EntrySignal,
        approved: Sequence[Approval],
        snapshot: RiskSnapshot,
        rules: TradingRules,
    ) -> None:
        self._report, self._signal = report, signal
        self._snapshot, self._rules = snapshot, rules
        self._approved = len(approved)
        self._asset = rules.asset(report.asset)
        just_approved = {
            approval.asset: Held(side=approval.side, notional=approval.notional)
            for approval in approved
        }
        self._held: dict[str, Held] = {**snapshot.held, **just_approved}
        multiplier = snapshot.size_multiplier * volatility_multiplier(signal.volatility, rules.risk)
        self._target = target_notional(snapshot.balance, self._asset, multiplier)
        self._price = exact(report.close)
        self._kept: list[Limit] = []

    def answer(self) -> Approval | Denial:
        """Return an approval, or a denial by the first broken limit."""
        if self._snapshot.blocked is not None:
            return self._denial(*self._snapshot.blocked, judged="")
        sized = self._broken() or self._sized()
        if isinstance(sized, Decimal):
            return self._approval(sized)
        return self._denial(*_in_words(sized), judged=self._judged())

    def _denial(self, reason: DenialReason, figures: str, *, judged: str) -> Denial:
        return Denial(
            asset=self._report.asset,
            t_ms=self._report.t_ms,
            reason=reason,
            signal_ms=self._signal.signal_ms,
            figures=figures,
            judged=judged,
        )

    def _approval(self, qty: Decimal) -> Approval:
        report, signal = self._report, self._signal
        return Approval(
            asset=report.asset,
            t_ms=report.t_ms,
            qty=qty,
            price=self._price,
            side=signal.side,
            signal_ms=signal.signal_ms,
            protection_epoch=self._snapshot.protection_epoch,
            kinds=signal.kinds,
            values=report.values,
            terms=self._asset.terms,
            judged=self._judged(),
        )

    def _judged(self) -> str:
        """Return the kept limits, one per line."""
        if not self._snapshot.explains:
            return ""
        kept = [*self._snapshot.kept(), *map(_in_words, self._kept)]
        return "\n".join(f"{reason} {figures}" for reason, figures in kept)

    def _broken(self) -> Limit | None:
        """Return the first limit that is broken, whatever the size; note those that are kept."""
        for is_broken, limit in self._limits():
            if is_broken:
                return limit
            self._kept.append(limit)
        return None

    def _limits(self) -> Iterator[tuple[bool, Limit]]:
        asset, snapshot, limits = self._report.asset, self._snapshot, self._rules.approval
        is_paused = asset in snapshot.paused
        if snapshot.paused:
            paused = asset if is_paused else f"{len(snapshot.paused)} others"
            yield is_paused, (DenialReason.PAUSED, "paused={}", (paused,))
        is_suspended = asset in snapshot.suspended
        suspended = asset if is_suspended else f"{len(snapshot.suspended)} others"
        yield is_suspended, (DenialReason.MALFUNCTION, "suspended={}", (suspended,))
        if asset in self._held:
            yield True, (DenialReason.MAX_POSITIONS, "already_held={}", (asset,))
        count, most = len(self._held), limits.max_positions
        figures = count, most
        yield count >= most, (DenialReason.MAX_POSITIONS, "positions={} limit={}", figures)
        granted, at_once = self._approved, limits.max_simultaneous_entries
        if at_once is not None:
            figures = granted, at_once
            yield (
                granted >= at_once,
                (DenialReason.MAX_SIMULTANEOUS, "granted={} limit={}", figures),
            )
        yield from self._correlations()
        yield from self._position_size()

    def _correlations(self) -> Iterator[tuple[bool, Limit]]:
        limit = self._rules.approval.correlation_limit
        if limit is None:
            return
        for other in self._held:
            found = self._signed_correlation(other)
            value = "unknown" if found is None else f"{found:.4f}"
            words = "with={} correlation={} limit={}", (other, value, limit)
            yield found is not None and found > limit, (DenialReason.CORRELATION, *words)

    def _position_size(self) -> Iterator[tuple[bool, Limit]]:
        limit = self._rules.approval.max_position_size
        if limit is None:
            return
        deployed, most = self._target / self._asset.leverage, self._snapshot.balance * limit
        words = "deployed={:f} limit={:f}", (deployed, most)
        yield deployed > most * _HAIR, (DenialReason.POSITION_SIZE, *words)

    def _sized(self) -> Decimal | Limit:
        """Return the qty within all rooms (6.3a), or the first room that is too small."""
        least = self._rules.approval.min_entry_fraction * self._target
        notional = self._target
        for room, limit in self._rooms():
            if room < least:
                return limit
            self._kept.append(limit)
            notional = min(notional, room)
        size = DenialReason.SIZE, "notional={:f} price={}", (notional, self._report.close)
        qty = order_qty(notional, self._price, self._asset.instrument)
        if qty is None:
            return size
        self._kept.append(size)
        return qty

    def _rooms(self) -> Iterator[tuple[Decimal, Limit]]:
        """Yield the notional that each limit leaves for this entry, quote."""
        limits, target = self._rules.approval, self._target
        if limits.max_correlated_exposure is not None or limits.max_concentration is not None:
            yield from self._group_rooms()
        exposed = sum((held.notional for held in self._held.values()), ZERO)
        capacity = self._snapshot.balance * limits.max_total_exposure - exposed
        yield capacity, (DenialReason.EXPOSURE, "target={:f} capacity={:f}", (target, capacity))

    def _group_rooms(self) -> Iterator[tuple[Decimal, Limit]]:
        """Yield what the limits of the asset's group leave, likewise."""
        limits, balance, target = self._rules.approval, self._snapshot.balance, self._target
        group = group_of(
            self._asset.asset,
            self._signal.side,
            self._held,
            self._rules,
            self._snapshot.correlate,
        )
        if limits.max_correlated_exposure is not None:
            exposure = sum((held.notional for held in group.values()), ZERO)
            cap = balance * limits.max_correlated_exposure
            words = "group={:f} target={:f} cap={:f}", (exposure, target, cap)
            yield cap - exposure, (DenialReason.GROUP, *words)
        if limits.max_concentration is not None:
            largest = largest_deployed(group, limits.concentration_top_n - 1, self._rules)
            cap = balance * limits.max_concentration
            room = (cap - largest) * self._asset.leverage
            words = "largest={:f} target={:f} cap={:f}", (largest, target, cap)
            yield room, (DenialReason.CONCENTRATION, *words)

    def _signed_correlation(self, other: str) -> float | None:
        """Return the correlation, negated if the sides differ: a hedge is not a concentration."""
        found = self._snapshot.correlate(self._report.asset, other)
        return signed(found, self._signal.side, self._held[other].side)


def _in_words(limit: Limit) -> Blocked:
    reason, words, figures = limit
    return reason, words.format(*figures)


def is_on_its_way(approval: Approval, orders: Iterable[Order]) -> bool:
    """Tell whether an approval without a booked fill may still lead to one.

    An order that ended with a fill is in flight until the fill is booked: updates may come first.

    Args:
        approval: of one asset.
        orders: of that asset.
    """
    mine = (order for order in orders if order.client_order_id == approval.client_order_id)
    return all(order.is_under_way or order.state.filled_qty for order in mine)
