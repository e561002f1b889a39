"""Which entries are approved, decided over all signals of a close at once.

The rules are section 7 of the strategy and 6.1 to 6.3a of the multi-pair system.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

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
from domain.trading.sizing import order_qty, target_notional, volatility_multiplier

Blocked = tuple[DenialReason, str]
"""A limit, and its figures for one signal."""
_HAIR = Decimal("1.000000001")
"""By how much a size may be above its limit, against rounding in the settings' own fractions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSnapshot:
    """The one state of the portfolio on which all signals of a close are decided."""

    t_ms: int
    balance: Decimal
    held: Mapping[str, Held]
    """By asset."""
    size_multiplier: Decimal
    protection_epoch: int
    blocked: Blocked | None
    """Why nothing at all is approved, with its figures."""
    kept: Callable[[], Sequence[Blocked]]
    """Returns the limits of the whole portfolio that are kept, with their figures."""
    suspended: frozenset[str]
    """Assets that get no new positions because one of their actors was given up."""
    paused: frozenset[str] = frozenset()
    """Assets that get none because the operator said so."""
    correlate: Correlate
    """Returns Pearson's correlation of two assets; None where it cannot be judged."""


def decide_entries(
    reports: Sequence[AssetEvaluation], snapshot: RiskSnapshot, rules: TradingRules
) -> tuple[tuple[Approval, ...], tuple[Denial, ...]]:
    """Return the approvals and denials of one close, in the order in which they were judged.

    Args:
        reports: of one close, in any order.
        snapshot: as it stood after the exchange's own fills inside the candle.
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

    def rank(pair: tuple[AssetEvaluation, EntrySignal]) -> tuple[float, int, float, int]:
        report, signal = pair
        index = rules.order_of(report.asset)
        return (-signal.volatility, -signal.signal_ms, -signal.strength, index)

    return sorted(signaling, key=rank)


class _Judgement:
    """One signal, held against each limit in order."""

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
        self._kept: list[Blocked] = []

    def answer(self) -> Approval | Denial:
        """Return an approval, or the first limit that denies it."""
        blocked = self._snapshot.blocked or self._denied()
        if blocked is None:
            sized = self._sized()
            if isinstance(sized, Decimal):
                return self._approval(sized)
            blocked = sized
        reason, figures = blocked
        is_judged = self._snapshot.blocked is None
        return Denial(
            asset=self._report.asset,
            t_ms=self._report.t_ms,
            reason=reason,
            signal_ms=self._signal.signal_ms,
            figures=figures,
            judged=_lines([*self._snapshot.kept(), *self._kept] if is_judged else []),
        )

    def _approval(self, qty: Decimal) -> Approval:
        report, signal = self._report, self._signal
        return Approval(
            asset=report.asset,
            t_ms=report.t_ms,
            qty=qty,
            price=exact(report.close),
            side=signal.side,
            signal_ms=signal.signal_ms,
            protection_epoch=self._snapshot.protection_epoch,
            kinds=signal.kinds,
            values=report.values,
            terms=self._asset.terms,
            judged=_lines([*self._snapshot.kept(), *self._kept]),
        )

    def _denied(self) -> Blocked | None:
        """Return the first limit that is broken, whatever the size; note those that are kept."""
        for is_broken, limit in self._limits():
            if is_broken:
                return limit
            self._kept.append(limit)
        return None

    def _limits(self) -> Iterator[tuple[bool, Blocked]]:
        asset, snapshot, limits = self._report.asset, self._snapshot, self._rules.approval
        is_paused = asset in snapshot.paused
        if snapshot.paused:
            paused = asset if is_paused else f"{len(snapshot.paused)} others"
            yield is_paused, (DenialReason.PAUSED, f"paused={paused}")
        is_suspended = asset in snapshot.suspended
        suspended = asset if is_suspended else f"{len(snapshot.suspended)} others"
        yield is_suspended, (DenialReason.MALFUNCTION, f"suspended={suspended}")
        if asset in self._held:
            yield True, (DenialReason.MAX_POSITIONS, f"already_held={asset}")
        yield (
            len(self._held) >= limits.max_positions,
            (
                DenialReason.MAX_POSITIONS,
                f"positions={len(self._held)} limit={limits.max_positions}",
            ),
        )
        most = limits.max_simultaneous_entries
        if most is not None:
            figures = f"granted={self._approved} limit={most}"
            yield self._approved >= most, (DenialReason.MAX_SIMULTANEOUS, figures)
        yield from self._correlations()
        yield from self._position_size()

    def _correlations(self) -> Iterator[tuple[bool, Blocked]]:
        limit = self._rules.approval.correlation_limit
        if limit is None:
            return
        for other in self._held:
            found = self._signed_correlation(other)
            value = "unknown" if found is None else f"{found:.4f}"
            figures = f"with={other} correlation={value} limit={limit}"
            yield found is not None and found > limit, (DenialReason.CORRELATION, figures)

    def _position_size(self) -> Iterator[tuple[bool, Blocked]]:
        limit = self._rules.approval.max_position_size
        if limit is None:
            return
        deployed, most = self._target / self._asset.leverage, self._snapshot.balance * limit
        figures = f"deployed={deployed:f} limit={most:f}"
        yield deployed > most * _HAIR, (DenialReason.POSITION_SIZE, figures)

    def _sized(self) -> Decimal | Blocked:
        """Return the qty within all rooms (6.3a), or the first room that is too small."""
        least = self._rules.approval.min_entry_fraction * self._target
        notional = self._target
        for reason, room, figures in self._rooms():
            limit = reason, figures
            if room < least:
                return limit
            self._kept.append(limit)
            notional = min(notional, room)
        size = DenialReason.SIZE, f"notional={notional:f} price={self._report.close}"
        qty = order_qty(notional, exact(self._report.close), self._asset.instrument)
        if qty is None:
            return size
        self._kept.append(size)
        return qty

    def _rooms(self) -> Iterator[tuple[DenialReason, Decimal, str]]:
        """Yield what each limit leaves for this entry, quote notional, with its figures."""
        limits, balance = self._rules.approval, self._snapshot.balance
        group = group_of(
            self._asset.asset,
            self._signal.side,
            self._held,
            self._rules,
            self._snapshot.correlate,
        )
        if limits.max_correlated_exposure is not None:
            exposure = sum((held.notional for held in group.values()), Decimal(0))
            cap = balance * limits.max_correlated_exposure
            figures = f"group={exposure:f} target={self._target:f} cap={cap:f}"
            yield DenialReason.GROUP, cap - exposure, figures
        if limits.max_concentration is not None:
            largest = largest_deployed(group, limits.concentration_top_n - 1, self._rules)
            cap = balance * limits.max_concentration
            room = (cap - largest) * self._asset.leverage
            figures = f"largest={largest:f} target={self._target:f} cap={cap:f}"
            yield DenialReason.CONCENTRATION, room, figures
        exposed = sum((held.notional for held in self._held.values()), Decimal(0))
        capacity = balance * limits.max_total_exposure - exposed
        figures = f"target={self._target:f} capacity={capacity:f}"
        yield DenialReason.EXPOSURE, capacity, figures

    def _signed_correlation(self, other: str) -> float | None:
        """Return the correlation, negated where the sides differ: a hedge is no concentration."""
        found = self._snapshot.correlate(self._report.asset, other)
        return signed(found, self._signal.side, self._held[other].side)


def _lines(kept: Iterable[Blocked]) -> str:
    return "\n".join(f"{limit} {figures}" for limit, figures in kept)


def is_on_its_way(approval: Approval, orders: Iterable[Order]) -> bool:
    """Tell whether an approval of which no fill is booked yet may still bring one.

    An order that ended with a fill is on its way until that is booked: its news may come first.

    Args:
        approval: of one asset.
        orders: of that asset.
    """
    mine = (order for order in orders if order.client_order_id == approval.client_order_id)
    return all(order.is_under_way or order.state.filled_qty for order in mine)
