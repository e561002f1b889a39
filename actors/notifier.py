"""The actor that tells people: puts events into words and hands them to a channel.

Receives: every event a person should hear of.
Publishes: nothing. No channel can delay trading, since nobody waits for this actor.
Owns: the words.
"""

from datetime import UTC, datetime
from decimal import Decimal

from actors.core.actor import Incarnation, SupervisedActor
from actors.messages import (
    ConnectionLost,
    ConnectionRestored,
    EntryRefused,
    GivenUp,
    LossStreakReached,
    Message,
    PositionDiffers,
    PositionNaked,
    PositionOpened,
    ProtectionFired,
    RegimeChanged,
    Restarted,
    RiskRaised,
    TradeClosed,
)
from actors.ports import Channel
from domain.decisions import Protection, Refusal, Report
from domain.market import MINUTE_MS
from domain.positions import Position, Trade
from domain.regime import Regime


class NotifierActor(SupervisedActor):
    """The system's voice."""

    def __init__(self, incarnation: Incarnation, *, channel: Channel) -> None:
        """Take over `notifier`."""
        super().__init__(incarnation)
        self._channel = channel
        self._told_epoch = 0

    def handle(self, message: Message) -> None:
        """Do what a message says."""
        match message:
            case RegimeChanged(report=report, previous=previous):
                self._channel.send("regime", _regime_text(report, previous))
            case PositionOpened(position=position):
                self._channel.send("entry", _entry_text(position))
            case TradeClosed(trade=trade):
                self._channel.send("exit", _exit_text(trade))
            case EntryRefused(refusal=refusal):
                self._channel.send("refused", _refusal_text(refusal))
            case ProtectionFired(protection=protection):
                self._on_protection(protection)
            case PositionDiffers(asset=asset, detail=detail):
                self._channel.send("risk", f"{asset} opens nothing: {detail}")
            case Restarted(address=address, generation=generation):
                self._channel.send("actor", f"{address} restarted, life {generation}")
            case PositionNaked(asset=asset):
                self._channel.send("risk", f"{asset} stood without its stop")
            case (
                ConnectionLost(asset=asset, what=what) | ConnectionRestored(asset=asset, what=what)
            ):
                self._channel.send("actor", f"{asset} {what}: {type(message).__name__}")
            case RiskRaised(what=what, figures=figures, effect=effect, advice=advice):
                self._channel.send("risk", f"{what}; {figures}; {effect}; {advice}")
            case LossStreakReached():
                self._channel.send("risk", "too many losses in a row")
            case GivenUp(address=address, cause=cause):
                self._channel.send("suspended", f"{address} was given up: {cause}")
            case _:
                self.refuse(message)

    def _on_protection(self, protection: Protection) -> None:
        # A restarted portfolio tells it again, lest its crash has swallowed the first time.
        if protection.epoch > self._told_epoch:
            self._told_epoch = protection.epoch
            self._channel.send("risk", _protection_text(protection))


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _money(value: Decimal) -> str:
    return f"{value:+,.2f} USDT"


def _regime_text(report: Report, previous: Regime) -> str:
    return f"{report.asset} {previous} -> {report.regime} at {report.close}, {_time(report.t_ms)}"


def _entry_text(position: Position) -> str:
    return (
        f"{position.asset} short {position.qty} at {position.avg_entry_price:f}, "
        f"{_time(position.opened_ms)}"
    )


def _exit_text(trade: Trade) -> str:
    held_min = (trade.exit_ms - trade.entry_ms) // MINUTE_MS
    return (
        f"{trade.asset} closed at {trade.exit_price:f} after {held_min} min by {trade.reason}: "
        f"{_money(trade.pnl)}, {_time(trade.exit_ms)}"
    )


def _refusal_text(refusal: Refusal) -> str:
    return (
        f"{refusal.asset} entry refused: {refusal.reason} ({refusal.figures}), "
        f"{_time(refusal.t_ms)}"
    )


def _protection_text(protection: Protection) -> str:
    closed = ", ".join(close.asset for close in protection.closes) or "nothing open"
    return (
        f"{protection.reason}: closing {closed}; no entries before "
        f"{_time(protection.cooldown_end_ms)} ({protection.figures})"
    )
