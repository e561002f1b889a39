"""The actor of notifications: turns facts and events into notices, stored for the channels.

Receives: every event the operator is notified of; StateTold from the assets and the portfolio;
LinksSampled from the runtime;
ReportDue, CooldownEnded, OutageDue, GroupDue from its own timers; Restarted, GivenUp.
Publishes: StateWanted to the assets and the portfolio. No channel can delay trading: nothing waits
for this actor, and it waits for no channel.
Owns: the texts, limits on repetition, and reports.

Facts are read from the journal, from the last position on: whatever crashes between storing and
sending, the operator is notified of every entry, exit and protection.
"""

from collections import deque

from loguru import logger

from actors.core.actor import Incarnation, SupervisedActor
from actors.messages import (
    ConnectionLost,
    ConnectionRestored,
    CooldownEnded,
    EntryDenied,
    GivenUp,
    GroupDue,
    LinksSampled,
    LossStreakReached,
    Message,
    OutageDue,
    PositionDiffers,
    PositionOpened,
    PositionUnprotected,
    ProtectionFired,
    RebalanceAdvised,
    RegimeChanged,
    ReportDue,
    Restarted,
    RiskRaised,
    StateTold,
    StateWanted,
    SystemChanged,
    SystemStopping,
    TradeClosed,
)
from actors.names import PORTFOLIO, asset_name
from actors.news import Newsreader
from actors.outages import GATHER_MS, Outage
from actors.ports import Clock, Journals, Outboxes, Timer
from actors.wording import market, reports, risk, system
from actors.wording.rebalancing import rebalance_advised
from actors.wording.system import RunInfo
from domain.errors import JournalError
from domain.market.instruments import MINUTE_MS
from domain.operator import wording as say
from domain.operator.commands import fold
from domain.operator.notices import (
    Notice,
    NoticeKind,
    ReportPeriod,
    due_periods,
    is_held_back,
    next_due_ms,
)
from domain.portfolio.snapshots import AssetSnapshot, PortfolioSnapshot
from domain.rules import TradingRules

MOST_UNSAID = 1_000
"""Most notices waiting for a journal that refuses them; then the oldest are dropped."""


_BY_TELEGRAM = "telegram"
"""The command channel whose answers appear in the same place as notices."""


class NotifierActor(SupervisedActor):
    """Sends the system's notifications."""

    def __init__(
        self,
        incarnation: Incarnation,
        *,
        rules: TradingRules,
        run: RunInfo,
        clock: Clock,
        journals: Journals,
        outboxes: Outboxes,
        patience_ms: int = MINUTE_MS,
        gather_ms: int = GATHER_MS,
        yields_s: float = 0.0,
    ) -> None:
        """Take over `notifier`.

        Args:
            incarnation: of this actor.
            rules: the limits named in texts.
            run: what is reported about the run at its start and end.
            clock: for timers.
            journals: of the facts.
            outboxes: for the notices.
            patience_ms: how long a report waits for the actors' answers.
            gather_ms: how long a lost connection waits for those of other assets.
            yields_s: real time for which others work first after a pause.
        """
        super().__init__(incarnation)
        self._rules = rules
        self._run = run
        self._clock = clock
        self._journals = journals
        self._outboxes = outboxes
        self._patience_ms = patience_ms
        self._gather_ms = gather_ms
        self.yields_s = yields_s
        self._outages: dict[str, Outage] = {}
        """Outages by kind of connection."""
        self._gathered: dict[str, dict[str, RiskRaised]] = {}
        """Dangers that wait for others of their group, by key."""
        self._portfolio: PortfolioSnapshot | None = None
        self._assets: dict[str, AssetSnapshot] = {}
        self._links: LinksSampled | None = None
        """The newest sample; None if links are not sampled."""
        self._deadline_ms: int | None = None
        """When the wait for the actors' answers ends; None: none are awaited."""
        self._timers: dict[str, Timer] = {}
        self._unsaid: deque[Notice] = deque(maxlen=MOST_UNSAID)
        """Unstored notices not based on facts; they are lost when this incarnation ends."""
        self._is_refused = False
        """Whether the journal refused during the current message: one wait for it is enough."""
        self._is_waiting = False
        """Whether the log already says that notices wait."""

    def on_start(self) -> None:
        """Continue reading the facts, and catch up on what was missed."""
        self._journal = self.hold(self._journals.open(self.name, lambda: self.origin))
        self._post = self.hold(self._outboxes.open())
        self._news = Newsreader(self._journal, self._rules, self._post.read_through())
        self._read_news()
        for asset, rest in self._news.ledger.cooldowns.items():
            self._expect_end(asset, rest.end_ms)
        for address in self.given_up():
            if not self._is_known_given_up(address):
                self._say_given_up(GivenUp(address=address, cause="see the logs"))
        ending = self.ending()
        if ending is not None:
            self._on_restarted(
                self.name,
                Restarted(
                    address=self.name, generation=self.incarnation.generation, ended_by=ending
                ),
            )
        self._on_due()

    def handle(self, message: Message) -> None:
        """Handle a message; what cannot be stored is sent later."""
        self._is_refused = False
        self._say_unsaid()
        self._read_news()
        self._hear(message)
        if not self._is_refused:
            self._is_waiting = False

    def _hear(self, message: Message) -> None:
        match message:
            case PositionOpened() | TradeClosed() | ProtectionFired():
                pass  # the facts contain it
            case RegimeChanged(report=report, previous=previous):
                held = self._news.ledger.positions.get(report.asset)
                stopped = self._stopped_by(report.asset)
                self._say(market.regime_changed(report, previous, held, self._rules, stopped))
            case EntryDenied(denial=denial):
                self._say(market.entry_denied(denial))
            case CooldownEnded(asset=asset, end_ms=end_ms):
                self._on_cooldown_ended(asset, end_ms)
            case LossStreakReached(end_ms=end_ms):
                self._on_loss_streak(end_ms)
            case RebalanceAdvised(advice=advice, side=side, opened_ms=opened_ms, t_ms=t_ms):
                self._say(rebalance_advised(advice, side, opened_ms, t_ms))
            case PositionDiffers():
                self._say(risk.position_differs(message))
            case PositionUnprotected():
                limit_ms = self._rules.risk.unprotected_position_ms
                self._say(risk.position_unprotected(message, limit_ms))
            case RiskRaised(group=group) if group:
                self._gather(message)
            case GroupDue(group=group):
                self._on_group_due(group)
            case RiskRaised():
                self._say(risk.risk_raised(message, self.now_ms))
            case Restarted(address=address):
                self._on_restarted(address, message)
            case GivenUp():
                self._say_given_up(message)
            case ConnectionLost(what=what):
                self._outage(what).lose(message, self.now_ms)
                self._expect_outage(what)
            case ConnectionRestored(what=what):
                self._outage(what).restore(message, self.now_ms)
                self._expect_outage(what)
            case OutageDue(what=what):
                self._on_outage_due(what)
            case SystemChanged():
                self._on_system_changed(message)
            case SystemStopping(why=why):
                held_now = list(self._news.ledger.positions.values())
                self._say(system.stopping(self._run, why, held_now, self.now_ms))
            case LinksSampled() | StateTold():
                self._on_present(message)
            case ReportDue():
                self._on_due()
            case _:
                self.refuse(message)

    def _gather(self, message: RiskRaised) -> None:
        """Wait for others of its group; its sender repeats it to the next incarnation."""
        waiting = self._gathered.setdefault(message.group, {})
        if not waiting:
            due = GroupDue(group=message.group)
            self._remind(f"group/{message.group}", self.now_ms + self._gather_ms, due)
        waiting[message.key] = message

    def _on_group_due(self, group: str) -> None:
        alone = {
            message: risk.risk_raised(message, self.now_ms)
            for message in self._gathered.pop(group, {}).values()
        }
        news = [message for message, notice in alone.items() if not self._post.knows(notice.key)]
        if len(news) == 1:
            self._post.put(alone[news[0]])
        elif news:
            self._post.put(risk.risks_raised(news, self.now_ms))
            for message in news:
                self._post.hold_back(alone[message])

    def _outage(self, what: str) -> Outage:
        return self._outages.setdefault(what, Outage(gather_ms=self._gather_ms))

    def _expect_outage(self, what: str) -> None:
        due_ms = self._outage(what).due_ms
        if due_ms is not None:
            self._remind(f"outage/{what}", due_ms, OutageDue(what=what))

    def _on_outage_due(self, what: str) -> None:
        minutes = self._post.notice_rules().alert_cooldown_minutes
        for notice in self._outage(what).tell(self.now_ms, minutes):
            # An outage has its own intervals.
            self._post.put(notice)
        self._expect_outage(what)

    def _on_cooldown_ended(self, asset: str | None, end_ms: int) -> None:
        rest = None if asset is None else self._news.ledger.cooldowns[asset]
        if rest is None or rest.end_ms == end_ms:  # otherwise it was prolonged
            self._say_cooldown_ended(asset, end_ms)

    def _say_cooldown_ended(self, asset: str | None, end_ms: int) -> None:
        self._say(market.cooldown_ended(asset, end_ms, self._stopped_by(asset)))

    def _stopped_by(self, asset: str | None) -> str:
        """Return what the operator must end before an asset, or any, opens again; may be empty."""
        commands = fold(self._journal.commands(), self._asset_names())
        state = self._journal.newest_state()
        if commands.panic is not None:
            return "panic, until rearm"
        if state is not None and state.is_halted:
            return "halted, until rearm"
        return "paused, until resume" if asset in commands.paused else ""

    def _on_loss_streak(self, end_ms: int) -> None:
        notice = risk.loss_streak_reached(end_ms, self._rules.protection)
        self._say(notice)
        if end_ms > notice.t_ms:
            self._say(market.cooldown_started(None, "losing trades in a row", notice.t_ms, end_ms))
            self._expect_end(None, end_ms)

    def _on_restarted(self, address: str, message: Restarted) -> None:
        if message.ended_by is not None:
            ending, generation = message.ended_by, message.generation
            self._say(system.restarted(address, ending, generation, self.now_ms))

    def _on_system_changed(self, message: SystemChanged) -> None:
        notice = system.system_changed(message, self.now_ms)
        if message.answered.startswith(_BY_TELEGRAM):
            self._post.put_answered(notice)
        else:
            self._say(notice)

    def _say_given_up(self, message: GivenUp) -> None:
        self._say(system.given_up(message, self._run, self.now_ms))

    def _is_known_given_up(self, address: str) -> bool:
        told = self._post.newest(NoticeKind.RISK, [system.given_up_cause(address)])
        return told is not None and told.t_ms >= self._run.started_ms

    def _on_present(self, message: LinksSampled | StateTold) -> None:
        match message:
            case LinksSampled():
                self._links = message
                return
            case StateTold(snapshot=PortfolioSnapshot() as snapshot):
                self._portfolio = snapshot
            case StateTold(snapshot=AssetSnapshot() as snapshot):
                self._assets[snapshot.asset] = snapshot
        if self._deadline_ms is not None and not self._silent():
            self._write_due()

    def _on_due(self) -> None:
        """Query what a due report needs, or write it if the wait is over."""
        if self._deadline_ms is not None:
            if self.now_ms >= self._deadline_ms:
                self._write_due()
        elif not self._post.knows(self._run.start_key) or self._due():
            self._portfolio, self._assets = None, {}
            self._deadline_ms = self.now_ms + self._patience_ms
            for address in (PORTFOLIO, *map(asset_name, self._asset_names())):
                self.tell(address, StateWanted())
        self._remind_of_reports()

    def release(self) -> None:
        """Cancel the timers."""
        for timer in self._timers.values():
            timer.cancel()

    # Facts to notices.

    def _read_news(self) -> None:
        if self._is_refused:
            return
        try:
            for fact_id, notices in self._news.read(self.now_ms):
                for notice in notices:
                    self._store(notice)
                for asset, end_ms in self._news.new_cooldowns():
                    self._expect_end(asset, end_ms)
                self._post.read_on(fact_id)
        except JournalError as error:
            self._note_refused(error)
            # It has folded facts not notified yet: start again after those that were.
            self._news = Newsreader(self._journal, self._rules, self._post.read_through())

    def _say(self, notice: Notice) -> None:
        """Store a notice; if that is refused, keep it for later, and log it."""
        try:
            if not self._is_refused:
                self._store(notice)
                return
        except JournalError as error:
            self._note_refused(error)
        self._unsaid.append(notice)
        logger.bind(actor=self.name).warning("not stored yet: {}", " ".join(notice.text.split()))

    def _say_unsaid(self) -> None:
        try:
            while self._unsaid:
                self._store(self._unsaid[0])
                self._unsaid.popleft()
        except JournalError as error:
            self._note_refused(error)

    def _note_refused(self, error: JournalError) -> None:
        self._is_refused = True
        if not self._is_waiting:
            self._is_waiting = True
            logger.bind(actor=self.name).warning("{}: notices wait: {}", self.name, error)

    def _store(self, notice: Notice) -> None:
        """Store a notice, or only count it if it comes too soon after a similar one."""
        if not notice.is_routine:
            self._post.put(notice)
            return
        before = self._post.before(notice)
        minutes = self._post.notice_rules().alert_cooldown_minutes
        if is_held_back(notice, before, cooldown_minutes=minutes):
            self._post.hold_back(notice)
        elif before is not None and before.held_back:
            self._post.put(say.with_held_back(notice, before))
        else:
            self._post.put(notice)

    def _expect_end(self, asset: str | None, end_ms: int) -> None:
        if end_ms > self.now_ms:
            ended = CooldownEnded(asset=asset, end_ms=end_ms)
            self._remind(f"cooldown/{asset}", end_ms, ended)
        elif end_ms and self._post.knows(market.cooldown_key(asset, "start", end_ms)):
            self._say_cooldown_ended(asset, end_ms)

    # Reports.

    def _asset_names(self) -> list[str]:
        return [asset.asset for asset in self._rules.assets]

    def _silent(self) -> list[str]:
        """Return the actors whose answers are pending."""
        silent = [a for a in self._asset_names() if a not in self._assets]
        addresses = [asset_name(asset) for asset in silent]
        if self._portfolio is None:
            addresses.append(PORTFOLIO)
        return [address for address in addresses if not self.is_given_up(address)]

    def _due(self) -> list[ReportPeriod]:
        after_ms = self._journal.first_recorded_ms()
        if after_ms is None:
            return []
        due = due_periods(self._post.notice_rules(), after_ms=after_ms, now_ms=self.now_ms)
        return [period for period in due if not self._post.knows(period.key)]

    def _write_due(self) -> None:
        self._deadline_ms = None
        if not self._post.knows(self._run.start_key):
            self._say(self._started())
        for period in self._due():
            self._say(self._report(period))
        self._remind_of_reports()

    def _started(self) -> Notice:
        last = self._post.newest(NoticeKind.SYSTEM, system.START_AND_STOP)
        return system.started(
            self._run,
            balance=None if self._portfolio is None else self._portfolio.balance,
            positions=list(self._news.ledger.positions.values()),
            was_ended=last is None or last.cause == system.STOP,
            rules=self._rules,
        )

    def _report(self, period: ReportPeriod) -> Notice:
        span = (period.from_ms, period.until_ms)
        facts = reports.PeriodFacts(
            period=period,
            trades=self._journal.trades(*span),
            denials=self._journal.denials(*span),
            restarts=system.restarts_by_address(self._post.causes(NoticeKind.ACTOR, *span)),
            balance_before=self._journal.balance_at(period.from_ms)
            or self._journal.first_balance(),
            performances=self._journal.performances(self._rules.candles.candle_ms),
        )
        present = reports.PresentFacts(self._portfolio, self._assets, self._links)
        return reports.report(facts, present, self.now_ms, self._rules)

    def _remind_of_reports(self) -> None:
        due_ms = self._deadline_ms
        if due_ms is None:
            due_ms = next_due_ms(self._post.notice_rules(), self.now_ms)
        if due_ms is not None:
            self._remind("report", due_ms, ReportDue())

    def _remind(self, key: str, due_ms: int, message: Message) -> None:
        if key in self._timers:
            self._timers[key].cancel()
        self._timers[key] = self._clock.call_at(
            due_ms, lambda: self.hand_in(message, sender="clock")
        )
