"""Texts of dangers: protections, losing streaks, positions in trouble."""

from collections.abc import Sequence

from actors.messages import PositionDiffers, PositionUnprotected, RiskRaised
from domain.operator import wording as say
from domain.operator.notices import Notice, NoticeKind
from domain.portfolio.protection import ProtectionState
from domain.rules import ProtectionRules
from domain.trading.decisions import Protection
from domain.trading.orders import ExitReason

_FIRED = {
    ExitReason.HALT: "HALT: drawdown",
    ExitReason.CAPITAL_LOSS: "HALT: entry capital lost",
    ExitReason.DRAWDOWN: "EMERGENCY: drawdown",
    ExitReason.DAILY_LOSS: "EMERGENCY: daily loss",
    ExitReason.CORRELATION: "EMERGENCY: correlation",
    ExitReason.MALFUNCTION: "EMERGENCY: malfunction",
    ExitReason.OPERATOR: "PANIC",
}


def protection_fired(protection: Protection, rules: ProtectionRules, asker: str = "") -> Notice:
    """Return the notice of an emergency, a halt or a panic.

    Args:
        protection: that fired.
        rules: its limits.
        asker: of a panic: who requested it, and through which channel.
    """
    is_halt = protection.reason in (ExitReason.HALT, ExitReason.CAPITAL_LOSS)
    closing = ", ".join(close.asset for close in protection.closes)
    blocked = []
    if protection.cooldown_end_ms > protection.t_ms:
        blocked = [f"No entries until {say.utc(protection.cooldown_end_ms)}"]
    advice = "You can: check the account."
    if is_halt:
        blocked = ["No entries until rearm"]
        advice = "You can: check, then send rearm."
    elif protection.reason is ExitReason.OPERATOR:
        blocked = ["No entries until rearm"]
        advice = "You can: wait until all is flat."
    elif protection.reason is ExitReason.MALFUNCTION:
        blocked = ["No entries until it works again", *blocked]
    elif protection.reason is ExitReason.DAILY_LOSS:
        blocked = ["No entries for the rest of the UTC day", *blocked]
    lines = [
        f"{say.SIREN} {_FIRED.get(protection.reason, str(protection.reason))}",
        *([f"Asked for by {say.asker(asker)}"] if asker else []),
        *_figures(protection, rules),
        f"Closing: {closing or 'nothing is open'}",
        *blocked,
        advice,
        say.utc_second(protection.t_ms),
    ]
    return _risk(f"protection/{protection.epoch}", None, protection.reason, protection.t_ms, lines)


def _figures(protection: Protection, rules: ProtectionRules) -> list[str]:
    limits = {
        "drawdown": rules.drawdown_halt_fraction
        if protection.reason is ExitReason.HALT
        else rules.drawdown_emergency_fraction,
        "daily_loss": rules.max_daily_loss_fraction,
    }
    lines = []
    for pair in protection.figures.split():
        name = pair.partition("=")[0]
        known = limits.get(name)
        limit = "" if known is None else f", limit {say.percent(known)}"
        lines.append(f"{say.pairs(pair)}{limit}")
    if protection.reason is ExitReason.CORRELATION:
        lines.append(f"Mean correlation above {rules.high_correlation_threshold:g}")
    if protection.reason is ExitReason.CAPITAL_LOSS and rules.capital_loss_fraction is not None:
        lines.append(f"Limit of the loss {say.percent(rules.capital_loss_fraction)}")
    return lines


def size_changed(state: ProtectionState, rules: ProtectionRules) -> Notice:
    """Return the notice that the first drawdown level was crossed, in either direction."""
    drawdown = say.percent(state.drawdown)
    if state.is_reduced:
        level, multiplier = rules.drawdown_steps[state.reduction_step - 1]
        size = say.percent(multiplier, 0)
        lines = [
            f"{say.SIREN} Drawdown: smaller entries",
            f"Drawdown {drawdown}, limit {say.percent(level)}",
            "Nothing was closed.",
            f"New entries at {size} of their size",
            f"until it is below {say.percent(rules.drawdown_restore_fraction)}.",
            "You can: wait, or pause all.",
        ]
    else:
        lines = [
            f"{say.GOOD} Drawdown: full size again",
            f"Drawdown {drawdown}, limit {say.percent(rules.drawdown_restore_fraction)}",
        ]
    key = f"size/{state.is_reduced}/{state.t_ms}"
    return _risk(key, None, "reduced size", state.t_ms, [*lines, say.utc_second(state.t_ms)])


def rearmed(state: ProtectionState) -> Notice:
    """Return the notice that a halt was ended."""
    lines = [
        f"{say.GOOD} Halt ended: trading again",
        f"Peak equity is now {say.usdt(state.peak_equity)}",
        say.utc_second(state.t_ms),
    ]
    return _risk(f"rearmed/{state.epoch}", None, "rearm", state.t_ms, lines)


def loss_streak_reached(end_ms: int, rules: ProtectionRules) -> Notice:
    """Return the notice that too many trades in a row lost."""
    from_ms = end_ms - rules.loss_streak_cooldown_ms
    lines = [
        f"{say.SIREN} {rules.loss_streak} losing trades in a row",
        f"Limit {rules.loss_streak} over all assets",
        "Nothing was closed.",
        f"No entries until {say.utc(end_ms)}" if end_ms > from_ms else "No cooldown follows.",
        "You can: wait, or pause all.",
        say.utc_second(from_ms),
    ]
    return _risk(f"streak/{end_ms}", None, "loss streak", from_ms, lines)


def position_differs(message: PositionDiffers) -> Notice:
    """Return the notice that the books and the exchange disagree."""
    asset = message.asset
    lines = [
        f"{say.SIREN} {asset}: books differ",
        say.words(message.detail),
        "Nothing was closed.",
        f"{asset} opens nothing until they agree.",
        "You can: look at the exchange.",
        say.utc_second(message.since_ms),
    ]
    key = f"differs/{asset}/{message.since_ms}"
    return _risk(key, asset, "differs", message.since_ms, lines)


def position_unprotected(message: PositionUnprotected, limit_ms: int) -> Notice:
    """Return the notice that a position had no stop."""
    asset = message.asset
    done = ["The stop was set again.", "Nothing was closed."]
    if not message.is_set_again:
        done = ["No stop could be set.", "The position is closed at market."]
        if message.is_by_hand:
            done = ["No stop could be set.", "Opened by hand, it is not closed."]
    lines = [
        f"{say.SIREN} {asset}: position without a stop",
        f"Allowed for {say.duration(limit_ms)}",
        *done,
        "You can: look at the exchange.",
        say.utc_second(message.since_ms),
    ]
    key = f"naked/{asset}/{message.since_ms}/{message.is_set_again}"
    return _risk(key, asset, "naked", message.since_ms, lines)


def risk_raised(message: RiskRaised, t_ms: int) -> Notice:
    """Return the notice of a danger that has its own text."""
    is_named = message.asset is None or message.asset in message.what
    about = "" if is_named else f"{message.asset}: "
    advice = message.advice and f"You can: {message.advice}"
    lines = [
        f"{say.SIREN} {about}{say.words(message.what)}",
        *(say.sentence(line) for line in (message.figures, message.effect, advice) if line),
        say.utc_second(t_ms),
    ]
    return _risk(f"risk/{message.key}", message.asset, message.what, t_ms, lines)


def risks_raised(messages: Sequence[RiskRaised], t_ms: int) -> Notice:
    """Return the notice of at least two dangers of one group."""
    first, *others = messages
    advice = first.advice and f"You can: {first.advice}"
    lines = [
        f"{say.SIREN} {say.words(first.what)}",
        *(say.sentence(each.what) for each in others),
        *(say.sentence(line) for line in (first.effect, advice) if line),
        say.utc_second(t_ms),
    ]
    return _risk(f"group/{first.group}/{first.key}/{t_ms}", None, first.group, t_ms, lines)


def _risk(key: str, asset: str | None, cause: str, t_ms: int, lines: list[str]) -> Notice:
    return Notice(
        key=key,
        kind=NoticeKind.RISK,
        asset=asset,
        cause=cause,
        t_ms=t_ms,
        text="\n".join(lines),
    )
