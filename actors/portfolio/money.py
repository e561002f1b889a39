"""Transfers, and the comparison with the exchange's balance."""

from collections.abc import Iterable

from actors.messages import WalletSeen
from actors.names import NOTIFIER
from actors.portfolio.context import PortfolioContext
from actors.portfolio.protections import Protections
from actors.portfolio.watching import Watching
from actors.watch import WalletAudit, transfer_risk
from domain.trading.transfers import Transfer


class Money:
    """Books transfers."""

    def __init__(
        self,
        context: PortfolioContext,
        booked: Iterable[Transfer],
        protections: Protections,
        watching: Watching,
        wallet: WalletAudit,
    ) -> None:
        """Take over what an earlier incarnation has booked."""
        self._context = context
        self._booked = {transfer.transfer_id for transfer in booked}
        self._protections = protections
        self._watching = watching
        self._wallet = wallet

    def transfer(self, transfer: Transfer) -> None:
        """Book a transfer once; it and its effects are stored together or not at all."""
        if transfer.transfer_id in self._booked:
            return
        self._booked.add(transfer.transfer_id)
        self._context.books.apply_transfer(transfer)
        self._protections.store(transfer, self._context.books.protection)
        self._context.tell(NOTIFIER, transfer_risk(transfer))

    def compare(self, message: WalletSeen) -> None:
        """Compare the books' balance with the exchange's, unless facts wait to be stored.

        Waiting executions are processed once they are stored: until then the balances differ.
        """
        shortage = self._context.backlog.shortage()
        if shortage is None:
            ours = self._context.books.present().balance
            risk = self._wallet.compare(ours, message.balance, message.ts_ms)
        else:
            risk = None
            self._wallet.put_off()
        self._watching.note_broken(shortage)
        if risk is not None:
            self._context.tell(NOTIFIER, risk)
