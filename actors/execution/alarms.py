"""Alarms that the operator must receive, however often the notifier dies, and their texts."""

from decimal import Decimal

from actors.core.actor import SupervisedActor
from actors.messages import Message, RiskRaised
from actors.names import NOTIFIER
from domain.trading.order import Order
from domain.trading.orders import Intent, RestingOrder
from domain.trading.positions import Position


class Alarms:
    """The newest alarm of each kind."""

    def __init__(self, actor: SupervisedActor) -> None:
        """Start without alarms."""
        self._actor = actor
        self._newest: dict[str, Message] = {}

    def tell(self, alarm: Message) -> None:
        """Raise an alarm; the same danger only once."""
        kind = type(alarm).__name__
        if isinstance(alarm, RiskRaised):
            kind = alarm.key.partition("/")[0]
            told = self._newest.get(kind)
            if isinstance(told, RiskRaised) and told.key == alarm.key:
                return
        self._newest[kind] = alarm
        self._actor.tell(NOTIFIER, alarm)

    def tell_again(self) -> None:
        """Repeat to a new notifier what the last one may have lost."""
        for alarm in self._newest.values():
            self._actor.tell(NOTIFIER, alarm)


def foreign_order(asset: str, resting: RestingOrder) -> RiskRaised:
    """Return the alarm for an order at the exchange that this system did not send."""
    return RiskRaised(
        key=f"foreign/{resting.venue_order_id}",
        asset=asset,
        what=f"an order of {asset} that this system did not send",
        figures=f"order={resting.venue_order_id} side={resting.side} qty={resting.qty}",
        effect="it is left alone and blocks nothing",
        advice="cancel it, or expect its fill to be booked as external",
    )


def access_denied(asset: str, why: str, since_ms: int) -> RiskRaised:
    """Return the alarm for an exchange that refuses our key."""
    return RiskRaised(
        key=f"denied/{asset}/{since_ms}",
        asset=asset,
        what=f"the exchange denies access for {asset}",
        figures=why,
        effect="nothing is opened until it answers; open positions stay under their stops",
        advice="check the API key, its permissions and its IP binding",
    )


def stop_is_passed(
    asset: str, stop_loss: Decimal, mark_price: Decimal, since_ms: int
) -> RiskRaised:
    """Return the alarm for a stop that the price has passed without closing the position."""
    return RiskRaised(
        key=f"passed/{asset}/{since_ms}",
        asset=asset,
        what=f"the price of {asset} is beyond its stop, but the position is still open",
        figures=f"mark={mark_price:f} stop={stop_loss:f}",
        effect="the exchange is queried; a missing stop is set again, or the position is closed",
        advice=f"look at the order at the exchange, or send close {asset}",
    )


def stop_is_tightened(position: Position, was: Decimal, stop_loss: Decimal) -> RiskRaised:
    """Return the alarm for a trailing stop that someone has tightened at the exchange."""
    asset = position.asset
    return RiskRaised(
        key=f"tightened/{asset}/{position.opened_ms}/{stop_loss:f}",
        asset=asset,
        what=f"the stop of {asset} was tightened at the exchange",
        figures=f"stop={stop_loss:f} was={was:f}",
        effect="it is kept and trails the best price from there; it is never loosened",
        advice="nothing if this was you; otherwise check who has access to the account",
    )


def not_reduced(order: Order) -> RiskRaised:
    """Return the alarm for a partial close that the exchange has refused."""
    asset = order.intent.request.asset
    return RiskRaised(
        key=f"reduce/{asset}/{order.intent.decided_ms}",
        asset=asset,
        what=f"{asset} was not reduced",
        figures=f"qty={order.intent.request.qty:f} filled={order.state.filled_qty:f}",
        effect="the position stays open under its stop; the reduction is not retried",
        advice=f"look at the exchange, then send reduce {asset} again",
    )


def not_closed(intent: Intent) -> RiskRaised:
    """Return the alarm for a position that repeated attempts fail to close."""
    asset = intent.request.asset
    return RiskRaised(
        key=f"close/{asset}/{intent.decided_ms}",
        asset=asset,
        what=f"{asset} cannot be closed",
        figures=f"attempts={intent.attempt}",
        effect="it is retried at growing intervals; the position stays under its stop",
        advice="close the position at the exchange",
    )
