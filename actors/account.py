"""The actor of the account: finds deposits and withdrawals, even those made while it was down.

Receives: AskAccount from its own timer; Restarted, GivenUp.
Publishes: TransferSeen, WalletSeen to the portfolio, which books and stores them; RiskRaised to the
notifier, about positions in symbols that are not in the settings.
Owns: nothing. Whatever it finds can be found again. It is an actor of its own so that a slow answer
of the exchange does not delay the portfolio's decisions.
"""

from loguru import logger

from actors.core.actor import Incarnation, SupervisedActor
from actors.messages import (
    AskAccount,
    GivenUp,
    Message,
    Restarted,
    TransferSeen,
    WalletSeen,
)
from actors.names import NOTIFIER, PORTFOLIO
from actors.ports import Clock, Journals, Timer, Wallet
from actors.watch import unmanaged_risk
from domain.errors import AccessDeniedError, BadDataError, UnavailableError
from domain.market.instruments import DAY_MS, HOUR_MS
from domain.trading.positions import UnmanagedPosition

LOOK_BACK_MS = 7 * DAY_MS
"""How long before the newest equity sample an unknown transfer may be."""
LATE_MS = 6 * HOUR_MS
"""How long after it happened a transfer may appear in the exchange's log."""


class AccountActor(SupervisedActor):
    """The account's money, apart from trades and funding."""

    def __init__(
        self,
        incarnation: Incarnation,
        *,
        wallet: Wallet,
        clock: Clock,
        journals: Journals,
        ask_every_ms: int,
    ) -> None:
        """Take over `account`.

        Args:
            incarnation: of this actor.
            wallet: at the exchange.
            clock: for the timer.
            journals: of the facts.
            ask_every_ms: fixed interval of asking the exchange.
        """
        super().__init__(incarnation)
        self._wallet = wallet
        self._clock = clock
        self._journals = journals
        self._ask_every_ms = ask_every_ms
        self._timer: Timer | None = None
        self._told: set[str] = set()
        self._unmanaged: tuple[UnmanagedPosition, ...] = ()
        """Positions already notified."""

    def on_start(self) -> None:
        """Find out since when transfers may be unknown, and start asking."""
        journal = self.hold(self._journals.open(self.name, lambda: self.origin))
        oldest, newest = journal.oldest_state(), journal.newest_state()
        self._first_ms = self.now_ms if oldest is None else oldest.t_ms
        newest_ms = self.now_ms if newest is None else newest.t_ms
        self._since_ms = max(self._first_ms, newest_ms - LOOK_BACK_MS)
        self._hand_in_question()

    def handle(self, message: Message) -> None:
        match message:
            case AskAccount():
                self._ask()
            case Restarted(address=address):
                if address == PORTFOLIO:
                    self._told.clear()
                    self._ask()
                elif address == NOTIFIER:
                    self._unmanaged = ()
            case GivenUp():
                pass
            case _:
                self.refuse(message)

    def release(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _ask(self) -> None:
        try:
            for transfer in self._wallet.transfers(self._since_ms):
                # Transfers older than the books are included in their initial balance.
                if transfer.ts_ms > self._first_ms and transfer.transfer_id not in self._told:
                    self._told.add(transfer.transfer_id)
                    self.tell(PORTFOLIO, TransferSeen(transfer=transfer))
            self._since_ms = max(self._since_ms, self.now_ms - LATE_MS)
            balance = self._wallet.balance()
            self.tell(PORTFOLIO, WalletSeen(ts_ms=self.now_ms, balance=balance))
            self._look_for_unmanaged()
        except (UnavailableError, AccessDeniedError, BadDataError) as error:
            logger.bind(actor=self.name).warning("{}: {}", self.name, error)
        self._ask_again()

    def _look_for_unmanaged(self) -> None:
        """Notify of each unmanaged position, once while it is unchanged."""
        unmanaged_positions = self._wallet.unmanaged_positions()
        for unmanaged in unmanaged_positions:
            if unmanaged not in self._unmanaged:
                self.tell(NOTIFIER, unmanaged_risk(unmanaged))
        self._unmanaged = tuple(unmanaged_positions)

    def _ask_again(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due_ms = self.now_ms + self._ask_every_ms
        self._timer = self._clock.call_at(due_ms, self._hand_in_question)

    def _hand_in_question(self) -> None:
        self.hand_in(AskAccount(), sender="clock", latest="ask")
