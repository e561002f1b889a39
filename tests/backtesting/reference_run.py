"""What the strategy's pages say of a portfolio, written apart from the domain: the plain way."""

import math
from collections.abc import Mapping
from decimal import Decimal

from domain.market.candles import CandleSeries
from domain.rules import TradingRules
from tests.backtesting.reference_assets import (
    DAY_MS,
    HOUR_MS,
    Asset,
    Held,
    correlation,
    exact,
    to_step,
)

BILLIONTH = Decimal("1e-9")


class ReferenceRun:
    """A run over candles: its trades as (asset, entry_ms, exit_ms, qty, prices, money, reason)."""

    def __init__(self, candles: Mapping[str, CandleSeries], rules: TradingRules) -> None:
        self.rules, self.costs = rules, rules.fills
        self.assets = [
            Asset(a, candles[a.asset], rules) for a in rules.assets if a.asset in candles
        ]
        wallet = rules.fills.initial_balance
        self.start = wallet if rules.total_capital is None else min(wallet, rules.total_capital)
        self.balance = self.peak = self.day_start = self.start
        self.trades, self.refused = [], []
        self.day, self.rest_end_ms, self.losses, self.lost_day = None, 0, 0, None
        self.step, self.is_armed, self.is_halted, self.is_capital_armed = 0, True, False, True

    def run(self) -> "ReferenceRun":
        length = self.rules.candles.candle_ms
        for open_ms in sorted({x for asset in self.assets for x in asset.candles}):
            for asset in self.assets:
                asset.runs = open_ms in asset.candles
            self._at(open_ms, open_ms + length, [a for a in self.assets if a.runs])
        order = [asset.name for asset in self.assets]
        self.trades.sort(key=lambda trade: (trade[2], order.index(trade[0])))
        return self

    def _at(self, open_ms: int, t_ms: int, running: list[Asset]) -> None:
        for asset in running:
            if asset.held is not None:
                self._inside(asset, open_ms, t_ms)
        for asset in running:
            asset.fold(t_ms, asset.candles[open_ms][3])
        fired = self._protect(t_ms)
        exits = {asset: asset.own_exit(t_ms) for asset in running if asset.held is not None}
        grants = self._grants(t_ms, [a for a in running if a.wants_entry(t_ms)], fired)
        if fired:
            rest = self.rules.protection.emergency_cooldown_ms
            self.rest_end_ms = max(self.rest_end_ms, t_ms + rest)
        own = [(asset, reason) for asset, reason in exits.items() if reason]
        other = [(asset, fired[0]) for asset, reason in exits.items() if fired and not reason]
        for asset, reason in own + other:
            self._close(asset, t_ms, exact(asset.close), reason)
        for asset in sorted(grants, key=self.assets.index):
            self._open(asset, t_ms, grants[asset])

    # Inside a candle

    def _inside(self, asset: Asset, open_ms: int, t_ms: int) -> None:
        first, high, low, last = map(exact, asset.candles[open_ms])
        held, sign = asset.held, asset.sign
        self._settle(asset, open_ms, first)
        trails = asset.rules.stops.trail_fraction is not None
        worst, best = (low, high) if sign > 0 else (high, low)
        rest = ((low, high) if last >= first else (high, low)) if trails else (worst, best)
        path = (first, *rest, last) if trails else (first, *rest)
        for index, x in enumerate(path):
            if (x - held.stop) * sign <= 0:
                gapped = held.stop + self.costs.stop_gap_fraction * (worst - held.stop)
                reason = "TRAILING_STOP" if held.moved else "STOP_LOSS"
                return self._close(asset, t_ms, gapped if index else x, reason)
            # Without a trail the whole candle is judged for the stop before the target.
            is_judged = trails or index == len(path) - 1
            if is_judged and held.target is not None and (x - held.target) * sign >= 0:
                gains = (first - held.target) * sign >= 0
                at_open = gains if not trails else not index
                return self._close(asset, t_ms, first if at_open else held.target, "TAKE_PROFIT")
            if trails:
                held.follow(x)
        return None

    def _settle(self, asset: Asset, open_ms: int, price: Decimal) -> None:
        rule, history = self.costs.funding, asset.funding
        if history is not None and history.first_ms <= open_ms <= history.last_ms:
            rate = history.rates.get(open_ms, Decimal(0))
        else:
            rate = rule.rate if open_ms % rule.interval_ms == 0 else Decimal(0)
        amount = -asset.sign * asset.held.qty * price * rate
        self.balance += amount
        asset.held.funding += amount

    # Fills

    def _open(self, asset: Asset, t_ms: int, qty: Decimal) -> None:
        price = exact(asset.close) * (1 + asset.sign * self.costs.slippage_fraction)
        fee = qty * price * self.costs.taker_fee_rate
        self.balance -= fee
        asset.held = Held(asset, t_ms, qty, price, fee)
        asset.used_ms = asset.signals.newest_ms

    def _close(self, asset: Asset, t_ms: int, at: Decimal, reason: str) -> None:
        held, asset.held = asset.held, None
        price = at * (1 - asset.sign * self.costs.slippage_fraction)
        fee = held.qty * price * self.costs.taker_fee_rate
        gain = held.qty * (price - held.price) * asset.sign
        self.balance += gain - fee
        pnl, fees = gain - fee - held.fee + held.funding, fee + held.fee
        money = (held.price, price, fees, held.funding, pnl)
        self.trades.append((asset.name, held.t_ms, t_ms, held.qty, *money, reason))
        self._rest(asset, t_ms, t_ms - held.t_ms, pnl)
        self.losses = self.losses + 1 if pnl < 0 else 0
        if self.rules.protection.loss_streak == self.losses:
            self.losses = 0
            end_ms = t_ms + self.rules.protection.loss_streak_cooldown_ms
            self.rest_end_ms = max(self.rest_end_ms, end_ms)

    def _rest(self, asset: Asset, t_ms: int, held_ms: int, pnl: Decimal) -> None:
        rules, ends = self.rules.cooldown, [asset.rest_end_ms]
        asset.losses = asset.losses + 1 if pnl < 0 else 0
        asset.exits.append(t_ms)
        in_hour = sum(exit_ms >= t_ms - HOUR_MS for exit_ms in asset.exits)
        in_day = sum(exit_ms // DAY_MS == t_ms // DAY_MS for exit_ms in asset.exits)
        if rules.short_hold_ms is not None and held_ms < rules.short_hold_ms:
            ends.append(t_ms + rules.short_hold_cooldown_ms)
        if rules.loss_streak is not None and asset.losses >= rules.loss_streak:
            ends.append(t_ms + rules.loss_streak_cooldown_ms)
        if rules.trades_per_hour is not None and in_hour > rules.trades_per_hour:
            ends.append(t_ms + rules.trades_per_hour_cooldown_ms)
        if rules.trades_per_day is not None and in_day >= rules.trades_per_day:
            ends.append(t_ms + rules.trades_per_day_cooldown_ms)
        asset.rest_end_ms = max(ends)

    # Protection

    def _protect(self, t_ms: int) -> list[str]:
        rules, day = self.rules.protection, t_ms // DAY_MS
        self.opened = [asset for asset in self.assets if asset.held is not None]
        unrealized = (a.held.qty * (exact(a.close) - a.held.price) * a.sign for a in self.opened)
        equity = self.balance + sum(unrealized)
        self.peak = max(self.peak, equity)
        self.day_start = self.day_start if self.day in {None, day} else equity
        self.day, self.day_loss = day, (self.day_start - equity) / self.day_start
        fallen = (self.peak - equity) / self.peak
        self._size(fallen)
        self.is_armed |= fallen < rules.drawdown_rearm_fraction
        pairs = [(a, b) for i, a in enumerate(self.opened) for b in self.opened[i + 1 :]]
        judged = [r for a, b in pairs if (r := correlation(a, b)) is not None]
        self.mean = math.fsum(judged) / len(judged) if judged else -math.inf
        return self._fire(equity, fallen)

    def _size(self, fallen: Decimal) -> None:
        rules = self.rules.protection
        levels = [level for level, _ in rules.drawdown_steps]
        reached = sum(fallen >= level for level in levels)
        left_below = [rules.drawdown_restore_fraction, *levels]
        while self.step > reached and fallen < left_below[self.step - 1]:
            self.step -= 1
        self.step = max(self.step, reached)

    def _fire(self, equity: Decimal, fallen: Decimal) -> list[str]:
        rules, never, fired = self.rules.protection, Decimal("Infinity"), []
        if fallen >= (rules.drawdown_halt_fraction or never) and not self.is_halted:
            fired.append("HALT")
        floor = self.start * (1 - (rules.capital_loss_fraction or never))
        if equity <= floor and self.is_capital_armed:
            fired.append("CAPITAL_LOSS")
            self.is_capital_armed = False
        self.will_halt = bool(fired)
        if fallen >= (rules.drawdown_emergency_fraction or never) and self.is_armed and not fired:
            fired.append("DRAWDOWN")
            self.is_armed = False
        is_lost = self.day_loss >= (rules.max_daily_loss_fraction or never)
        if is_lost and self.lost_day != self.day:
            fired.append("DAILY_LOSS")
            self.lost_day = self.day
        limit = rules.high_correlation_threshold
        if limit is not None and self.mean > limit:
            fired.append("CORRELATION")
        return fired

    # Grants

    def _grants(self, t_ms: int, signaling: list[Asset], fired: list[str]) -> dict[Asset, Decimal]:
        signaling.sort(key=lambda a: (-a.sigma(), -a.signals.newest_ms, -a.signals.strength))
        self.used = [(asset, asset.held.qty * asset.held.price) for asset in self.opened]
        grants: dict[Asset, Decimal] = {}
        for asset in signaling:
            found = self._refusal(asset, t_ms, fired, len(grants)) or self._granted(asset)
            if isinstance(found, str):
                self.refused.append((asset.name, t_ms, found))
            else:
                grants[asset] = found
                self.used.append((asset, found * exact(asset.close)))
        self.is_halted |= self.will_halt
        return grants

    def _refusal(self, asset: Asset, t_ms: int, fired: list[str], granted: int) -> str | None:
        rules, loss = self.rules.approval, self.rules.protection.max_daily_loss_fraction
        limit, most = rules.correlation_limit, rules.max_simultaneous_entries
        found = [correlation(asset, other) for other, _ in self.used] if limit is not None else []
        is_lost = loss is not None and (self.day_loss >= loss or self.lost_day == self.day)
        reasons = {
            "HALTED": self.is_halted,
            "GLOBAL_COOLDOWN": t_ms < self.rest_end_ms,
            "EMERGENCY": bool(fired),
            "DAILY_LOSS": is_lost,
            "MAX_POSITIONS": len(self.used) >= rules.max_positions,
            "MAX_SIMULTANEOUS": most is not None and granted >= most,
            "CORRELATION": any(r is not None and r > limit for r in found),
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    def _granted(self, asset: Asset) -> Decimal | str:
        rules, own = self.rules.approval, asset.rules
        target = self.balance * own.allocation_fraction * own.leverage * self._multiplier(asset)
        most = rules.max_position_size
        if most is not None and target / own.leverage > self.balance * most * (1 + BILLIONTH):
            return "POSITION_SIZE"
        rooms = self._rooms(asset)
        for reason, room in rooms.items():
            if room < target * rules.min_entry_fraction:
                return reason
        price, filters = exact(asset.close), own.instrument
        qty = to_step(min(target, *rooms.values()) / price, filters.qty_step)
        qty = min(qty, to_step(filters.max_market_order_qty, filters.qty_step))
        is_small = qty < filters.min_order_qty or qty * price < filters.min_notional
        return "SIZE" if is_small else qty

    def _multiplier(self, asset: Asset) -> Decimal:
        rules, risk, sigma = self.rules.protection, self.rules.risk, asset.sigma()
        factor = rules.drawdown_steps[self.step - 1][1] if self.step else Decimal(1)
        level = rules.high_correlation_size_level
        if level is not None and self.mean > level:
            factor *= rules.high_correlation_size_multiplier
        if risk.volatility_sizing and sigma:
            wanted = min(1.0, risk.volatility_target / sigma)
            factor *= exact(max(risk.volatility_min_multiplier, wanted))
        return factor

    def _rooms(self, asset: Asset) -> dict[str, Decimal]:
        rules, group, rooms = self.rules.approval, self._group(asset), {}
        if rules.max_correlated_exposure is not None:
            taken = sum(exposure for _, exposure in group)
            rooms["GROUP"] = self.balance * rules.max_correlated_exposure - taken
        if rules.max_concentration is not None:
            deployed = sorted((e / a.rules.leverage for a, e in group), reverse=True)
            largest = sum(deployed[: rules.concentration_top_n - 1])
            room = self.balance * rules.max_concentration - largest
            rooms["CONCENTRATION"] = room * asset.rules.leverage
        capacity = self.balance * rules.max_total_exposure
        return rooms | {"EXPOSURE": capacity - sum(exposure for _, exposure in self.used)}

    def _group(self, asset: Asset) -> list[tuple[Asset, Decimal]]:
        name, least = asset.rules.correlation_group, self.rules.approval.correlation_group_threshold
        if name is not None:
            return [(a, e) for a, e in self.used if a.rules.correlation_group == name]
        judged = [(a, e, correlation(asset, a)) for a, e in self.used]
        return [(a, e) for a, e, r in judged if r is not None and r > least]
