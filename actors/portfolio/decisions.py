"""Closes: evaluations are collected, then decided on together."""

from collections.abc import Iterable, Sequence

from actors.messages import CoordinationEnded, EntryDenied, RebalanceAdvised
from actors.names import NOTIFIER, asset_name
from actors.portfolio.context import PortfolioContext
from actors.portfolio.liquidity import Liquidity
from actors.portfolio.protections import Protections
from actors.portfolio.recent import RecentCloses
from actors.portfolio.reservations import Reservations
from actors.portfolio.submissions import Submissions
from domain.market.instruments import utc_day
from domain.trading.decisions import Approval, AssetEvaluation, Denial, DenialReason


class Decisions:
    """The newest decision, and the evaluations of undecided closes."""

    def __init__(
        self,
        context: PortfolioContext,
        recent: RecentCloses,
        reservations: Reservations,
        protections: Protections,
        submissions: Submissions,
        liquidity: Liquidity,
    ) -> None:
        """Take over the last decision of an earlier incarnation."""
        self._context = context
        self._recent = recent
        self._reservations = reservations
        self._protections = protections
        self._submissions = submissions
        self._liquidity = liquidity
        self._reports: dict[int, dict[str, AssetEvaluation]] = {}
        """Evaluations by close and asset."""
        self._names = tuple(asset.asset for asset in context.rules.assets)
        self._advised: dict[str, tuple[object, ...]] = {}
        """Position, direction and day of the last notified advice."""
        self._newest = context.journal.newest_decision(context.rules.candles.candle_ms)
        # A close with a stored sample was decided, even if nothing was done.
        decided_ms = 0 if self._newest is None else self._newest.t_ms
        self.decided_ms = max(decided_ms, context.books.protection.close_ms)
        """The newest decided close."""

    def hear(self, report: AssetEvaluation) -> None:
        """Take an asset's evaluation of a close; decide the close once it is complete."""
        if report.asset not in self._taking_part(report.t_ms):
            return
        newest_ms = max(self._reports, default=0)
        if report.t_ms <= self.decided_ms or report.t_ms < newest_ms:
            self._answer_late(report)
            return
        if report.t_ms > newest_ms:
            self._forget(newest_ms)
        self._reports.setdefault(report.t_ms, {})[report.asset] = report
        if report.t_ms not in self._context.timers:
            due_ms = self._context.now_ms + self._context.rules.approval.coordination_window_ms
            self._context.timers.remind(report.t_ms, due_ms, CoordinationEnded(t_ms=report.t_ms))
        self.decide_complete()

    def decide_complete(self) -> None:
        """Decide the pending close, once all evaluations are there."""
        for t_ms in list(self._reports):
            if self._is_complete(t_ms):
                self._decide(t_ms)

    def _is_complete(self, t_ms: int) -> bool:
        # A plain loop, as it runs for each evaluation.
        reports = self._reports[t_ms]
        for asset in self._taking_part(t_ms):
            if asset not in reports and not self._context.actor.is_given_up(asset_name(asset)):
                return False
        return True

    def _taking_part(self, t_ms: int) -> Sequence[str]:
        rules = self._context.rules
        return rules.assets_at(t_ms) if rules.joins_ms else self._names

    def decide_incomplete(self, t_ms: int) -> None:
        """Decide a close that has waited long enough."""
        if t_ms in self._reports:
            self._decide(t_ms)

    def ranked(self, approvals: Iterable[Approval]) -> list[Approval]:
        """Return approvals of one or several closes in the order of approval."""
        newest = () if self._newest is None else self._newest.approvals
        rank = {approval.client_order_id: index for index, approval in enumerate(newest)}
        return sorted(approvals, key=lambda each: (each.t_ms, rank.get(each.client_order_id, 0)))

    def _decide(self, t_ms: int) -> None:
        books, assets, collected = self._context.books, self._context.assets, self._reports[t_ms]
        reports = [collected[asset] for asset in assets if asset in collected]
        for report in reports:
            if not books.follows(report):
                self._recent.fill_gap(report.asset, t_ms)
        decision = books.decide(t_ms, reports, now_ms=self._context.now_ms)
        decision = self._liquidity.judge(decision)
        decision = self._protections.store_close(decision)
        self._newest, self.decided_ms = decision, t_ms
        self._forget(t_ms)
        for approval in decision.approvals:
            self._reservations.expect(approval)
        self._submissions.add(decision.approvals)
        for denial in decision.denials:
            self._context.tell(asset_name(denial.asset), EntryDenied(denial=denial))
        if decision.protection is not None:
            self._protections.fire(decision.protection)
        self._protections.tell_closes()
        self._protections.tell_cooldown()
        if decision.protection is None:
            self._advise(t_ms)

    def _advise(self, t_ms: int) -> None:
        """Notify of each drifted position, once a day."""
        held = self._context.books.positions
        for advice in self._context.books.advice():
            position = held[advice.asset]
            told = advice.asset, position.opened_ms, advice.action, utc_day(t_ms)
            if advice.is_worth_telling and self._advised.get(advice.asset) != told:
                self._advised[advice.asset] = told
                advised = RebalanceAdvised(
                    advice=advice, side=position.side, opened_ms=position.opened_ms, t_ms=t_ms
                )
                self._context.tell(NOTIFIER, advised)

    def _answer(self, asset: str, t_ms: int) -> bool:
        """Tell an asset the decision on its entry signal; return False if there was none."""
        if self._newest is None or self._newest.t_ms != t_ms:
            return False
        answer = self._newest.answer_to(asset)
        if isinstance(answer, Approval):
            self._submissions.tell_again(answer)
        elif answer is not None:
            self._context.tell(asset_name(asset), EntryDenied(denial=answer))
        return answer is not None

    def _answer_late(self, report: AssetEvaluation) -> None:
        """Repeat the answer to an evaluation, or deny an unknown entry signal."""
        if self._answer(report.asset, report.t_ms) or report.signal is None:
            return
        denial = Denial(
            asset=report.asset,
            t_ms=report.t_ms,
            reason=DenialReason.STALE,
            signal_ms=report.signal.signal_ms,
            figures=f"decided_ms={self.decided_ms}",
        )
        self._context.backlog.store(denial)
        self._context.tell(asset_name(report.asset), EntryDenied(denial=denial))

    def _forget(self, t_ms: int) -> None:
        for old_ms in [other_ms for other_ms in self._reports if other_ms <= t_ms]:
            del self._reports[old_ms]
            self._context.timers.cancel(old_ms)
