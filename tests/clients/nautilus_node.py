"""A live node of nautilus_trader at a simulated exchange; prints what it saw as JSON.

Arguments: the exchange's address, its streams' address, key, secret, a file with the documented
lines, `enter` or `leave`, and `ws` where orders go by WebSocket. Newer versions have other
clients, which know environments: orders go by WebSocket in all but that of the demo. They set no
trailing stops.
"""

import json
import runpy
import sys
from datetime import timedelta
from decimal import Decimal
from threading import Timer

from nautilus_trader.adapters.bybit import factories
from nautilus_trader.adapters.bybit.config import BybitDataClientConfig, BybitExecClientConfig
from nautilus_trader.config import (
    InstrumentProviderConfig,
    LiveExecEngineConfig,
    LoggingConfig,
    TradingNodeConfig,
)
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.enums import OrderSide, TrailingOffsetType, TriggerType
from nautilus_trader.model.identifiers import InstrumentId, TraderId
from nautilus_trader.trading.strategy import Strategy

try:
    from nautilus_trader.adapters.bybit.common.enums import BybitProductType
except ImportError:
    from nautilus_trader.core.nautilus_pyo3 import BybitEnvironment, BybitProductType

    IS_NEWER = True
else:
    IS_NEWER = False

REST, STREAMS, KEY, SECRET, DOCUMENTED, TASK, *MORE = sys.argv[1:]
INSTRUMENT = InstrumentId.from_str("BTCUSDT-LINEAR.BYBIT")
PATIENCE_S = 60
SEEN: dict = {"quotes": 0, "filled": [], "denied": []}
STREAMS_FROM = runpy.run_path(DOCUMENTED)
"""What the documentation says of the address of public streams."""


class Trader(Strategy):
    """Enters long with a trailing stop on the exchange, or closes what a restart has found."""

    def on_start(self) -> None:
        """Take note of what was reconciled, and begin."""
        self.instrument = self.cache.instrument(INSTRUMENT)
        SEEN["reconciled"] = [
            str(position.signed_decimal_qty()) for position in self.cache.positions_open()
        ]
        SEEN["orders"] = len(self.cache.orders_open())
        self.subscribe_quote_ticks(INSTRUMENT)
        self.is_begun = False

    def on_quote_tick(self, tick) -> None:
        """Begin with the first quote."""
        SEEN["quotes"] += 1
        if self.is_begun:
            return
        self.is_begun, self.price = True, Decimal(str(tick.bid_price))
        side = OrderSide.BUY if TASK == "enter" else OrderSide.SELL
        qty = self.instrument.make_qty(Decimal("0.01"))
        self.submit_order(
            self.order_factory.market(INSTRUMENT, side, qty, reduce_only=TASK == "leave")
        )

    def on_order_filled(self, event) -> None:
        """Protect what was entered, or be done."""
        SEEN["filled"].append(str(event.order_side))
        if TASK == "leave":
            self.cancel_all_orders(INSTRUMENT)
            self.clock.set_time_alert(
                "end", self.clock.utc_now() + timedelta(seconds=1), lambda _: stop()
            )
            return
        if event.order_side == OrderSide.SELL:
            return
        self.submit_order(self.stop_order())
        self.clock.set_time_alert(
            "end", self.clock.utc_now() + timedelta(seconds=1), lambda _: stop()
        )

    def stop_order(self):
        """Return what protects the position."""
        qty, trigger = self.instrument.make_qty(Decimal("0.01")), TriggerType.LAST_PRICE
        if IS_NEWER:
            return self.order_factory.stop_market(
                INSTRUMENT,
                OrderSide.SELL,
                qty,
                trigger_price=self.instrument.make_price(self.price - 900),
                trigger_type=trigger,
                reduce_only=True,
            )
        return self.order_factory.trailing_stop_market(
            INSTRUMENT,
            OrderSide.SELL,
            qty,
            trailing_offset=Decimal(900),
            trailing_offset_type=TrailingOffsetType.PRICE,
            trigger_type=trigger,
            reduce_only=True,
        )

    def on_order_rejected(self, event) -> None:
        """Keep the reason."""
        SEEN["denied"].append(str(event.reason))


def stop() -> None:
    """Let the node end by itself."""
    node.kernel.loop.call_soon_threadsafe(node.stop)


ACCOUNT = {
    "api_key": KEY,
    "api_secret": SECRET,
    "product_types": [BybitProductType.LINEAR],
    "base_url_http": REST,
    "instrument_provider": InstrumentProviderConfig(load_all=True),
}
WAY = {"use_ws_trade_api": "ws" in MORE}
if IS_NEWER:
    ACCOUNT["environment"] = BybitEnvironment.TESTNET if "ws" in MORE else BybitEnvironment.DEMO
    WAY = {}
node = TradingNode(
    TradingNodeConfig(
        trader_id=TraderId("TESTER-001"),
        logging=LoggingConfig(log_level="WARNING"),
        exec_engine=LiveExecEngineConfig(reconciliation=True),
        data_clients={"BYBIT": BybitDataClientConfig(**ACCOUNT)},
        exec_clients={
            "BYBIT": BybitExecClientConfig(
                **ACCOUNT,
                base_url_ws_private=f"{STREAMS}/v5/private",
                base_url_ws_trade=f"{STREAMS}/v5/trade",
                **WAY,
                use_ws_execution_fast="ws" in MORE,
            )
        },
        timeout_disconnection=2.0,
        timeout_post_stop=1.0,
    )
)
node.trader.add_strategy(Trader())
node.add_data_client_factory(
    "BYBIT",
    STREAMS_FROM.get("SimulatedDataClientFactory", factories.BybitLiveDataClientFactory),
)
node.add_exec_client_factory("BYBIT", factories.BybitLiveExecClientFactory)
node.build()
watchdog = Timer(PATIENCE_S, stop)
watchdog.start()
try:
    node.run()
finally:
    watchdog.cancel()
    node.dispose()
print(json.dumps(SEEN))  # noqa: T201 - the test reads it
