"""What all rules of the venue work on."""

from dataclasses import dataclass

from infra.simulator.books.account import Account
from infra.simulator.books.margins import Margins
from infra.simulator.prices.market import Market
from infra.simulator.trading.ledger import OrderLedger
from infra.simulator.trading.ports import Chances, Sink
from infra.simulator.trading.protection import Protection


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The parts of one venue below its rules."""

    account: Account
    margins: Margins
    market: Market
    ledger: OrderLedger
    protection: Protection
    sink: Sink
    chances: Chances
