"""Texts about the market: regimes, denied entries, cooldowns."""

from domain.operator import wording as say
from domain.operator.notices import Notice, NoticeKind
from domain.rules import CooldownRules, TradingRules
from domain.strategies.base import Regime
from domain.strategies.explanation import Explanation
from domain.text import counted
from domain.trading.cooldowns import CooldownReason
from domain.trading.decisions import AssetEvaluation, Denial, DenialReason
from domain.trading.positions import Position

_REFUSALS = {
    DenialReason.HALTED: "trading is halted",
    DenialReason.GLOBAL_COOLDOWN: "the portfolio is in a cooldown",
    DenialReason.EMERGENCY: "an emergency fires at this close",
    DenialReason.DAILY_LOSS: "the daily loss is at its limit",
    DenialReason.MAX_POSITIONS: "all positions are taken",
    DenialReason.MAX_SIMULTANEOUS: "too many entries at one close",
    DenialReason.CORRELATION: "correlated with an open position",
    DenialReason.GROUP: "its correlated group is full",
    DenialReason.EXPOSURE: "no exposure is left",
    DenialReason.SIZE: "too small for the exchange",
    DenialReason.STALE: "the close is too old",
    DenialReason.POSITION_SIZE: "the position would be too large",
    DenialReason.CONCENTRATION: "too much in few positions",
    DenialReason.PAUSED: "the asset is paused",
    DenialReason.MALFUNCTION: "a malfunction blocks entries",
    DenialReason.LIQUIDITY: "the market is too thin",
}


def regime_changed(
    report: AssetEvaluation,
    previous: Regime,
    position: Position | None,
    rules: TradingRules,
    stopped_by: str = "",
) -> Notice:
    """Return the notice of a new regime.

    Args:
        report: evaluation of the close at which it began.
        previous: the one before.
        position: the asset's open one.
        rules: the instruments.
        stopped_by: what blocks all entries; empty: nothing does.
    """
    instrument = rules.asset(report.asset).instrument
    is_good = report.regime is Regime.ACTIVE
    sign, verdict = (say.GOOD, "favorable") if is_good else (say.BAD, "not favorable")
    lines = [
        f"{sign} {report.asset}: {verdict} for entries",
        f"Regime {previous} → {report.regime}",
        f"Price {say.price(report.close, instrument)}{f', {report.note}' if report.note else ''}",
        *say.values(report.values, instrument),
        _meaning(report, position, stopped_by),
        say.utc_second(report.t_ms),
    ]
    return Notice(
        key=f"regime/{report.asset}/{report.t_ms}",
        kind=NoticeKind.REGIME,
        asset=report.asset,
        cause="regime",
        t_ms=report.t_ms,
        text="\n".join(lines),
    )


def _meaning(report: AssetEvaluation, position: Position | None, stopped_by: str) -> str:
    if position is not None:
        closes = "is closed now" if report.strategy_exit is not None else "stays open"
        return f"The open {say.direction(position.side)} {closes}."
    if stopped_by:
        return f"No entries: {stopped_by}."
    if report.regime is Regime.ACTIVE:
        return "A fresh signal may open a position."
    if report.regime is Regime.COOLDOWN:
        return "No entries until the cooldown ends."
    return "No entries."


def entry_denied(denial: Denial) -> Notice:
    """Return the notice of an entry that was denied."""
    lines = [
        f"✋ {denial.asset}: entry refused",
        f"Reason: {_REFUSALS[denial.reason]}",
        *_some(say.pairs(denial.figures)),
        f"Signal {say.minutes(denial.t_ms - denial.signal_ms)} old",
        say.utc_second(denial.t_ms),
        say.why(denial.client_order_id),
    ]
    return Notice(
        key=f"refused/{denial.asset}/{denial.signal_ms}",
        kind=NoticeKind.REFUSED,
        asset=denial.asset,
        cause=denial.reason,
        t_ms=denial.t_ms,
        text="\n".join(lines),
    )


def conditions(explanation: Explanation) -> list[str]:
    """Return each condition of a close as a line, those of an open position first."""
    judged = [*explanation.stay, *explanation.entry]
    return [f"{'yes' if each.holds else 'NO '} {each.words(say.utc)}" for each in judged]


def cooldown_words(reason: CooldownReason, rules: CooldownRules) -> str:
    """Return why an asset is in cooldown."""
    match reason:
        case CooldownReason.SHORT_HOLD:
            return f"trade held under {say.duration(rules.short_hold_ms or 0)}"
        case CooldownReason.LOSS_STREAK:
            return f"{rules.loss_streak} or more losses in a row"
        case CooldownReason.TRADES_PER_HOUR:
            return f"more than {counted(rules.trades_per_hour or 0, 'trade')} in an hour"
        case CooldownReason.TRADES_PER_DAY:
            return f"{rules.trades_per_day} or more trades today"


def cooldown_started(asset: str | None, why: str, from_ms: int, end_ms: int) -> Notice:
    """Return the notice of a cooldown of an asset, or of the portfolio if that is None."""
    lines = [
        f"{say.CLOCK} {asset or 'Portfolio'}: cooldown {say.minutes(end_ms - from_ms)}",
        f"Reason: {why}",
        f"Until {say.utc(end_ms)}",
        say.utc_second(from_ms),
    ]
    return _cooldown(asset, "start", from_ms, end_ms, lines)


def cooldown_ended(asset: str | None, end_ms: int, stopped_by: str = "") -> Notice:
    """Return the notice that a cooldown is over.

    Args:
        asset: of the cooldown; None: the portfolio.
        end_ms: when it ended.
        stopped_by: what still blocks its entries; empty: nothing does.
    """
    left = ["0 min left, entries are allowed again"]
    if stopped_by:
        left = ["0 min left", f"No entries: {stopped_by}"]
    lines = [
        f"{say.CLOCK} {asset or 'Portfolio'}: cooldown over",
        *left,
        say.utc_second(end_ms),
    ]
    return _cooldown(asset, "end", end_ms, end_ms, lines)


def cooldown_key(asset: str | None, what: str, end_ms: int) -> str:
    """Return the key of the notice of a cooldown's start or end."""
    return f"cooldown/{asset or 'portfolio'}/{what}/{end_ms}"


def _cooldown(asset: str | None, what: str, t_ms: int, end_ms: int, lines: list[str]) -> Notice:
    return Notice(
        key=cooldown_key(asset, what, end_ms),
        kind=NoticeKind.COOLDOWN,
        asset=asset,
        cause=what,
        t_ms=t_ms,
        text="\n".join(lines),
    )


def _some(line: str) -> list[str]:
    return [line] if line else []
