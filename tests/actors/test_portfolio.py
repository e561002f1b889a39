"""The portfolio between closes: protection on live prices, transfers, malfunctions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

import numpy as np
import pytest

from actors.account import AccountActor
from actors.core.actor import Incarnation, SupervisedActor
from actors.core.messages import Message
from actors.core.supervisor import ChildSpec, RestartPolicy, Supervisor
from actors.core.system import ActorSystem
from actors.messages import (
    AssetFlat,
    AssetReported,
    ClosePosition,
    Describe,
    EntryApproved,
    EntryDenied,
    MalfunctionBegan,
    MalfunctionEnded,
    OperatorAsked,
    PositionChanged,
    PositionMarked,
    ProtectionFired,
    ReconcileMatch,
    ReconcileMismatch,
    RiskRaised,
    TransferSeen,
    WalletSeen,
)
from actors.portfolio.actor import PortfolioActor
from actors.watch import ALARMING_WALLETS, LiveChecks
from domain.errors import UnavailableError
from domain.market.candles import CandleSeries, carry_forward
from domain.market.instruments import DAY_MS, Side
from domain.operator.commands import Command, CommandName, OperatorCommand
from domain.portfolio.protection import initial_state
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.rules import TradingRules
from domain.trading.decisions import DenialReason
from domain.trading.orders import ExitReason, Purpose
from domain.trading.positions import Execution, UnmanagedPosition
from domain.trading.transfers import Transfer
from infra.store.opening import open_store
from infra.store.reserve import Reserve
from infra.venues.replay.clock import ReplayClock
from tests.domain.builders import CANDLE_MS, NOON_MS, RULES, changed, entry, fill, report, signal
from tests.hostile.refusing import refusing

CHECKS = LiveChecks(every_ms=1_000, stale_ms=60_000)
START_MS = NOON_MS + 1_000
ASK_EVERY_MS = 30_000
ASSETS = ("BTC", "ETH", "SOL")


class Listener(SupervisedActor):
    """Remembers what it hears."""

    def __init__(self, incarnation: Incarnation, *, heard: list[Message]) -> None:
        super().__init__(incarnation)
        self._heard = heard

    def handle(self, message: Message) -> None:
        self._heard.append(message)


class NoCandles:
    """A feed that has nothing yet."""

    def recent(self, _asset: str, _count: int) -> CandleSeries:
        none = np.array([], dtype=np.float64)
        return carry_forward(none.astype(np.int64), none, none, none, none, none, CANDLE_MS)


class FakeAccount:
    """Knows some transfers, and can be down."""

    def __init__(self) -> None:
        self.found: list[Transfer] = []
        self.wallet = Decimal(10_000)
        self.is_down = False
        self.by_hand: list[UnmanagedPosition] = []
        self.asked_since_ms: list[int] = []

    def transfers(self, since_ms: int) -> list[Transfer]:
        self.asked_since_ms.append(since_ms)
        if self.is_down:
            raise UnavailableError("the exchange does not answer")
        return [transfer for transfer in self.found if transfer.ts_ms >= since_ms]

    def balance(self) -> Decimal:
        return self.wallet

    def unmanaged_positions(self) -> list[UnmanagedPosition]:
        return self.by_hand


class Desk:
    """A portfolio with its journal, and everything that it tells."""

    def __init__(
        self,
        folder: Path,
        rules: TradingRules,
        checks: LiveChecks | None,
        now_ms: int,
        account: "FakeAccount",
        reserve: Reserve | None = None,
        busy_timeout_ms: int = 5_000,
    ) -> None:
        self.clock = ReplayClock(now_ms)
        self.journals = open_store(
            folder / "j.sqlite",
            self.clock.now_ms,
            busy_timeout_ms=busy_timeout_ms,
            reserve=reserve,
        )
        self.system = ActorSystem(self.clock.now_ms)
        policy = RestartPolicy(
            max_restarts=100,
            within_s=60,
            backoff_initial_s=0.001,
            backoff_max_s=0.001,
            backoff_jitter_fraction=0,
            hang_s=60,
            start_s=60,
        )
        self.supervisor = Supervisor(self.system, policy, Random(0))
        others = [f"{kind}/{name}" for kind in ("asset", "execution") for name in ASSETS]
        self.heard: dict[str, list[Message]] = {name: [] for name in ["notifier", *others]}
        self.account, self.prices = account, dict.fromkeys(ASSETS, "100")
        common = {"clock": self.clock, "journals": self.journals}
        portfolio = common | {"rules": rules, "feed": NoCandles(), "checks": checks}
        account = common | {"wallet": self.account, "ask_every_ms": ASK_EVERY_MS}
        self.supervisor.start(
            [
                *(
                    ChildSpec(address=a, actor=Listener, arguments={"heard": h})
                    for a, h in self.heard.items()
                ),
                ChildSpec(address="portfolio", actor=PortfolioActor, arguments=portfolio),
                ChildSpec(address="account", actor=AccountActor, arguments=account),
            ]
        )
        self.settle()

    def settle(self) -> None:
        assert self.system.work.wait_quiet(30)

    def tell(self, *messages: Message) -> None:
        for message in messages:
            self.system.address("portfolio").tell(message, sender="test")
        self.settle()

    def wait(self, pause_ms: int) -> None:
        """Let time pass on the trading clock."""
        until_ms = self.clock.now_ms() + pause_ms
        while self.clock.step(until_ms):
            self.settle()

    def until(self, t_ms: int) -> None:
        """Let time pass while all prices stand and are heard of."""
        while self.clock.now_ms() < t_ms:
            for name, price in list(self.prices.items()):
                self.mark(name, price)
            self.wait(min(30_000, t_ms - self.clock.now_ms()))

    def store(self, execution: Execution) -> None:
        """Have an execution booked by its actor, and told."""
        writer = self.journals.open(f"execution/{execution.asset}", lambda: None)
        (fact_id,) = writer.append(execution)
        writer.close()
        self.tell(PositionChanged(fact_id=fact_id, execution=execution))

    def open_short(self, asset: str, notional: int, t_ms: int = NOON_MS - CANDLE_MS) -> None:
        self.prices[asset] = str(notional)
        self.store(entry(asset, 1, notional, t_ms))

    def mark(self, asset: str, price: object) -> None:
        self.prices[asset] = str(price)
        message = PositionMarked(
            asset=asset, ts_ms=self.clock.now_ms(), mark_price=Decimal(str(price))
        )
        self.tell(message)

    def told(self, address: str, kind: type[Message]) -> list[Message]:
        return [message for message in self.heard[address] if isinstance(message, kind)]

    def fired(self) -> list[ExitReason]:
        """Return what has fired, each once however often it is told."""
        found = {
            message.protection.epoch: message.protection.reason
            for message in self.heard["notifier"]
            if isinstance(message, ProtectionFired)
        }
        return list(found.values())

    def risks(self) -> list[str]:
        return [m.what for m in self.heard["notifier"] if isinstance(m, RiskRaised)]

    def asked(self, command: Command) -> OperatorCommand:
        """Let the operator ask for something, and return the answer."""
        message = OperatorAsked(command=command, operator="test")
        answer = self.system.address("portfolio").ask(message, sender="test", timeout_s=30)
        assert isinstance(answer, OperatorCommand)
        self.settle()
        return answer

    def snapshot(self) -> PortfolioSnapshot:
        asked = self.system.address("portfolio").ask(Describe(), sender="test", timeout_s=30)
        assert isinstance(asked, PortfolioSnapshot)
        return asked

    def denial(self, t_ms: int) -> DenialReason | None:
        """Let BTC signal an entry at a close, and return why it was denied; None if approved."""
        self.until(t_ms)
        signals = {"BTC": signal(signal_ms=t_ms)}
        self.tell(
            *(
                AssetReported(report=report(name, 100.0, t_ms=t_ms, signal=signals.get(name)))
                for name in ASSETS
            )
        )
        answer = self.heard["asset/BTC"][-1]
        if isinstance(answer, EntryApproved):
            return None
        assert isinstance(answer, EntryDenied)
        return answer.denial.reason


@contextmanager
def opened(
    folder: Path,
    rules: TradingRules = RULES,
    checks: LiveChecks | None = CHECKS,
    now_ms: int = START_MS,
    *transfers: Transfer,
    reserve: Reserve | None = None,
    busy_timeout_ms: int = 5_000,
) -> Iterator[Desk]:
    account = FakeAccount()
    account.found = list(transfers)
    desk = Desk(folder, rules, checks, now_ms, account, reserve, busy_timeout_ms)
    try:
        yield desk
    finally:
        desk.supervisor.stop(10)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path) as made:
        yield made


# Protection between closes.


def test_a_drawdown_between_closes_closes_all_within_a_second(desk: Desk) -> None:
    desk.open_short("BTC", 20_000)
    desk.open_short("ETH", 100)
    desk.mark("BTC", 21_500)

    desk.wait(CHECKS.every_ms)

    assert desk.fired() == [ExitReason.DRAWDOWN]
    for name in ("BTC", "ETH"):
        (close,) = desk.told(f"execution/{name}", ClosePosition)
        assert isinstance(close, ClosePosition)
        assert (close.purpose, close.reason) == (Purpose.EMERGENCY, ExitReason.DRAWDOWN)
        assert START_MS < close.t_ms <= START_MS + CHECKS.every_ms
    assert desk.told("execution/SOL", ClosePosition) == []


def test_a_new_life_knows_why_the_portfolio_rests(tmp_path: Path) -> None:
    with opened(tmp_path) as desk:
        desk.open_short("BTC", 20_000)
        desk.mark("BTC", 21_500)
        desk.wait(CHECKS.every_ms)
        before = desk.snapshot()
        desk.asked(Command(name=CommandName.PANIC))

    with opened(tmp_path, now_ms=START_MS + 10_000) as desk:
        found = desk.snapshot()

    assert before.global_cooldown_reason == found.global_cooldown_reason == "DRAWDOWN"
    assert found.global_cooldown_end_ms == before.global_cooldown_end_ms > START_MS


def test_nothing_is_checked_between_closes_where_it_is_turned_off(tmp_path: Path) -> None:
    with opened(tmp_path, checks=None) as desk:
        desk.open_short("BTC", 20_000)
        desk.mark("BTC", 30_000)
        desk.wait(60_000)

        assert desk.fired() == []


def test_a_halt_and_a_daily_loss_are_seen_between_closes(desk: Desk) -> None:
    desk.open_short("BTC", 20_000)
    desk.mark("BTC", 22_000)

    desk.wait(CHECKS.every_ms)

    assert desk.fired() == [ExitReason.HALT]
    assert desk.snapshot().is_halted
    assert desk.denial(NOON_MS + CANDLE_MS) is DenialReason.HALTED


def test_a_daily_loss_alone_fires_once_a_day(desk: Desk) -> None:
    desk.open_short("BTC", 20_000)
    desk.mark("BTC", 20_500)
    desk.wait(CHECKS.every_ms)
    desk.mark("BTC", 20_600)
    desk.wait(CHECKS.every_ms)

    assert desk.fired() == [ExitReason.DAILY_LOSS]


def test_a_days_loss_is_not_judged_before_its_first_close(tmp_path: Path) -> None:
    midnight_ms = NOON_MS + DAY_MS // 2
    with opened(tmp_path, now_ms=midnight_ms - 2_000) as desk:
        desk.open_short("BTC", 20_000)
        desk.wait(2_500)
        desk.mark("BTC", 20_600)
        desk.wait(CHECKS.every_ms)

        assert desk.fired() == []


def test_a_peak_between_closes_counts_and_survives_a_restart(desk: Desk) -> None:
    desk.open_short("BTC", 20_000)
    desk.mark("BTC", 18_000)
    desk.wait(CHECKS.every_ms)

    desk.tell(Message())  # nobody knows it: the portfolio crashes
    desk.mark("BTC", 19_900)
    desk.wait(CHECKS.every_ms)

    assert desk.snapshot().drawdown == Decimal(1_900) / Decimal(12_000)
    assert desk.fired() == [ExitReason.DRAWDOWN]


def test_equity_is_stored_between_closes_only_where_something_was_decided(desk: Desk) -> None:
    desk.open_short("BTC", 20_000)
    for price in (20_010, 20_020, 20_015, 20_005):
        desk.mark("BTC", price)
        desk.wait(CHECKS.every_ms)

    with desk.journals.connected():
        assert len(desk.journals.samples()) == 1


def test_an_entry_that_fills_after_an_emergency_is_closed_too(desk: Desk) -> None:
    desk.open_short("BTC", 10_000)
    t_ms = NOON_MS + CANDLE_MS
    desk.until(t_ms)
    reports = [report(n, 100.0 if n != "BTC" else 10_000.0, t_ms=t_ms) for n in ASSETS]
    reports[1] = replace(reports[1], signal=signal(signal_ms=t_ms))
    desk.tell(*(AssetReported(report=found) for found in reports))
    assert desk.told("asset/ETH", EntryApproved)
    desk.mark("BTC", 11_600)
    desk.wait(CHECKS.every_ms)
    assert desk.fired() == [ExitReason.DRAWDOWN]
    desk.heard["execution/ETH"].clear()

    desk.store(entry("ETH", 1, 100, t_ms))

    (close,) = desk.told("execution/ETH", ClosePosition)
    assert isinstance(close, ClosePosition)
    assert close.reason is ExitReason.DRAWDOWN


def test_an_entry_that_fills_in_the_next_candle_counts_at_its_close_after_a_restart_too(
    tmp_path: Path,
) -> None:
    t_ms, next_ms = NOON_MS + CANDLE_MS, NOON_MS + 2 * CANDLE_MS
    with opened(tmp_path, changed(RULES, approval={"max_positions": 1})) as desk:
        desk.until(t_ms)
        signaled = report("ETH", 100.0, t_ms=t_ms, signal=signal(signal_ms=t_ms))
        others = (report(name, 100.0, t_ms=t_ms) for name in ASSETS if name != "ETH")
        desk.tell(*(AssetReported(report=found) for found in (signaled, *others)))
        desk.until(next_ms + 500)
        # It counts from that candle's close on; until then its notional is reserved.
        told = desk.told("asset/ETH", EntryApproved)
        (order_id,) = (each.approval.client_order_id for each in told)
        filled = entry("ETH", 1, 100, t_ms)
        desk.store(replace(filled, ts_ms=next_ms + 500, client_order_id=order_id))

        desk.tell(Message())

        assert desk.denial(next_ms) is DenialReason.MAX_POSITIONS
        assert desk.told("asset/ETH", EntryApproved) == told
        desk.until(next_ms + CANDLE_MS)
        assert desk.denial(next_ms + CANDLE_MS) is DenialReason.MAX_POSITIONS
        assert desk.snapshot().positions.keys() == {"ETH"}


def test_a_restart_after_an_emergency_between_closes_tells_its_closes_again(desk: Desk) -> None:
    desk.open_short("BTC", 20_000)
    desk.mark("BTC", 21_500)
    desk.wait(CHECKS.every_ms)
    first = desk.told("execution/BTC", ClosePosition)

    desk.tell(Message())
    desk.wait(3 * CHECKS.every_ms)

    assert desk.told("execution/BTC", ClosePosition)[-1] == first[0]
    assert desk.fired() == [ExitReason.DRAWDOWN]


def test_a_close_is_decided_though_an_emergency_fired_after_it(desk: Desk) -> None:
    desk.open_short("BTC", 20_000)
    t_ms = NOON_MS + CANDLE_MS
    desk.until(t_ms + 500)
    desk.mark("BTC", 21_500)
    desk.wait(CHECKS.every_ms)
    desk.tell(Message())

    desk.tell(*(AssetReported(report=report(n, 21_400.0, t_ms=t_ms)) for n in ASSETS))

    with desk.journals.connected():
        assert desk.journals.samples()[-1].close_ms == t_ms
    assert desk.fired() == [ExitReason.DRAWDOWN]


# Transfers.


def moved(amount: int, ts_ms: int = START_MS + 10, name: str = "a") -> Transfer:
    kind = "TRANSFER_IN" if amount > 0 else "TRANSFER_OUT"
    return Transfer(transfer_id=name, ts_ms=ts_ms, kind=kind, amount=Decimal(amount))


def test_a_withdrawal_is_no_loss(desk: Desk) -> None:
    desk.account.found = [moved(-5_000)]
    desk.wait(ASK_EVERY_MS + CHECKS.every_ms)

    found = desk.snapshot()
    assert (found.balance, found.drawdown, found.daily_loss) == (5_000, 0, 0)
    assert desk.fired() == []
    assert "money went out" in desk.risks()


def test_a_deposit_hides_no_drawdown(desk: Desk) -> None:
    desk.open_short("BTC", 10_000)
    desk.tell(TransferSeen(transfer=moved(10_000)))
    desk.mark("BTC", 13_500)

    desk.wait(CHECKS.every_ms)

    assert desk.snapshot().drawdown == Decimal(3_500) / Decimal(20_000)
    assert desk.fired() == [ExitReason.DRAWDOWN]


def test_a_transfer_counts_once_however_often_it_is_seen_and_across_restarts(desk: Desk) -> None:
    desk.tell(*[TransferSeen(transfer=moved(-1_000))] * 2)
    desk.tell(Message())
    desk.tell(TransferSeen(transfer=moved(-1_000)))

    found = desk.snapshot()
    assert (found.balance, found.drawdown) == (9_000, 0)


def test_a_transfer_made_while_nothing_ran_is_found_at_the_start(tmp_path: Path) -> None:
    with opened(tmp_path) as desk:
        assert desk.snapshot().balance == 10_000
    later_ms = START_MS + 30 * DAY_MS
    made = [
        moved(-4_000, START_MS - 10, "before the books began"),
        moved(-5_000, later_ms - 20 * DAY_MS),
    ]
    with opened(tmp_path, RULES, CHECKS, later_ms, *made) as desk:
        desk.wait(CHECKS.every_ms)

        found = desk.snapshot()
        assert (found.balance, found.drawdown, found.daily_loss) == (5_000, 0, 0)
        assert min(desk.account.asked_since_ms) == START_MS


def test_an_account_that_does_not_answer_is_asked_again(desk: Desk) -> None:
    desk.account.is_down = True
    desk.account.found = [moved(-5_000)]
    desk.wait(60_000)
    assert desk.snapshot().balance == 10_000

    desk.account.is_down = False
    desk.wait(60_000)

    assert desk.snapshot().balance == 5_000
    assert all(child.restarts == 0 for child in desk.supervisor.children())


def test_a_balance_that_nothing_explains_is_told_once_and_blocks_until_it_agrees(
    desk: Desk,
) -> None:
    desk.account.wallet = Decimal(9_990)
    seen = [WalletSeen(ts_ms=START_MS + n, balance=Decimal(9_990)) for n in range(5)]
    desk.tell(seen[0], seen[1])
    assert desk.risks() == []
    desk.tell(*seen[2:])
    assert len(desk.risks()) == 1

    assert desk.denial(NOON_MS + CANDLE_MS) is DenialReason.MALFUNCTION
    assert desk.snapshot().malfunctions == {
        "wallet": "the exchange's balance is -10 from the books'"
    }

    desk.account.wallet = Decimal(10_000)
    desk.tell(WalletSeen(ts_ms=desk.clock.now_ms(), balance=Decimal(10_000)))
    assert desk.denial(NOON_MS + 2 * CANDLE_MS) is None
    assert [risk.partition(" ")[0] for risk in desk.risks()] == ["the", "the"]
    assert desk.risks()[-1].endswith("agree again")


def test_the_operator_takes_over_a_balance_that_nothing_explains_as_neither_gain_nor_loss(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as desk:
        desk.account.wallet = Decimal(9_000)
        rearm = Command(name=CommandName.REARM, argument="")
        assert not desk.asked(rearm).is_done
        desk.tell(*[WalletSeen(ts_ms=START_MS, balance=Decimal(9_000))] * ALARMING_WALLETS)

        answer = desk.asked(rearm)

        assert answer.is_done
        assert "-1000" in answer.result
        assert not desk.asked(rearm).is_done
        desk.tell(WalletSeen(ts_ms=START_MS + 1, balance=Decimal(9_000)))
        assert desk.denial(NOON_MS + CANDLE_MS) is None
        assert desk.fired() == []
    with opened(tmp_path, RULES, CHECKS, NOON_MS + 2 * CANDLE_MS) as desk:
        present = desk.snapshot()
        assert (present.balance, present.drawdown, present.daily_loss) == (9_000, 0, 0)


@pytest.mark.parametrize("is_halted", [False, True])
def test_what_was_booked_since_the_balances_were_compared_is_not_taken_over_as_well(
    tmp_path: Path, *, is_halted: bool
) -> None:
    rearm = Command(name=CommandName.REARM, argument="")
    with opened(tmp_path) as desk:
        desk.open_short("BTC", 5_000)
        if is_halted:
            panic = desk.asked(Command(name=CommandName.PANIC, argument=""))
            desk.tell(*(AssetFlat(asset=asset, t_ms=panic.ts_ms) for asset in ASSETS))
        # The exchange has closed it; its execution waits, since the journal is locked.
        desk.account.wallet = desk.snapshot().balance + 800
        seen = WalletSeen(ts_ms=desk.clock.now_ms(), balance=desk.account.wallet)
        desk.tell(*[seen] * ALARMING_WALLETS)
        desk.store(fill(Side.BUY, 1, 4_200, ts_ms=desk.clock.now_ms()))
        booked = desk.snapshot().balance
        assert booked == desk.account.wallet

        answer = desk.asked(rearm)

        assert answer.is_done is is_halted
        assert "taken over" not in answer.result
        assert desk.snapshot().balance == booked
        desk.tell(seen)
        assert "wallet" not in desk.snapshot().malfunctions


def test_balances_are_not_compared_while_facts_wait_to_be_stored(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "j.reserve")
    with opened(tmp_path, reserve=reserve, busy_timeout_ms=1) as desk:
        seen = WalletSeen(ts_ms=desk.clock.now_ms(), balance=Decimal(10_800))
        with refusing(desk.journals, tmp_path / "j.sqlite", "locked"):
            desk.asked(Command(name=CommandName.PANIC, argument=""))
            desk.tell(*[seen] * ALARMING_WALLETS)
            assert "wallet" not in desk.snapshot().malfunctions
        desk.until(desk.clock.now_ms() + 10_000)

        assert desk.snapshot().malfunctions == {}
        desk.tell(*[seen] * ALARMING_WALLETS)
        assert "wallet" in desk.snapshot().malfunctions


def test_a_position_that_no_asset_answers_for_is_told_once_as_long_as_it_stands(
    desk: Desk,
) -> None:
    doge = UnmanagedPosition(
        symbol="DOGEUSDT",
        signed_qty=Decimal(-100),
        avg_entry_price=Decimal("0.2"),
        stop_loss=None,
    )
    desk.account.by_hand = [doge]
    desk.until(desk.clock.now_ms() + 3 * ASK_EVERY_MS)
    assert desk.risks() == ["a position in DOGEUSDT is open, and the settings do not have it"]

    desk.account.by_hand = [replace(doge, signed_qty=Decimal(-200))]
    desk.until(desk.clock.now_ms() + 2 * ASK_EVERY_MS)
    desk.account.by_hand = []
    desk.until(desk.clock.now_ms() + 2 * ASK_EVERY_MS)

    assert len(desk.risks()) == 2
    assert desk.denial(NOON_MS + CANDLE_MS) is None


def test_what_others_trade_in_the_account_is_told_once_a_day_and_is_no_loss(desk: Desk) -> None:
    desk.account.found = [
        Transfer(
            transfer_id=str(n),
            ts_ms=START_MS + n,
            kind="FOREIGN TRADE linear DOGEUSDT",
            amount=Decimal(-100),
        )
        for n in range(1, 4)
    ]
    desk.account.wallet = Decimal(9_700)
    desk.until(desk.clock.now_ms() + 5 * ASK_EVERY_MS)

    told = {m.key for m in desk.heard["notifier"] if isinstance(m, RiskRaised)}
    assert told == {f"FOREIGN TRADE linear DOGEUSDT/{START_MS // DAY_MS}"}
    assert (desk.snapshot().balance, desk.snapshot().drawdown) == (9_700, 0)
    assert desk.snapshot().malfunctions == {}


# Malfunctions.


def mark_all(desk: Desk, but: str = "") -> None:
    for name in ASSETS:
        if name != but:
            desk.mark(name, 100)


def test_an_open_position_without_data_blocks_all_entries_until_data_comes(desk: Desk) -> None:
    desk.open_short("ETH", 100)
    del desk.prices["ETH"]
    desk.until(START_MS + 70_000)
    assert desk.risks() == ["malfunction: no data of ETH, which is held, for 60 s"]
    assert desk.denial(NOON_MS + CANDLE_MS) is DenialReason.MALFUNCTION
    assert desk.told("execution/ETH", ClosePosition) == []

    mark_all(desk)
    desk.wait(CHECKS.every_ms)

    assert len(desk.risks()) == 2
    assert desk.risks()[-1].startswith("malfunction over")
    assert desk.denial(NOON_MS + 2 * CANDLE_MS) is None


def test_silence_of_one_asset_that_is_not_held_is_no_malfunction(desk: Desk) -> None:
    for _ in range(7):
        mark_all(desk, but="ETH")
        desk.wait(10_000)

    assert desk.risks() == []


def test_silence_of_all_feeds_is_a_malfunction_though_nothing_is_held(desk: Desk) -> None:
    desk.wait(CHECKS.stale_ms + CHECKS.every_ms)

    assert desk.risks() == ["malfunction: no data of any asset for 60 s"]


def test_an_exchange_out_of_reach_blocks_entries_until_it_answers(desk: Desk) -> None:
    desk.tell(MalfunctionBegan(source="execution/ETH", detail="the exchange does not answer"))
    mark_all(desk)
    desk.wait(CHECKS.every_ms)
    mark_all(desk)
    assert desk.denial(NOON_MS + CANDLE_MS) is DenialReason.MALFUNCTION

    desk.tell(MalfunctionEnded(source="execution/ETH"))
    mark_all(desk)
    desk.wait(CHECKS.every_ms)

    assert desk.denial(NOON_MS + 2 * CANDLE_MS) is None


def test_a_malfunction_closes_all_where_the_settings_say_so(tmp_path: Path) -> None:
    rules = changed(protection={"malfunction_closes_all": True})
    with opened(tmp_path, rules) as desk:
        desk.open_short("ETH", 100)
        desk.tell(MalfunctionBegan(source="execution/BTC", detail="the exchange does not answer"))
        desk.wait(3 * CHECKS.every_ms)

        (close,) = desk.told("execution/ETH", ClosePosition)
        assert isinstance(close, ClosePosition)
        assert close.reason is ExitReason.MALFUNCTION
        assert desk.fired() == [ExitReason.MALFUNCTION]
        assert desk.snapshot().global_cooldown_end_ms == 0


def test_a_frozen_asset_gets_nothing_and_the_others_do(desk: Desk) -> None:
    desk.tell(ReconcileMismatch(asset="BTC"))
    assert desk.denial(NOON_MS + CANDLE_MS) is DenialReason.MALFUNCTION

    desk.tell(ReconcileMatch(asset="BTC"))

    assert desk.denial(NOON_MS + 2 * CANDLE_MS) is None


def test_state_of_an_older_program_gets_the_capital_that_it_began_with(tmp_path: Path) -> None:
    """An older program stored none: measured against 0, nothing would ever be lost."""
    rules = changed(
        protection={
            "capital_loss_fraction": Decimal("0.02"),
            "max_daily_loss_fraction": None,
        }
    )
    with opened(tmp_path, rules) as desk:
        journals, clock_ms = desk.journals, desk.clock.now_ms()
        first = initial_state(Decimal(10_000), clock_ms)
        writer = journals.open("portfolio", lambda: None)
        writer.append(replace(first, entry_capital=Decimal(0), epoch=1))
        writer.close()

    with opened(tmp_path, rules) as desk:
        desk.open_short("BTC", 1_000)
        desk.mark("BTC", 1_300)
        desk.until(desk.clock.now_ms() + 5_000)

        assert desk.fired() == [ExitReason.CAPITAL_LOSS]
