"""The state that all rules of the venue work on."""

from dataclasses import dataclass

from infra.venues.simulator.books.account import Account
from infra.venues.simulator.books.margins import Margins
from infra.venues.simulator.prices.market import Market
from infra.venues.simulator.trading.ledger import OrderLedger
from infra.venues.simulator.trading.ports import Chances, Sink
from infra.venues.simulator.trading.protection import Protection


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueContext:
    """The parts of one venue below its rules."""

    account: Account
    margins: Margins
    market: Market
    ledger: OrderLedger
    protection: Protection
    sink: Sink
    chances: Chances
