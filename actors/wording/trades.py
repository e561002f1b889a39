"""Texts of positions: opened, closed."""

from decimal import Decimal

from actors.wording.market import cooldown_words
from domain.market.instruments import Instrument
from domain.operator import wording as say
from domain.operator.notices import Notice, NoticeKind
from domain.rules import StopPolicy, TradingRules
from domain.strategies.base import Regime
from domain.trading.cooldowns import AssetCooldown
from domain.trading.decisions import Approval
from domain.trading.orders import ExitReason
from domain.trading.positions import Position, Trade
from domain.trading.sizing import protective_levels

_EXITS = {
    ExitReason.STOP_LOSS: "stop loss at the exchange",
    ExitReason.TAKE_PROFIT: "take profit at the exchange",
    ExitReason.TRAILING_STOP: "trailing stop at the exchange",
    ExitReason.REGIME: "regime turned inactive",
    ExitReason.TIME: "maximum holding time reached",
    ExitReason.OPERATOR: "closed by the operator",
    ExitReason.REDUCE: "reduced by the operator",
    ExitReason.DRAWDOWN: "emergency: drawdown",
    ExitReason.HALT: "emergency: drawdown, trading halted",
    ExitReason.DAILY_LOSS: "emergency: daily loss",
    ExitReason.CORRELATION: "emergency: high correlation",
    ExitReason.CAPITAL_LOSS: "emergency: entry capital lost, trading halted",
    ExitReason.MALFUNCTION: "malfunction",
    ExitReason.NAKED: "no stop loss could be set",
    ExitReason.LIQUIDATION: "liquidated by the exchange",
    ExitReason.EXTERNAL: "closed by hand or by the exchange",
}


def entered(
    order_id: str,
    position: Position,
    approval: Approval | None,
    *,
    exposure: Decimal,
    balance: Decimal | None,
    rules: TradingRules,
) -> Notice:
    """Return the notice of a position opened by our own order.

    Args:
        order_id: the order's own id.
        position: after its last fill.
        approval: that led to it; None if it is not stored.
        exposure: sum of the entry notionals of all open positions, including this one.
        balance: of the wallet; None if it is not known.
        rules: the limits.
    """
    asset, instrument = position.asset, rules.asset(position.asset).instrument
    stops = rules.asset(asset).stops if position.terms is None else position.terms.stops
    side = say.direction(position.side)
    lines = [
        f"{'📉' if side == 'SHORT' else '📈'} {asset}: {side} opened",
        f"Entry {say.price(position.avg_entry_price, instrument)}",
        f"Qty {position.qty:f} {asset}, {say.money(position.notional)}",
        *([] if approval is None else _why(approval, position.opened_ms, instrument)),
        *_levels(position, instrument, stops),
        _exposure(exposure, balance),
        say.utc_second(position.opened_ms),
        say.why(order_id),
    ]
    return Notice(
        key=f"entry/{order_id}",
        kind=NoticeKind.ENTRY,
        asset=asset,
        cause="entry",
        t_ms=position.opened_ms,
        text="\n".join(lines),
    )


def _why(approval: Approval, now_ms: int, instrument: Instrument) -> list[str]:
    age = say.minutes(max(0, now_ms - approval.signal_ms))
    kinds = approval.kinds.replace("_", " ").lower().split("+") if approval.kinds else []
    return [
        f"{say.GOOD} Regime {Regime.ACTIVE}",
        *say.values(approval.values, instrument),
        *(f"Signal: {kind}" for kind in kinds),
        f"Signal {age} old",
    ]


def _levels(position: Position, instrument: Instrument, stops: StopPolicy) -> list[str]:
    levels = protective_levels(position.avg_entry_price, position.side, stops, instrument)
    stop, take = stops.first_distance, stops.take_profit_fraction
    lines = [f"Stop loss {say.price(levels.stop_loss, instrument)} ({say.percent(stop)})"]
    if stops.trail_fraction is not None:
        lines.append(f"Trailing {say.percent(stops.trail_fraction)} behind the best price")
    if take is not None and levels.take_profit is not None:
        lines.append(
            f"Take profit {say.price(levels.take_profit, instrument)} ({say.percent(take)})"
        )
        lines.append(f"Risk/reward 1:{take / stop:.1f}")
    return lines


def _exposure(exposure: Decimal, balance: Decimal | None) -> str:
    share = f" ({say.percent(exposure / balance)})" if balance else ""
    return f"Exposure now {say.money(exposure)}{share}"


def exited(fact_id: int, trade: Trade, rest: AssetCooldown | None, rules: TradingRules) -> Notice:
    """Return the notice of a closed trade.

    Args:
        fact_id: of the trade.
        trade: the round trip.
        rest: the asset's cooldown, if the trade has started or prolonged it.
        rules: the limits.
    """
    asset = rules.asset(trade.asset)
    margin = trade.qty * trade.entry_price / asset.leverage
    sign, result = (say.BAD, "LOSS") if trade.pnl < 0 else (say.GOOD, "PROFIT")
    lines = [
        f"{sign} {trade.asset}: {say.direction(trade.side)} closed, {result}",
        f"Reason: {_EXITS[trade.reason]}",
        f"Exit {say.price(trade.exit_price, asset.instrument)}",
        f"Entry {say.price(trade.entry_price, asset.instrument)}",
        f"Held {say.duration(trade.exit_ms - trade.entry_ms)}",
        f"PnL {say.gain(trade.pnl)}",
        f"{say.signed_percent(trade.pnl / margin)} of the margin used",
        f"Fees {say.usdt(trade.fees)}",
        f"Funding {say.gain(trade.funding)}",
        *_rest(trade, rest, rules),
        say.utc_second(trade.exit_ms),
        say.why(say.trade_name(trade.asset, trade.exit_ms)),
    ]
    return Notice(
        key=f"exit/{fact_id}",
        kind=NoticeKind.EXIT,
        asset=trade.asset,
        cause=trade.reason,
        t_ms=trade.exit_ms,
        text="\n".join(lines),
    )


def _rest(trade: Trade, rest: AssetCooldown | None, rules: TradingRules) -> list[str]:
    if rest is None or rest.reason is None:
        return ["No new cooldown"]
    length = say.minutes(rest.end_ms - trade.exit_ms)
    return [
        f"{say.CLOCK} Cooldown {length}:",
        f"  {cooldown_words(rest.reason, rules.cooldown)}",
    ]


def opened_by_hand(exec_id: str, position: Position, rules: TradingRules) -> Notice:
    """Return the notice of a position opened or enlarged by no order of ours."""
    price = say.price(position.avg_entry_price, rules.asset(position.asset).instrument)
    lines = [
        f"{say.SIREN} {position.asset}: opened by hand",
        f"{say.direction(position.side)} {position.qty:f} at {price}",
        f"{position.asset} opens nothing while it is open.",
        "It gets a stop and is not closed.",
        "You can: close it at the exchange.",
        say.utc_second(position.opened_ms),
    ]
    return Notice(
        key=f"hand/{exec_id}",
        kind=NoticeKind.RISK,
        asset=position.asset,
        cause="opened by hand",
        t_ms=position.opened_ms,
        text="\n".join(lines),
    )
