"""The JSON of the account's money; one USDT counts as one USD."""

from domain.trading.positions import ZERO
from infra.venues.simulator.shapes.text import Json, money
from infra.venues.simulator.trading.venue import Venue


def wallet_row(venue: Venue) -> Json:
    """Return a row of wallet-balance; the stream has the same form."""
    account, margins, ledger = venue.account, venue.margins, venue.ledger
    wallet, unrealized_pnl = account.engine.wallet, margins.unrealized_pnl()
    equity = wallet + unrealized_pnl
    positions_margin = margins.of_positions()
    orders_margin = margins.of_orders(ledger.open_orders())
    initial = positions_margin + orders_margin
    maintenance = margins.maintenance_of_positions()
    available = max(ZERO, margins.available(ledger.open_orders()))
    realized = sum((book.realized_ever for book in account.books.values()), ZERO)
    im_rate = money(initial / equity) if equity > 0 else "0"
    mm_rate = money(maintenance / equity) if equity > 0 else "0"
    return {
        "totalEquity": money(equity),
        "accountIMRate": im_rate,
        "accountIMRateByMp": im_rate,
        "totalMarginBalance": money(equity),
        "totalInitialMargin": money(initial),
        "totalInitialMarginByMp": money(initial),
        "accountType": "UNIFIED",
        "totalAvailableBalance": money(available),
        "accountMMRate": mm_rate,
        "accountMMRateByMp": mm_rate,
        "totalPerpUPL": money(unrealized_pnl),
        "totalWalletBalance": money(wallet),
        "accountLTV": "0",
        "totalMaintenanceMargin": money(maintenance),
        "totalMaintenanceMarginByMp": money(maintenance),
        "coin": [
            {
                "availableToBorrow": "",
                "bonus": "0",
                "accruedInterest": "0",
                "availableToWithdraw": "",
                "totalOrderIM": money(orders_margin),
                "equity": money(equity),
                "totalPositionMM": money(maintenance),
                "usdValue": money(equity),
                "spotHedgingQty": "0",
                "unrealisedPnl": money(unrealized_pnl),
                "collateralSwitch": True,
                "borrowAmount": "0",
                "totalPositionIM": money(positions_margin),
                "walletBalance": money(wallet),
                "cumRealisedPnl": money(realized),
                "locked": "0",
                "marginCollateral": True,
                "coin": "USDT",
                "spotBorrow": "0",
                "colRes": "0",
            }
        ],
    }
