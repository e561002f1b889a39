"""Checks between closes: the equity, and malfunctions."""

from actors.messages import MalfunctionBegan, MalfunctionEnded, PositionMarked, WatchDue
from actors.names import NOTIFIER
from actors.portfolio.context import PortfolioContext
from actors.portfolio.protections import Protections
from actors.watch import LiveChecks, MalfunctionWatch, WalletAudit

JOURNAL = "journal"
"""The malfunction source for facts that cannot be stored."""


class Watching:
    """Checks at intervals; never in a replay, where nothing happens between closes."""

    def __init__(
        self,
        context: PortfolioContext,
        checks: LiveChecks | None,
        protections: Protections,
        wallet: WalletAudit,
    ) -> None:
        """Prepare the checks.

        Args:
            context: of the portfolio.
            checks: intervals; None: never.
            protections: to fire.
            wallet: tells whether the balance is in doubt.
        """
        self._context = context
        self._checks = checks
        self._protections = protections
        self._wallet = wallet
        self._is_moved = False
        """Whether a price or the balance has changed since the equity was checked."""
        self._malfunctions: MalfunctionWatch | None = None

    def begin(self) -> None:
        """Start checking."""
        if self._checks is not None:
            self._malfunctions = MalfunctionWatch(
                self._context.rules, self._checks, self._context.now_ms
            )
            self._is_moved = True
            self._look_again(self._checks)

    def note_move(self) -> None:
        """Have the equity checked next time."""
        self._is_moved = True

    def mark(self, message: PositionMarked) -> None:
        """Value a position at the exchange's mark price."""
        if self._malfunctions is not None:
            self._malfunctions.sources.hear(message.asset, message.ts_ms)
        self._context.books.remember_price(message.asset, message.mark_price)
        self.note_move()

    def malfunction(self, message: MalfunctionBegan | MalfunctionEnded) -> None:
        """Note that something broke, or works again."""
        if self._malfunctions is None:
            return
        if isinstance(message, MalfunctionBegan):
            self._malfunctions.sources.begin(message.source, message.detail)
        else:
            self._malfunctions.sources.end(message.source)

    def look(self) -> None:
        """Check for malfunctions, and check the equity if it may have changed."""
        if self._malfunctions is None or self._checks is None:
            return
        self._look_at_malfunctions(self._malfunctions)
        if self._is_moved:
            self._is_moved = False
            self._protections.protect(self._context.books.watch(self._context.between_closes()))
        self._look_again(self._checks)

    def note_broken(self, shortage: str | None) -> None:
        """Block entries while anything is broken, or the balance is in doubt.

        Args:
            shortage: why facts cannot be stored now; None: they can.
        """
        watched = {} if self._malfunctions is None else self._malfunctions.details
        short = {} if shortage is None else {JOURNAL: shortage}
        self._context.books.malfunctions = {**watched, **self._wallet.details, **short}

    def tell_again(self) -> None:
        """Notify again of all malfunctions."""
        for risk in () if self._malfunctions is None else self._malfunctions.risks():
            self._context.tell(NOTIFIER, risk)

    def _look_at_malfunctions(self, malfunctions: MalfunctionWatch) -> None:
        books = self._context.books
        held = books.present().positions
        risks, is_new = malfunctions.look(self._context.now_ms, held)
        self.note_broken(self._context.backlog.shortage())
        for risk in risks:
            self._context.tell(NOTIFIER, risk)
        if is_new and held and self._context.rules.protection.malfunction_closes_all:
            self._protections.protect(books.close_all(self._context.between_closes()))

    def _look_again(self, checks: LiveChecks) -> None:
        self._context.timers.remind("watch", self._context.now_ms + checks.every_ms, WatchDue())
