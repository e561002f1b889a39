"""The notifier: what it makes of facts and events, whoever crashes, and when."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from actors.core.actor import Incarnation, SupervisedActor
from actors.core.messages import Message
from actors.core.supervisor import ChildSpec, RestartPolicy, Supervisor
from actors.core.system import ActorSystem, Moment
from actors.messages import (
    ConnectionLost,
    ConnectionRestored,
    EntryDenied,
    GivenUp,
    LinksSampled,
    LossStreakReached,
    PositionDiffers,
    PositionOpened,
    ProtectionFired,
    RebalanceAdvised,
    RegimeChanged,
    RiskRaised,
    StateTold,
    StateWanted,
    SystemChanged,
    SystemStopping,
    TradeClosed,
)
from actors.names import NOTIFIER
from actors.notifier import NotifierActor
from actors.wording.system import RunInfo
from domain.market.instruments import DAY_MS, HOUR_MS, MINUTE_MS, Side
from domain.operator.commands import CommandName, OperatorCommand
from domain.operator.notices import NoticeKind, NoticeRules
from domain.portfolio.protection import initial_state
from domain.portfolio.rebalancing import Advice, Rebalance
from domain.portfolio.snapshots import AssetSnapshot, PortfolioSnapshot
from domain.rules import TradingRules
from domain.strategies.base import Regime
from domain.trading.decisions import (
    Approval,
    AssetEvaluation,
    Close,
    Decision,
    Denial,
    DenialReason,
    Protection,
)
from domain.trading.intents import entry_intent
from domain.trading.orders import ExitReason, OrderStatus, OrderUpdate, Purpose
from domain.trading.positions import Execution, ExecutionKind, book
from infra.operator.notices.outbox import PostRules, StoredOutboxes
from infra.settings import load_settings
from infra.store.journal import JournalStore
from infra.store.opening import open_store
from infra.venues.replay.clock import ReplayClock
from tests.domain.builders import averages

T_MS = 1_744_802_700_000
"""2025-04-16 11:25 UTC, a Wednesday."""
NOTICES = NoticeRules(alert_cooldown_minutes=15, report_minute=5, weekly_report_weekday=0)
POST = PostRules(kinds={}, max_waiting=1000, notices=NOTICES)
RULES = load_settings(None, environ={}, dotenv=None).trading_rules()
GRANT = Approval(
    asset="BTC",
    t_ms=T_MS,
    qty=Decimal("0.083"),
    price=Decimal(84000),
    signal_ms=T_MS - 5 * MINUTE_MS,
    protection_epoch=0,
    kinds="PRICE_BELOW_LONG",
    values=averages(84120.5, 84310.25),
)
REPORT = AssetEvaluation(
    asset="BTC",
    t_ms=T_MS,
    close=84000.0,
    values=averages(84120.5, 84310.25),
    note="below both EMAs",
    regime=Regime.ACTIVE,
)


class Answering(SupervisedActor):
    """An asset or the portfolio, as far as reports need it."""

    def __init__(self, incarnation: Incarnation, *, snapshot: object) -> None:
        super().__init__(incarnation)
        self._snapshot = snapshot

    def handle(self, message: Message) -> None:
        if isinstance(message, StateWanted):
            self.tell(NOTIFIER, StateTold(snapshot=self._snapshot))


@dataclass
class Newsroom:
    """A notifier with its journal, and actors that answer it."""

    clock: ReplayClock
    journals: JournalStore
    system: ActorSystem
    supervisor: Supervisor

    def tell(self, *messages: Message) -> None:
        for message in messages:
            self.system.address(NOTIFIER).tell(message, sender="test")
        assert self.system.work.wait_quiet(30)

    def wait(self, until_ms: int) -> None:
        while self.clock.step(until_ms):
            assert self.system.work.wait_quiet(30)

    def store(self, *facts: object) -> None:
        """Store facts as an execution or the portfolio does, and tell nobody."""
        writer = self.journals.open("test", lambda: None)
        writer.append(*facts)
        writer.close()

    def notices(self, kind: str) -> list[str]:
        with self.journals.connected():
            found = self.journals.database.execute_sql(
                "SELECT text FROM notice WHERE kind = ? AND is_held_back = 0 ORDER BY id", (kind,)
            )
            return [row[0] for row in found.fetchall()]


def asset_snapshot(asset: str) -> AssetSnapshot:
    return AssetSnapshot(
        asset=asset,
        report=replace(REPORT, asset=asset),
        position=None,
        closes_seen=4000,
        cooldown_minutes=0,
        cooldown_reason="",
        loss_streak=0,
    )


PORTFOLIO_SNAPSHOT = PortfolioSnapshot(
    balance=Decimal(10_000),
    equity=Decimal(10_000),
    exposure=Decimal(0),
    drawdown=Decimal(0),
    daily_loss=Decimal(0),
    positions={},
    prices={},
    global_cooldown_end_ms=0,
    is_halted=False,
    is_reduced=False,
    trades=0,
    realized_pnl=Decimal(0),
)


def newsroom_in(
    folder: Path,
    now_ms: int = T_MS,
    probe: object = None,
    rules: TradingRules = RULES,
    post: PostRules = POST,
) -> Iterator[Newsroom]:
    clock = ReplayClock(now_ms)
    journals = open_store(folder / "j.sqlite", clock.now_ms, busy_timeout_ms=5000)
    system = ActorSystem(clock.now_ms, probe)
    policy = RestartPolicy(
        max_restarts=100,
        within_s=60,
        backoff_initial_s=0.001,
        backoff_max_s=0.001,
        backoff_jitter_fraction=0,
        hang_s=60,
        start_s=60,
    )
    supervisor = Supervisor(system, policy, Random(0))
    arguments = {
        "rules": rules,
        "run": RunInfo(mode="sim", account="a simulation", started_ms=now_ms),
        "clock": clock,
        "journals": journals,
        "outboxes": StoredOutboxes(journals, post),
    }
    answering = {f"asset/{a.asset}": asset_snapshot(a.asset) for a in RULES.assets}
    supervisor.start(
        [
            ChildSpec(address=NOTIFIER, actor=NotifierActor, arguments=arguments, is_kept=True),
            *(
                ChildSpec(address=address, actor=Answering, arguments={"snapshot": snapshot})
                for address, snapshot in {**answering, "portfolio": PORTFOLIO_SNAPSHOT}.items()
            ),
        ]
    )
    room = Newsroom(clock, journals, system, supervisor)
    assert system.work.wait_quiet(30)
    yield room
    supervisor.stop(10)
    with journals.connected():
        pass


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Newsroom]:
    yield from newsroom_in(tmp_path)


def fill(name: str, side: Side, price: str, ts_ms: int = T_MS + 1000) -> Execution:
    is_entry = side is Side.SELL
    return Execution(
        exec_id=name,
        asset="BTC",
        ts_ms=ts_ms,
        kind=ExecutionKind.TRADE,
        side=side,
        qty=Decimal("0.083"),
        price=Decimal(price),
        fee=Decimal("3.8"),
        client_order_id=GRANT.client_order_id if is_entry else None,
        decided_ms=T_MS if is_entry else None,
        reason=None if is_entry else ExitReason.STOP_LOSS,
        signal_ms=GRANT.signal_ms if is_entry else None,
    )


ENTRY = fill("x1", Side.SELL, "84000")
EXIT = fill("x2", Side.BUY, "85260", T_MS + 20 * MINUTE_MS)
TRADE = book(book(None, ENTRY).position, EXIT).trade
OPENED = PositionOpened(position=book(None, ENTRY).position, client_order_id=None)
FILLED = OrderUpdate(
    client_order_id=GRANT.client_order_id,
    status=OrderStatus.FILLED,
    filled_qty=Decimal("0.083"),
    ts_ms=T_MS,
)
PROTECTION = Protection(
    t_ms=T_MS,
    reason=ExitReason.HALT,
    closes=(Close(asset="BTC", purpose=Purpose.EMERGENCY, reason=ExitReason.HALT),),
    epoch=1,
    cooldown_end_ms=T_MS + 4 * HOUR_MS,
    figures="drawdown=0.2013 daily_loss=0.0310",
)


def store_entry(room: Newsroom) -> None:
    room.store(Decision(t_ms=T_MS, approvals=(GRANT,)), entry_intent(GRANT, RULES))
    room.store(ENTRY, FILLED)


def test_an_entry_is_told_with_what_led_to_it(room: Newsroom) -> None:
    room.store(initial_state(Decimal(10_000), T_MS))
    store_entry(room)

    room.tell(OPENED, OPENED)

    assert room.notices("entry") == [
        (
            "📉 BTC: SHORT opened\n"
            "Entry $84,000.0\n"
            "Qty 0.083 BTC, $6,972.00\n"
            "🟢 Regime ACTIVE\n"
            "EMA 240 $84,120.5\n"
            "EMA 600 $84,310.2\n"
            "Crosses today 1\n"
            "Signal: price below long\n"
            "Signal 5 min old\n"
            "Stop loss $85,260.0 (1.5%)\n"
            "Take profit $78,960.0 (6.0%)\n"
            "Risk/reward 1:4.0\n"
            "Exposure now $6,972.00 (69.7%)\n"
            "2025-04-16 11:25:01 UTC\nwhy BTC-1744802700-entry-1"
        )
    ]


def test_half_an_entry_is_told_only_once_it_is_whole_or_canceled(room: Newsroom) -> None:
    room.store(Decision(t_ms=T_MS, approvals=(GRANT,)), entry_intent(GRANT, RULES))
    half = replace(ENTRY, qty=Decimal("0.040"))
    room.store(half)
    room.tell(OPENED)
    assert room.notices("entry") == []

    room.store(replace(FILLED, status=OrderStatus.CANCELED, filled_qty=Decimal("0.040")))
    room.tell(OPENED)

    (text,) = room.notices("entry")
    assert "Qty 0.040 BTC, $3,360.00" in text


def test_an_order_that_is_known_filled_before_its_last_fill_is_waited_for(room: Newsroom) -> None:
    room.store(Decision(t_ms=T_MS, approvals=(GRANT,)), entry_intent(GRANT, RULES))
    room.store(replace(ENTRY, qty=Decimal("0.040")), FILLED)
    room.tell(OPENED)
    assert room.notices("entry") == []

    room.store(replace(ENTRY, exec_id="x3", qty=Decimal("0.043")))
    room.tell(OPENED)

    (text,) = room.notices("entry")
    assert "Qty 0.083 BTC, $6,972.00" in text


def test_facts_that_nobody_told_are_told_with_the_next_message(room: Newsroom) -> None:
    store_entry(room)
    room.store(EXIT, TRADE)
    room.store(Decision(t_ms=T_MS + 1, protection=PROTECTION))

    room.tell(ConnectionLost(asset="ETH", what="feed", detail="closed"))

    assert len(room.notices("entry")) == len(room.notices("exit")) == 1
    assert room.notices("risk")[0].startswith("🚨 HALT: drawdown\nDrawdown 20.1%, limit 20.0%")


@pytest.mark.parametrize("moment", [Moment.BEFORE_WORK, Moment.AFTER_FACTS, Moment.AFTER_TELLS])
def test_a_crash_of_the_notifier_loses_and_doubles_nothing(tmp_path: Path, moment: Moment) -> None:
    armed: list[bool] = []

    def probe(address: str, at: Moment) -> None:
        if address == NOTIFIER and at is moment and armed:
            armed.clear()
            raise RuntimeError("boom")

    for room in newsroom_in(tmp_path, probe=probe):
        store_entry(room)
        armed.append(True)
        room.tell(OPENED)
        room.store(EXIT, TRADE)
        armed.append(True)
        room.tell(TradeClosed(trade=TRADE))

        assert len(room.notices("entry")) == len(room.notices("exit")) == 1
        assert room.notices("actor")[0].startswith(
            "⚠️ notifier crashed, is back\nCause: RuntimeError: boom\nRestart 1 of 100 allowed\n"
        )


def test_facts_stored_while_no_process_ran_are_told_by_the_next_one(tmp_path: Path) -> None:
    for room in newsroom_in(tmp_path):
        store_entry(room)

    for room in newsroom_in(tmp_path, T_MS + HOUR_MS):
        assert len(room.notices("entry")) == 1
        assert room.notices("system")[-1].startswith("🚀 Started: sim\nAccount: a simulation\n")
        assert "The last run did not shut down cleanly." in room.notices("system")[-1]
        assert "  BTC SHORT 0.083 at $84,000.0" in room.notices("system")[-1]
        room.tell(SystemStopping(why="asked to stop"))

    for room in newsroom_in(tmp_path, T_MS + 2 * HOUR_MS):
        assert len(room.notices("entry")) == 1
        assert "did not end" not in room.notices("system")[-1]


def test_cooldowns_of_no_length_are_not_told(tmp_path: Path) -> None:
    no_rest = replace(
        RULES,
        cooldown=replace(RULES.cooldown, short_hold_cooldown_ms=0),
        protection=replace(RULES.protection, loss_streak_cooldown_ms=0),
    )
    for room in newsroom_in(tmp_path, rules=no_rest):
        store_entry(room)
        room.store(EXIT, TRADE)
        fired = replace(PROTECTION, reason=ExitReason.CORRELATION, cooldown_end_ms=PROTECTION.t_ms)
        room.store(Decision(t_ms=T_MS + 1, protection=fired))

        room.tell(TradeClosed(trade=TRADE), LossStreakReached(end_ms=EXIT.ts_ms))
        room.wait(EXIT.ts_ms + HOUR_MS)

        assert room.notices("cooldown") == []
        (exited,) = room.notices("exit")
        assert "Cooldown 0 min" not in exited
        emergency, streak = room.notices("risk")
        assert "No entries" not in emergency
        assert "No cooldown follows." in streak


def test_an_exit_is_told_with_its_result_and_its_cooldown(room: Newsroom) -> None:
    store_entry(room)
    room.store(EXIT, TRADE)

    room.tell(TradeClosed(trade=TRADE))

    assert room.notices("exit") == [
        (
            "🔴 BTC: SHORT closed, LOSS\n"
            "Reason: stop loss at the exchange\n"
            "Exit $85,260.0\n"
            "Entry $84,000.0\n"
            "Held 19m\n"
            "PnL -112.18 USDT\n"
            "-16.1% of the margin used\n"
            "Fees 7.60 USDT\n"
            "Funding +0.00 USDT\n"
            "⏰ Cooldown 60 min:\n"
            "  trade held under 1h\n"
            "2025-04-16 11:45:00 UTC\nwhy BTC@2025-04-16T11:45:00"
        )
    ]
    room.wait(EXIT.ts_ms + HOUR_MS)
    assert [text.splitlines()[0] for text in room.notices("cooldown")] == [
        "⏰ BTC: cooldown 60 min",
        "⏰ BTC: cooldown over",
    ]


def test_similar_routine_notices_are_held_back_and_counted(room: Newsroom) -> None:
    def flip(minutes: int) -> RegimeChanged:
        t_ms = T_MS + minutes * MINUTE_MS
        return RegimeChanged(report=replace(REPORT, t_ms=t_ms), previous=Regime.INACTIVE)

    room.tell(flip(0), flip(5), flip(10), flip(14), flip(15))

    texts = room.notices("regime")
    assert len(texts) == 2
    assert texts[1].endswith("+3 alike held back since 2025-04-16 11:25 UTC")


def test_dangers_are_never_held_back(room: Newsroom) -> None:
    raised = [
        RiskRaised(key=f"{n}", asset="BTC", what="odd", figures="", effect="", advice="")
        for n in range(3)
    ]
    differs = PositionDiffers(asset="BTC", since_ms=T_MS, detail="1 here, 2 there")

    room.tell(*raised, *raised, differs, differs)

    assert len(room.notices("risk")) == 4


def test_the_limit_on_repetition_survives_a_restart(tmp_path: Path) -> None:
    denial = Denial(
        asset="BTC", t_ms=T_MS, reason=DenialReason.SIZE, signal_ms=T_MS, figures="qty=0"
    )
    for room in newsroom_in(tmp_path):
        room.tell(EntryDenied(denial=denial))

    for room in newsroom_in(tmp_path, T_MS + MINUTE_MS):
        room.tell(EntryDenied(denial=replace(denial, signal_ms=T_MS + 1, t_ms=T_MS + MINUTE_MS)))
        assert len(room.notices("refused")) == 1


def test_reports_come_once_at_their_time_with_the_week_on_mondays(room: Newsroom) -> None:
    room.store(initial_state(Decimal(10_000), T_MS))
    store_entry(room)
    room.store(EXIT, TRADE)
    room.tell(LinksSampled(links=(), journal_connections=9))

    room.wait(T_MS + 6 * DAY_MS)

    heads = [text.splitlines()[:2] for text in room.notices("report")]
    assert heads == [["📊 Daily report", f"2025-04-{day} UTC"] for day in (16, 17, 18, 19, 20)] + [
        ["📊 Weekly report", "2025-04-14 to 2025-04-20 UTC"],
        ["📊 Daily report", "2025-04-21 UTC"],
    ]
    first, second, *_ = room.notices("report")
    assert "PnL -112.18 USDT (-1.12%)\nTrades 1, won 0.0%" in first
    assert "Trades 0" in second
    assert "Profit factor 0.00" in first
    assert "Profit factor" not in second
    assert second.endswith("\nBTC: fees 5.4 bps")
    assert "\nJournal connections: 9\n" in second
    assert not any(" late" in text for text in room.notices("report"))


def test_reports_that_were_slept_over_are_made_up_for_once(tmp_path: Path) -> None:
    for room in newsroom_in(tmp_path):
        store_entry(room)
        room.store(EXIT, TRADE)

    for _ in range(2):
        for room in newsroom_in(tmp_path, T_MS + 2 * DAY_MS):
            heads = [text.splitlines()[1:3] for text in room.notices("report")]
            assert heads == [
                ["2025-04-16 UTC", "1d 11h late"],
                ["2025-04-17 UTC", "11h 20m late"],
            ]


def test_a_protection_that_is_told_again_is_no_second_notice(room: Newsroom) -> None:
    room.store(Decision(t_ms=T_MS, protection=PROTECTION))

    room.tell(*[ProtectionFired(protection=PROTECTION)] * 3)

    assert len(room.notices("risk")) == 1


def test_a_fact_without_words_is_told_as_such_and_hides_no_other(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.news.risk.protection_fired", lambda *_: 1 / 0)
    room.store(Decision(t_ms=T_MS, protection=PROTECTION))
    later = replace(GRANT, protection_epoch=1)
    room.store(Decision(t_ms=T_MS + 1, approvals=(later,)), entry_intent(later, RULES))
    room.store(ENTRY, FILLED)

    room.tell(OPENED)

    assert room.notices("risk")[0].startswith("🚨 a fact could not be put into words")
    assert len(room.notices("entry")) == 1


def command_by(operator: str, name: CommandName, argument: str = "") -> OperatorCommand:
    return OperatorCommand(
        command=name.value,
        arguments=argument,
        operator=operator,
        result="done",
        ts_ms=T_MS,
        is_done=True,
    )


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        ("telegram/7", "7 by Telegram"),
        ("http/ops", "ops by HTTP"),
        ("SIGUSR2", "the signal SIGUSR2"),
        ("the file PANIC", "the file PANIC"),
    ],
)
def test_a_panic_names_who_asked_for_it_and_by_which_way(
    room: Newsroom, operator: str, words: str
) -> None:
    panic = replace(PROTECTION, reason=ExitReason.OPERATOR, figures="", cooldown_end_ms=0)
    room.store(Decision(t_ms=T_MS, protection=panic), command_by(operator, CommandName.PANIC))

    room.tell(ProtectionFired(protection=panic))

    assert room.notices("risk")[0].splitlines()[:2] == ["🚨 PANIC", f"Asked for by {words}"]


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ([command_by("x", CommandName.PANIC)], "panic, until rearm"),
        ([replace(initial_state(Decimal(10_000), T_MS), is_halted=True)], "halted, until rearm"),
        ([command_by("x", CommandName.PAUSE, "BTC")], "paused, until resume"),
    ],
    ids=["panic", "halt", "pause"],
)
def test_nothing_says_that_entries_are_allowed_while_the_operator_has_to_end_something(
    room: Newsroom, facts: list[object], why: str
) -> None:
    store_entry(room)
    room.store(EXIT, TRADE, *facts)
    room.tell(
        TradeClosed(trade=TRADE),
        RegimeChanged(report=replace(REPORT, t_ms=T_MS + 1), previous=Regime.INACTIVE),
    )
    room.wait(EXIT.ts_ms + HOUR_MS)

    ended = room.notices("cooldown")[-1]
    assert ended.splitlines()[1:3] == ["0 min left", f"No entries: {why}"]
    assert f"No entries: {why}." in room.notices("regime")[0]


def test_an_actor_that_is_given_up_again_in_the_same_run_is_told_again(room: Newsroom) -> None:
    first = GivenUp(
        address="asset/BTC", cause="ValueError: 1", crash_id="1.7", failures=6, allowed=5
    )

    room.tell(first, first, replace(first, crash_id="1.9", cause="ValueError: 2"))

    assert [text.splitlines()[1:4] for text in room.notices("risk")] == [
        ["Cause: ValueError: 1", "Failures 6, restarts allowed 5", "Crash id 1.7"],
        ["Cause: ValueError: 2", "Failures 6, restarts allowed 5", "Crash id 1.9"],
    ]


def test_a_new_life_does_not_tell_again_what_was_given_up(tmp_path: Path) -> None:
    armed: list[bool] = []

    def probe(address: str, at: Moment) -> None:
        if address == NOTIFIER and at is Moment.BEFORE_WORK and armed:
            armed.clear()
            raise RuntimeError("boom")

    for room in newsroom_in(tmp_path, probe=probe):
        room.system.given_up.add("asset/BTC")
        room.tell(GivenUp(address="asset/BTC", cause="ValueError: 1", crash_id="1.7"))
        armed.append(True)
        room.tell(OPENED)

        (text,) = room.notices("risk")
        assert "Cause: ValueError: 1" in text


@pytest.mark.parametrize(
    ("answered", "places"),
    [("telegram/7", ["discord"]), ("http/ops", ["admin", "discord"]), ("", ["admin", "discord"])],
)
def test_who_commands_by_telegram_has_the_answer_and_no_notice_of_it(
    tmp_path: Path, answered: str, places: list[str]
) -> None:
    everything = frozenset(NoticeKind)
    post = replace(POST, kinds={"admin": everything, "discord": everything}, admin="admin")
    changed = SystemChanged(key="k", title="pause BTC", detail="done", answered=answered)

    for room in newsroom_in(tmp_path, post=post):
        room.tell(changed)
        with room.journals.connected():
            rows = room.journals.database.execute_sql(
                "SELECT channel FROM delivery JOIN notice ON id = notice_id "
                "WHERE key = 'system/k' ORDER BY channel"
            ).fetchall()

    assert [row[0] for row in rows] == places


ASSETS = ("BTC", "ETH", "SOL")


def lost(asset: str) -> ConnectionLost:
    return ConnectionLost(asset=asset, what="feed", detail="closed")


def back(asset: str, down_ms: int) -> ConnectionRestored:
    return ConnectionRestored(asset=asset, what="feed", down_ms=down_ms, candles=1)


def heads(room: Newsroom) -> list[str]:
    return [text.splitlines()[0] for text in room.notices("connection")]


def test_assets_lost_and_back_within_seconds_are_one_message_each(room: Newsroom) -> None:
    for place, asset in enumerate(ASSETS):
        room.wait(T_MS + place * 1000)
        room.tell(lost(asset))
    room.wait(T_MS + 2 * MINUTE_MS)
    for asset in ASSETS:
        room.tell(back(asset, 2 * MINUTE_MS))
    room.wait(T_MS + HOUR_MS)

    assert room.notices("connection") == [
        (
            "🔌 BTC, ETH, SOL: feed lost\nCause: closed\n"
            "It is connected again without your help.\n2025-04-16 11:25:05 UTC"
        ),
        (
            "🔌 BTC, ETH, SOL: feed is back\nIt was lost for 2m\n"
            "Candles fetched: 3\n2025-04-16 11:27:05 UTC"
        ),
    ]


def test_an_outage_that_comes_and_goes_is_told_ever_more_seldom(room: Newsroom) -> None:
    for second in range(0, 7200, 20):
        room.wait(T_MS + second * 1000)
        room.tell(*map(lost, ASSETS))
        room.wait(T_MS + (second + 10) * 1000)
        room.tell(*(back(asset, 10_000) for asset in ASSETS))
    room.wait(T_MS + 3 * HOUR_MS)

    assert 2 <= len(heads(room)) <= 8
    assert heads(room)[-1] == "🔌 BTC, ETH, SOL: feed is back"


def test_an_outage_that_goes_on_is_told_at_growing_distances(room: Newsroom) -> None:
    room.tell(*map(lost, ASSETS))
    room.wait(T_MS + DAY_MS)

    told = [text.splitlines() for text in room.notices("connection")]
    assert [lines[0] for lines in told] == [
        "🔌 BTC, ETH, SOL: feed lost",
        *["🔌 BTC, ETH, SOL: feed still lost"] * 4,
    ]
    assert [lines[1] for lines in told[1:]] == [
        "For 15m now",
        "For 1h 15m now",
        "For 5h 15m now",
        "For 21h 15m now",
    ]


def test_a_loss_that_is_over_before_it_is_told_is_not_told(room: Newsroom) -> None:
    room.tell(lost("BTC"), back("BTC", 1000))
    room.wait(T_MS + HOUR_MS)

    assert room.notices("connection") == []


def test_a_return_is_told_by_a_life_that_never_heard_of_the_loss(room: Newsroom) -> None:
    room.tell(back("BTC", HOUR_MS))
    room.wait(T_MS + MINUTE_MS)

    assert heads(room) == ["🔌 BTC: feed is back"]


def test_another_asset_that_is_lost_later_is_told_at_once(room: Newsroom) -> None:
    room.tell(lost("BTC"))
    room.wait(T_MS + MINUTE_MS)
    room.tell(lost("ETH"))
    room.wait(T_MS + 2 * MINUTE_MS)

    assert heads(room) == ["🔌 BTC: feed lost", "🔌 BTC, ETH: feed lost"]


def broken(source: str) -> RiskRaised:
    return RiskRaised(
        key=f"malfunction/{source}/1",
        asset=None,
        what=f"malfunction: {source} does not answer",
        figures="",
        effect="nothing is opened",
        advice="wait",
        group="malfunction",
    )


def test_dangers_of_one_group_within_seconds_are_one_message_and_are_not_told_again(
    room: Newsroom,
) -> None:
    room.tell(broken("BTC"))
    room.wait(T_MS + 2000)
    room.tell(broken("ETH"), broken("SOL"))
    room.wait(T_MS + MINUTE_MS)
    room.tell(broken("BTC"), broken("ETH"))
    room.wait(T_MS + 2 * MINUTE_MS)
    room.tell(broken("BTC"), broken("DOGE"))
    room.wait(T_MS + 3 * MINUTE_MS)

    together, last = room.notices("risk")
    assert together.splitlines() == [
        "🚨 malfunction: BTC does not answer",
        "Malfunction: ETH does not answer",
        "Malfunction: SOL does not answer",
        "Nothing is opened",
        "You can: wait",
        "2025-04-16 11:25:05 UTC",
    ]
    assert last.startswith("🚨 malfunction: DOGE does not answer")


def advice(action: Rebalance, t_ms: int) -> RebalanceAdvised:
    made = Advice(
        asset="BTC",
        weight=Decimal("0.3"),
        target=Decimal("0.2"),
        drift=Decimal("0.5"),
        action=action,
        qty=Decimal("0.01"),
        is_oversize=False,
    )
    return RebalanceAdvised(advice=made, side=Side.SELL, opened_ms=T_MS, t_ms=t_ms)


def test_advice_is_told_once_a_direction_and_day_over_restarts(tmp_path: Path) -> None:
    for _ in range(2):
        for room in newsroom_in(tmp_path):
            room.tell(
                advice(Rebalance.REDUCE, T_MS),
                advice(Rebalance.REDUCE, T_MS + 3_600_000),
                advice(Rebalance.ADD, T_MS),
                advice(Rebalance.REDUCE, T_MS + DAY_MS),
            )
            told = [text for text in room.notices("report") if "rebalancing" in text]

            assert len(told) == 3
