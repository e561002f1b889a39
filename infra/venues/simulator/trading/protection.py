"""A position's own stops: stop loss, take profit and trailing stop, for all or part of it."""

from decimal import Decimal

from domain.market.instruments import Side
from domain.trading.positions import ZERO
from domain.trading.sizing import ProtectiveLevels
from infra.venues.simulator.books.account import Account
from infra.venues.simulator.position_keys import idx_of, symbol_of
from infra.venues.simulator.records import Status, StopRecord, VenueOrder
from infra.venues.simulator.trading.ledger import OrderLedger
from infra.venues.simulator.trading.ports import Sink
from infra.venues.simulator.trading.requests import PartialStops

_NEVER = Decimal("Infinity")
_RISE, _FALL = 1, 2


class Protection:
    """The protective orders of all positions.

    Always true: a flat symbol has none, and the qty of each is the position's.
    """

    def __init__(self, account: Account, ledger: OrderLedger, sink: Sink) -> None:
        self.records: list[StopRecord] = []
        """History of the stops of each position."""
        self._account = account
        self._ledger = ledger
        self._sink = sink
        self._pairs: dict[str, dict[str, VenueOrder]] = {}

    def pair(self, key: str) -> dict[str, VenueOrder]:
        """Return a position's orders by kind: StopLoss, TakeProfit, TrailingStop."""
        return dict(self._pairs.get(key, {}))

    def levels(self, key: str) -> dict[str, Decimal]:
        """Return their trigger prices."""
        return {
            kind: order.trigger_price
            for kind, order in self.pair(key).items()
            if order.trigger_price is not None
        }

    def trailing(self, key: str) -> Decimal:
        """Return the distance of the trailing stop; 0 if there is none."""
        order = self._pairs.get(key, {}).get("TrailingStop")
        return ZERO if order is None else order.trailing_distance or ZERO

    def set(
        self, key: str, kind: str, level: Decimal | None, trigger_by: str, parent: str = ""
    ) -> None:
        """Create, move or (0) remove one of the position's stops; None leaves it."""
        position = self._account.engine.positions[key]
        pair = self._pairs.setdefault(key, {})
        present = pair.get(kind)
        if level is None or (present is not None and present.trigger_price == level):
            return
        if level == 0:
            if present is not None:
                self.cancel(present, "CancelByTpSlTsClear")
            return
        if present is not None:
            present.trigger_price, present.trigger_by = level, trigger_by
            self._ledger.touch(present)
            return
        is_short = position.side is Side.SELL
        order = self._ledger.own(
            key,
            Side.BUY if is_short else Side.SELL,
            position.qty,
            create_type=f"CreateBy{kind}",
            reduce_only=True,
            trigger_price=level,
            stop_order_type=kind,
            trigger_by=trigger_by,
            trigger_direction=_RISE if is_short == (kind == "StopLoss") else _FALL,
        )
        order.parent_link_id = parent
        pair[kind] = order
        self._ledger.rest(order, Status.UNTRIGGERED)

    def trail(self, key: str, distance: Decimal, active_price: Decimal | None) -> None:
        """Create, change or (0) remove the position's trailing stop.

        It stays `distance` behind the best price from now on, or once `active_price` is reached.
        """
        position = self._account.engine.positions[key]
        present = self._pairs.setdefault(key, {}).pop("TrailingStop", None)
        if present is not None:
            self._ledger.cancel(present, "CancelByTpSlTsClear")
        if not distance:
            return
        is_long = position.side is Side.BUY
        begin = active_price or self._ledger.last_price(symbol_of(key))
        order = self._ledger.own(
            key,
            position.side.opposite,
            position.qty,
            create_type="CreateByTrailingStop"
            if active_price is None
            else "CreateByTrailingProfit",
            reduce_only=True,
            trigger_price=begin - distance if is_long else begin + distance,
            stop_order_type="TrailingStop",
            trigger_by="LastPrice",
            trigger_direction=_FALL if is_long else _RISE,
        )
        order.trailing_distance, order.active_price = distance, active_price
        self._pairs[key]["TrailingStop"] = order
        self._ledger.rest(order, Status.UNTRIGGERED)

    def add_partial(self, key: str, wanted: PartialStops) -> None:
        """Add stops for a part of a position."""
        made = [
            self._partial(key, wanted.qty, kind, level, trigger_by, limit)
            for kind, level, trigger_by, limit in (
                ("StopLoss", wanted.stop_loss, wanted.sl_trigger_by, wanted.sl_limit_price),
                ("TakeProfit", wanted.take_profit, wanted.tp_trigger_by, wanted.tp_limit_price),
            )
            if level
        ]
        if len(made) > 1:
            made[0].oco_id, made[1].oco_id = made[1].order_id, made[0].order_id
        for order in made:
            order.parent_link_id = wanted.parent_link_id
            self._ledger.rest(order, Status.UNTRIGGERED)

    def _partial(
        self,
        key: str,
        qty: Decimal,
        kind: str,
        level: Decimal,
        trigger_by: str,
        limit_price: Decimal | None,
    ) -> VenueOrder:
        is_short = self._account.engine.positions[key].side is Side.SELL
        return self._ledger.own(
            key,
            Side.BUY if is_short else Side.SELL,
            qty,
            create_type=f"CreateByPartial{kind}",
            reduce_only=True,
            trigger_price=level,
            stop_order_type=f"Partial{kind}",
            trigger_by=trigger_by,
            trigger_direction=_RISE if is_short == (kind == "StopLoss") else _FALL,
            limit_price=limit_price,
        )

    def cancel(self, order: VenueOrder, cancel_type: str) -> None:
        """Remove one stop."""
        self._pairs.get(order.key, {}).pop(order.stop_order_type, None)
        self._ledger.cancel(order, cancel_type)
        self.arm(order.key)
        self._record(order.key)

    def remove(self, key: str) -> None:
        """Remove all stops of a position that stays open."""
        for order in self.pair(key).values():
            self.cancel(order, "CancelByTpSlTsClear")
        self._sink.position(key)

    def clear(self, key: str) -> None:
        """Remove the stops of a closed position."""
        for order in self._pairs.pop(key, {}).values():
            if order.is_open:
                self._ledger.cancel(order, "CancelByTpSlTsClear")
        self._account.engine.stops.pop(key, None)
        self._record(key)

    def follow(self, key: str) -> None:
        """Bring the stops in line with the position's size and their levels."""
        position = self._account.engine.positions[key]
        for order in self.pair(key).values():
            if order.qty != position.qty:
                order.qty = position.qty
                self._ledger.touch(order)
        self.arm(key)
        self._record(key)

    def arm(self, key: str) -> None:
        """Pass the stops that trigger on the last price to the engine."""
        position = self._account.position(key)
        if position is None:
            return
        armed = {
            kind: order.trigger_price
            for kind, order in self.pair(key).items()
            if order.trigger_by == "LastPrice" and order.trigger_price is not None
        }
        above, below = _NEVER, ZERO
        is_short = position.side is Side.SELL
        never_lost, never_won = (above, below) if is_short else (below, above)
        self._account.engine.set_stops(
            key,
            ProtectiveLevels(
                stop_loss=armed.get("StopLoss", never_lost),
                take_profit=armed.get("TakeProfit", never_won),
            ),
        )

    def restore(self, order: VenueOrder) -> None:
        """Restore one state of a protective order of an earlier run."""
        pair = self._pairs.setdefault(order.key, {})
        if order.is_open:
            pair[order.stop_order_type] = order
        elif pair.get(order.stop_order_type, order).seq == order.seq:
            pair.pop(order.stop_order_type, None)

    def _record(self, key: str) -> None:
        position, levels = self._account.position(key), self.levels(key)
        qty = ZERO if position is None else position.qty
        is_short = position is not None and position.side is Side.SELL
        record = StopRecord(
            ts_ms=self._ledger.now_ms(),
            symbol=symbol_of(key),
            position_idx=idx_of(key),
            signed_qty=-qty if is_short else qty,
            stop_loss=levels.get("StopLoss"),
            take_profit=levels.get("TakeProfit"),
        )
        self.records.append(record)
        self._sink.stops(record)
