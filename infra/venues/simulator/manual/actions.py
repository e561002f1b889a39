"""Actions on prices, money and positions, by hand or on behalf of a fault."""

from decimal import Decimal

from domain.market.instruments import Side
from domain.trading.positions import Position
from infra.venues.simulator.faults.kinds import Kind
from infra.venues.simulator.faults.spec import FaultSpec
from infra.venues.simulator.memory.event_log import EventLog
from infra.venues.simulator.position_keys import symbol_of
from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.streams.market_publisher import MarketPublisher
from infra.venues.simulator.trading.venue import Venue


class ManualActions:
    """Acts on the exchange directly, past all clients."""

    def __init__(
        self, market: Market, venue: Venue, tape: MarketPublisher, chronicle: EventLog
    ) -> None:
        self._market = market
        self._venue = venue
        self._tape = tape
        self._chronicle = chronicle

    def move_price(self, symbol: str, price: Decimal, *, is_gap: bool) -> None:
        now_ms = self._venue.ledger.now_ms()
        tick = self._market.move(symbol, price, now_ms, is_gap=is_gap)
        self._chronicle.factors()
        self._venue.triggers.move(tick)
        self._tape.tick(tick)
        self._chronicle.commit()

    def deposit(self, amount: Decimal) -> None:
        """Deposit money, or withdraw it."""
        ledger = self._venue.ledger
        deposit = self._venue.account.deposit(amount, ledger.next_seq(), ledger.now_ms())
        self._chronicle.deposit(deposit)
        self._chronicle.commit()

    def act(self, symbol: str, spec: FaultSpec) -> bool:
        """Perform on one symbol what a fault requests.

        Returns:
            Whether it had anything to act on: a price, a position or a stop.
        """
        done, instrument = self._deeds(), self._venue.ledger.instrument(symbol)
        if spec.kind is Kind.PRICE_GAP:
            wanted = self._market.last_price(symbol) * (1 + spec.fraction)
            self.move_price(symbol, instrument.round_price_down(wanted), is_gap=True)
            return True
        if spec.kind is Kind.POSITION_OPENED:
            side = Side.BUY if spec.side == "Buy" else Side.SELL
            qty = spec.qty or instrument.min_order_qty * 10
            self._venue.force.trade_by_hand(symbol, side, qty, reduce_only=False)
        for key in self._venue.account.keys(symbol):
            self._act_on_position(key, symbol, spec)
        return self._deeds() > done

    def _act_on_position(self, key: str, symbol: str, spec: FaultSpec) -> None:
        venue = self._venue
        position = venue.account.position(key)
        if position is None:
            return
        if spec.kind is Kind.FUNDING:
            rate = venue.account.rules.funding.rate if spec.rate is None else spec.rate
            price = self._market.mark_price(symbol)
            venue.bookings.settle_funding(key, price, rate, venue.ledger.now_ms())
        elif spec.kind is Kind.STOP_REMOVED:
            venue.protection.remove(key)
        elif spec.kind is Kind.POSITION_CLOSED:
            self._close(position, spec)
        elif spec.kind is Kind.LIQUIDATION:
            venue.force.liquidate(key)
        elif spec.kind is Kind.ADL:
            venue.force.deleverage(key, spec.fraction)

    def _close(self, position: Position, spec: FaultSpec) -> None:
        side = position.side.opposite
        qty = position.qty if spec.qty is None else min(spec.qty, position.qty)
        self._venue.force.trade_by_hand(symbol_of(position.asset), side, qty, reduce_only=True)

    def _deeds(self) -> int:
        return len(self._venue.account.transactions) + len(self._venue.protection.records)
