"""The portfolio folds by the market's order, protects, and decides on one picture."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market.instruments import DAY_MS, HOUR_MS, MINUTE_MS, Side
from domain.portfolio.protection import initial_state
from domain.portfolio.state import PortfolioState
from domain.rules import TradingRules
from domain.trading.booking_order import BookingKey, booking_key, counts_before
from domain.trading.decisions import AssetEvaluation, Decision, DenialReason
from domain.trading.orders import ExitReason, Purpose
from domain.trading.positions import Execution
from domain.trading.streaks import LossStreak
from tests.domain.builders import (
    CANDLE_MS,
    NOON_MS,
    RULES,
    changed,
    entry,
    fill,
    funding,
    report,
    series,
    signal,
    trade,
)

NAMES = ("BTC", "ETH", "SOL")
SMALL = changed(candles={"volatility_window": 3})
START = Decimal(10_000)


def portfolio(rules: TradingRules = RULES, **state: Any) -> PortfolioState:
    return PortfolioState(rules, replace(initial_state(START, NOON_MS), **state), START)


def stop(asset: str, qty: object, price: object, t_ms: int = NOON_MS) -> Execution:
    return fill(
        Side.BUY, qty, price, asset=asset, ts_ms=t_ms, reason=ExitReason.STOP_LOSS, fee="0.5"
    )


def close(asset: str, qty: object, price: object, t_ms: int, reason: ExitReason) -> Execution:
    return fill(
        Side.BUY, qty, price, asset=asset, ts_ms=t_ms, decided_ms=t_ms, reason=reason, fee="0.5"
    )


def venue_position(*names: str, rules: TradingRules = RULES, price: object = 100) -> PortfolioState:
    """Return a portfolio that is one short in each asset."""
    state = portfolio(rules)
    for name in names:
        state.hear(entry(name, 1, price, NOON_MS - CANDLE_MS))
    state.fold_all()
    return state


def decide(state: PortfolioState, reports: list[AssetEvaluation], t_ms: int = NOON_MS) -> Decision:
    return state.decide(t_ms, reports, now_ms=t_ms)


def signaling(*names: str, t_ms: int = NOON_MS) -> list[AssetEvaluation]:
    return [report(name, 100.0, t_ms=t_ms, signal=signal()) for name in names]


def denied(decision: Decision) -> list[DenialReason]:
    return [denial.reason for denial in decision.denials]


# The order in which executions count.


@pytest.mark.parametrize(
    ("ts_ms", "decided", "reason", "key"),
    [
        (NOON_MS, False, None, (NOON_MS, 0)),
        (NOON_MS - 1, False, None, (NOON_MS, 0)),
        (NOON_MS + 1, False, None, (NOON_MS + CANDLE_MS, 0)),
        (NOON_MS, True, ExitReason.REGIME, (NOON_MS, 1)),
        (NOON_MS, True, ExitReason.TIME, (NOON_MS, 1)),
        (NOON_MS + 1500, True, ExitReason.TIME, (NOON_MS, 1)),
        (NOON_MS, True, ExitReason.DRAWDOWN, (NOON_MS, 2)),
        (NOON_MS, True, ExitReason.OPERATOR, (NOON_MS, 2)),
        (NOON_MS, True, None, (NOON_MS, 3)),
        (NOON_MS + CANDLE_MS - 1, True, None, (NOON_MS, 3)),
    ],
)
def test_executions_count_by_candle_and_by_who_made_them(ts_ms, decided, reason, key) -> None:
    execution = fill(
        Side.BUY, 1, 1, ts_ms=ts_ms, decided_ms=NOON_MS if decided else None, reason=reason
    )

    found = booking_key(execution, 2, 7, CANDLE_MS)

    assert found == BookingKey(*key, 2, 7)
    assert counts_before(execution, NOON_MS, CANDLE_MS) == (key == (NOON_MS, 0))
    assert counts_before(execution, NOON_MS + CANDLE_MS, CANDLE_MS)


def test_decision_sees_the_fills_inside_its_candle_and_none_at_its_close() -> None:
    state = portfolio()

    state.hear(entry("ETH", 1, 100, NOON_MS))
    state.hear(entry("BTC", 1, 100, NOON_MS - CANDLE_MS))
    state.hear(stop("BTC", 1, 90, NOON_MS))
    state.fold_before(NOON_MS)
    seen = dict(state.positions), state.balance
    state.fold_before(NOON_MS + CANDLE_MS)

    assert seen == ({}, START + 10 - Decimal("0.5"))
    assert set(state.positions) == {"ETH"}


@st.composite
def candles_of_executions(draw: Any) -> list[list[Execution]]:
    """Return, candle by candle, executions in the order of strategy 10.3."""
    open_assets: dict[str, Decimal] = {}
    candles = []
    for index in range(draw(st.integers(1, 8))):
        t_ms = NOON_MS + index * CANDLE_MS
        price = st.integers(90, 110)
        stopped = [name for name in NAMES if name in open_assets and draw(st.booleans())]
        inside = [stop(name, open_assets.pop(name), draw(price), t_ms) for name in stopped]
        closing = [name for name in NAMES if name in open_assets and draw(st.booleans())]
        reasons = {
            name: draw(st.sampled_from([ExitReason.REGIME, ExitReason.TIME, ExitReason.HALT]))
            for name in closing
        }
        exits = [
            close(name, open_assets[name], draw(price), t_ms, reasons[name]) for name in closing
        ]
        exits.sort(key=lambda execution: execution.reason is ExitReason.HALT)
        opening = [name for name in NAMES if name not in open_assets and draw(st.booleans())]
        entries = [
            entry(name, draw(st.integers(1, 5)), draw(price), t_ms, fee="0.25") for name in opening
        ]
        for name in closing:
            del open_assets[name]
        open_assets |= {one.asset: one.qty for one in entries}
        candles.append([*inside, *exits, *entries])
    return candles


def books(state: PortfolioState) -> tuple[Any, ...]:
    return state.balance, state.positions, state.streak


@settings(max_examples=150)
@given(candles_of_executions(), st.randoms(use_true_random=False))
def test_executions_heard_in_any_order_end_in_the_same_books(candles, random) -> None:
    in_order, shuffled, candle_by_candle = portfolio(), portfolio(), portfolio()
    everything = [execution for candle in candles for execution in candle]
    for execution in everything:
        in_order.hear(execution)
        in_order.fold_all()

    mixed = random.sample(everything, len(everything))
    for execution in mixed:
        shuffled.hear(execution)
    shuffled.fold_all()
    for index, candle in enumerate(candles):
        for execution in random.sample(candle, len(candle)):
            candle_by_candle.hear(execution)
        candle_by_candle.fold_before(NOON_MS + index * CANDLE_MS)
    candle_by_candle.fold_all()

    assert books(shuffled) == books(candle_by_candle) == books(in_order)


@settings(max_examples=150)
@given(candles_of_executions())
def test_balance_is_the_start_plus_the_cash_of_every_execution(candles) -> None:
    state = portfolio()
    for execution in [execution for candle in candles for execution in candle]:
        state.hear(execution)
    state.fold_all()

    flow, held = START, Decimal(0)
    for execution in [execution for candle in candles for execution in candle]:
        sign = 1 if execution.side is Side.SELL else -1
        flow += sign * execution.qty * execution.price - execution.fee
        held -= sign * execution.qty
    state.prices = {name: Decimal(97) for name in NAMES}
    assert state.equity() == flow + held * 97


@pytest.mark.parametrize(
    ("prices", "losses"),
    [
        ({"BTC": 101, "ETH": 99, "SOL": 101}, 1),
        ({"BTC": 99, "ETH": 101, "SOL": 101}, 2),
        ({"BTC": 101, "ETH": 101, "SOL": 99}, 0),
    ],
)
def test_assets_stopped_in_one_candle_count_in_the_order_of_the_settings(prices, losses) -> None:
    state = venue_position(*NAMES)

    for name in ("SOL", "BTC", "ETH"):
        state.hear(stop(name, 1, prices[name]))
    state.fold_before(NOON_MS)

    assert state.streak == LossStreak(losses=losses)


def test_exits_of_assets_count_before_emergency_exits_whatever_their_place() -> None:
    state = venue_position(*NAMES)

    state.hear(close("BTC", 1, 101, NOON_MS, ExitReason.DRAWDOWN))
    state.hear(close("SOL", 1, 90, NOON_MS, ExitReason.REGIME))
    state.fold_all()

    assert state.streak.losses == 1


# The loss streak (8.7).


def streak_after(pnls: list[object], *, apart_ms: int = 0) -> LossStreak:
    streak = LossStreak()
    for index, pnl in enumerate(pnls):
        streak = streak.apply(
            trade(pnl, exit_ms=NOON_MS + index * apart_ms), limit=5, cooldown_ms=4 * HOUR_MS
        )
    return streak


@pytest.mark.parametrize(
    ("pnls", "losses", "end_ms"),
    [
        ([-1] * 4, 4, 0),
        ([-1] * 5, 0, NOON_MS + 4 * HOUR_MS),
        ([-1] * 4 + [0], 0, 0),
        ([-1] * 4 + [0, "-0.01"], 1, 0),
        ([-1] * 7, 2, NOON_MS + 4 * HOUR_MS),
        ([-1] * 5 + [1], 0, NOON_MS + 4 * HOUR_MS),
    ],
)
def test_fifth_loss_in_a_row_rests_the_portfolio_and_counts_from_zero(pnls, losses, end_ms) -> None:
    assert streak_after(pnls) == LossStreak(losses=losses, cooldown_end_ms=end_ms)


def test_second_streak_within_the_cooldown_moves_its_end_forward() -> None:
    assert streak_after([-1] * 10, apart_ms=MINUTE_MS).cooldown_end_ms == (
        NOON_MS + 9 * MINUTE_MS + 4 * HOUR_MS
    )


@given(st.lists(st.tuples(st.integers(-1, 1), st.integers(0, 3 * HOUR_MS)), max_size=30))
def test_end_of_the_streaks_cooldown_never_moves_back(history) -> None:
    streak, t_ms, row, expected = LossStreak(), NOON_MS, 0, 0

    for pnl, later_ms in history:
        t_ms += later_ms
        streak = streak.apply(trade(pnl, exit_ms=t_ms), limit=5, cooldown_ms=4 * HOUR_MS)

        row = row + 1 if pnl < 0 else 0
        if row == 5:
            row, expected = 0, t_ms + 4 * HOUR_MS
        assert streak == LossStreak(losses=row, cooldown_end_ms=expected)


def test_streak_of_stops_inside_a_candle_denies_the_entries_of_its_close() -> None:
    state = venue_position("BTC")
    state.streak = LossStreak(losses=4)
    state.hear(stop("BTC", 1, 101))

    decision = decide(state, signaling("ETH"))

    assert denied(decision) == ["GLOBAL_COOLDOWN"]
    assert decision.protection is None
    assert state.global_cooldown_end_ms == NOON_MS + 4 * HOUR_MS
    assert state.global_cooldown_reason == "LOSS_STREAK"
    (refused,) = decision.denials
    assert refused.figures.endswith("cooldown=LOSS_STREAK")
    assert denied(decide(state, signaling("ETH"), NOON_MS + 4 * HOUR_MS - CANDLE_MS)) == [
        "GLOBAL_COOLDOWN"
    ]
    assert decide(state, signaling("ETH"), NOON_MS + 4 * HOUR_MS).approvals


# Decisions.


def test_equity_is_the_balance_plus_unrealized_pnl_at_the_close_without_exit_costs() -> None:
    state = venue_position("BTC")

    decide(state, [report("BTC", 90.0)])

    assert (state.balance, state.equity()) == (START, START + 10)
    assert state.protection.equity == START + 10
    assert state.protection.balance == START
    assert state.protection.peak_equity == START + 10


def test_position_without_a_price_is_valued_at_its_entry() -> None:
    state = venue_position("BTC")
    unknown = state.equity()

    state.remember_price("BTC", Decimal(80))

    assert (unknown, state.equity()) == (START, START + 20)


@given(st.permutations(NAMES), st.lists(st.floats(50, 150), min_size=3, max_size=3))
def test_decision_does_not_depend_on_the_order_of_the_reports(order, prices) -> None:
    closes = dict(zip(NAMES, prices, strict=True))
    one, other = venue_position("ETH"), venue_position("ETH")

    def reports(names: Any) -> list[AssetEvaluation]:
        return [report(name, closes[name], signal=signal()) for name in names if name != "ETH"]

    assert decide(one, reports(NAMES)) == decide(other, reports(order))
    assert one.reserved == other.reserved


def falling_to(equity: int) -> PortfolioState:
    """Return a portfolio whose short of one BTC stands at this equity when BTC closes at 100."""
    return venue_position("BTC", price=100 - (10_000 - equity))


@pytest.mark.parametrize(
    ("state", "equity", "reason"),
    [
        ({"is_halted": True, "cooldown_end_ms": NOON_MS + 1}, 9_000, "HALTED"),
        ({"cooldown_end_ms": NOON_MS + 1}, 9_000, "GLOBAL_COOLDOWN"),
        ({"cooldown_end_ms": NOON_MS}, 9_500, "EMERGENCY"),
        ({"daily_loss_day": 20_000}, 9_500, "DAILY_LOSS"),
        ({"daily_loss_day": 20_000}, 10_000, "DAILY_LOSS"),
        ({"daily_loss_day": 19_999}, 10_000, "MAX_POSITIONS"),
        ({}, 9_501, "MAX_POSITIONS"),
    ],
)
def test_refusals_name_the_first_reason_that_holds_for_the_whole_portfolio(
    state, equity, reason
) -> None:
    rules = changed(approval={"max_positions": 1})
    books = portfolio(rules, **state)
    books.hear(entry("BTC", 100, 100, NOON_MS - CANDLE_MS))

    closing = 100 + (10_000 - equity) / 100
    decision = decide(books, [report("BTC", closing), *signaling("ETH", "SOL")])

    assert denied(decision) == [reason, reason]
    assert decision.approvals == ()
    assert (decision.protection is not None) == (reason == "EMERGENCY" or equity == 9_000)


@pytest.mark.parametrize(("age_ms", "stale"), [(30_000, False), (30_001, True)])
def test_close_older_than_half_a_minute_opens_nothing(age_ms: int, stale: bool) -> None:
    decision = portfolio().decide(NOON_MS, signaling("BTC"), now_ms=NOON_MS + age_ms)

    assert denied(decision) == (["STALE"] if stale else [])
    assert bool(decision.approvals) != stale


def test_daily_loss_forbids_entries_for_the_rest_of_its_day() -> None:
    state = venue_position("BTC", rules=changed(protection={"emergency_cooldown_ms": 0}))
    midnight_ms = NOON_MS + DAY_MS // 2

    fired = decide(state, [report("BTC", 600.0), *signaling("ETH")])
    state.hear(close("BTC", 1, 600, NOON_MS, ExitReason.DAILY_LOSS))
    later = decide(state, signaling("ETH"), midnight_ms - CANDLE_MS)
    next_day = decide(state, signaling("ETH"), midnight_ms)

    assert fired.protection is not None
    assert fired.protection.reason is ExitReason.DAILY_LOSS
    assert denied(later) == ["DAILY_LOSS"]
    assert next_day.approvals


def test_daily_loss_at_its_limit_refuses_though_it_cannot_fire_again() -> None:
    state = portfolio(day_start_equity=START)
    state.protection = replace(state.protection, daily_loss_day=20_000)
    state.balance = Decimal(9_500)

    assert denied(decide(state, signaling("BTC"))) == ["DAILY_LOSS"]


def test_emergency_closes_all_open_positions_and_an_own_exit_keeps_its_reason() -> None:
    state = venue_position(*NAMES, price=100)
    reports = [report("SOL", 800.0), report("ETH", 100.0, strategy_exit=ExitReason.TIME)]
    reports.append(report("BTC", 1000.0))

    protection = decide(state, reports).protection

    assert protection is not None
    assert protection.reason is ExitReason.DRAWDOWN
    assert [(one.asset, one.purpose, one.reason) for one in protection.closes] == [
        ("BTC", Purpose.EMERGENCY, ExitReason.DRAWDOWN),
        ("ETH", Purpose.EXIT, ExitReason.TIME),
        ("SOL", Purpose.EMERGENCY, ExitReason.DRAWDOWN),
    ]
    assert (protection.t_ms, protection.epoch) == (NOON_MS, 1)
    assert protection.cooldown_end_ms == NOON_MS + 4 * HOUR_MS
    assert state.global_cooldown_end_ms == NOON_MS + 4 * HOUR_MS
    assert state.global_cooldown_reason == "DRAWDOWN"


def test_emergency_fires_where_nothing_is_open() -> None:
    state = portfolio()
    state.balance = Decimal(8_500)

    protection = decide(state, []).protection

    assert protection is not None
    assert (protection.reason, protection.closes) == (ExitReason.DRAWDOWN, ())


def test_halted_portfolio_grants_nothing_after_its_cooldown() -> None:
    state = portfolio()
    state.balance = Decimal(8_000)
    decide(state, [])
    state.balance = START

    assert denied(decide(state, signaling("BTC"), NOON_MS + 30 * DAY_MS)) == ["HALTED"]


def test_half_size_that_begins_at_a_close_sizes_its_grants() -> None:
    rules = changed(protection={"max_daily_loss_fraction": Decimal(1)})
    state = portfolio(rules)
    state.balance = Decimal(9_000)

    (approval,) = decide(state, signaling("SOL")).approvals

    assert approval.qty == Decimal("31.5")


def test_grant_carries_the_epoch_of_the_newest_protection() -> None:
    (approval,) = decide(portfolio(epoch=4), signaling("BTC")).approvals

    assert approval.protection_epoch == 4


def test_position_whose_exit_is_decided_now_still_counts_as_open() -> None:
    state = venue_position("BTC", rules=changed(approval={"max_positions": 1}))
    reports = [report("BTC", strategy_exit=ExitReason.REGIME), *signaling("ETH")]

    assert denied(decide(state, reports)) == ["MAX_POSITIONS"]


def test_exposure_counts_open_positions_at_their_entry_price() -> None:
    rules = changed(protection={"max_daily_loss_fraction": Decimal(1)})
    state = portfolio(rules)
    state.hear(entry("BTC", 174, 100, NOON_MS - CANDLE_MS))

    reports = [report("BTC", 105.0), *signaling("SOL")]
    (approval,) = decide(state, reports).approvals

    assert approval.qty == 36


# Reservations (7.6).


def test_grant_reserves_its_notional_until_its_order_fills() -> None:
    state = portfolio(changed(approval={"max_total_exposure": Decimal("1.05")}))
    (approval,) = decide(state, signaling("BTC")).approvals
    reserved = dict(state.reserved)
    cut = decide(state, signaling("ETH", t_ms=NOON_MS + CANDLE_MS), NOON_MS + CANDLE_MS)

    state.hear(entry("BTC", approval.qty, 100, NOON_MS))
    state.fold_all()

    assert reserved == {"BTC": approval}
    assert [one.qty for one in cut.approvals] == [35]
    assert set(state.reserved) == {"ETH"}
    assert set(state.positions) == {"BTC"}


def test_only_the_grant_itself_is_released() -> None:
    state = portfolio()
    (approval,) = decide(state, signaling("BTC")).approvals

    state.release(replace(approval, t_ms=NOON_MS - CANDLE_MS))
    kept = dict(state.reserved)
    state.release(approval)
    state.release(approval)

    assert kept == {"BTC": approval}
    assert state.reserved == {}


def test_fill_of_an_older_decision_does_not_free_a_reservation() -> None:
    state = portfolio()
    (approval,) = decide(state, signaling("BTC")).approvals

    state.hear(entry("BTC", 1, 100, NOON_MS - CANDLE_MS))
    state.hear(funding(1))
    state.fold_all()

    assert state.reserved == {"BTC": approval}


def test_asset_that_was_given_up_gets_no_position() -> None:
    state = portfolio()
    state.suspended.add("BTC")

    decision = decide(state, signaling("BTC", "ETH"))

    assert denied(decision) == ["MALFUNCTION"]
    assert [approval.asset for approval in decision.approvals] == ["ETH"]


# Correlation over the last closes.

UP, DOWN = [100.0, 110.0, 100.0, 120.0], [100.0, 90.0, 100.0, 80.0]


def played(closes: dict[str, list[float]], rules: TradingRules = SMALL) -> PortfolioState:
    """Return a portfolio that held one short in each asset and saw these closes, up to noon."""
    state = portfolio(rules)
    for name, values in closes.items():
        state.hear(entry(name, "0.001", 100, NOON_MS - DAY_MS))
        state.remember_closes(name, series(values, NOON_MS - (len(values) - 1) * CANDLE_MS))
    state.fold_all()
    return state


def fires(state: PortfolioState, reports: list[AssetEvaluation]) -> ExitReason | None:
    protection = decide(state, reports).protection
    return None if protection is None else protection.reason


@pytest.mark.parametrize(
    ("closes", "reason"),
    [
        ({"BTC": UP, "ETH": UP}, ExitReason.CORRELATION),
        ({"BTC": UP}, None),
        ({"BTC": UP, "ETH": DOWN}, None),
        ({"BTC": UP, "ETH": UP, "SOL": DOWN}, None),  # the mean of three pairs
        ({"BTC": UP, "ETH": UP, "SOL": [100.0] * 4}, ExitReason.CORRELATION),  # SOL: not judged
        ({"BTC": UP, "ETH": UP[1:]}, None),  # too few closes
    ],
)
def test_mean_correlation_of_the_open_positions_is_an_emergency(closes, reason) -> None:
    reports = [report(name, values[-1]) for name, values in closes.items()]

    assert fires(played(closes), reports) is reason


def test_people_are_shown_how_the_open_positions_are_correlated() -> None:
    pair, alone = played({"BTC": UP, "ETH": UP}), played({"BTC": UP})

    assert pair.snapshot().open_correlation == pytest.approx(1)
    assert alone.snapshot().open_correlation is None
    assert pair.snapshot().correlations["ETH", "BTC"] == pytest.approx(1)
    assert pair.snapshot().correlations["SOL", "BTC"] is None


def test_people_are_shown_no_correlation_with_a_position_that_is_closed() -> None:
    state = played({"BTC": UP, "ETH": UP})

    state.hear(stop("BTC", "0.001", 90, NOON_MS + 1))

    found = state.snapshot()
    assert set(found.positions) == {"ETH"}
    assert {other for _, other in found.correlations} == {"ETH"}
    assert found.open_correlation is None


def test_positions_with_an_exit_decided_now_are_still_correlated() -> None:
    reports = [report("BTC", 120.0, strategy_exit=ExitReason.REGIME), report("ETH", 120.0)]

    assert fires(played({"BTC": UP, "ETH": UP}), reports) is ExitReason.CORRELATION


def test_asset_without_a_close_at_t_is_not_judged() -> None:
    state = played({"BTC": UP, "ETH": UP})
    later_ms = NOON_MS + CANDLE_MS

    decision = decide(state, [report("BTC", 100.0, t_ms=later_ms)], later_ms)

    assert decision.protection is None


def test_entry_of_an_asset_correlated_with_an_open_one_is_refused() -> None:
    state = played({"BTC": UP})
    state.remember_closes("ETH", series(UP, NOON_MS - 3 * CANDLE_MS))

    reports = [report("BTC", 120.0), report("ETH", 120.0, signal=signal())]

    assert denied(decide(state, reports)) == ["CORRELATION"]


def test_closes_that_are_remembered_and_closes_that_are_reported_are_the_same() -> None:
    told, remembered = portfolio(SMALL), portfolio(SMALL)
    for index in range(4):
        t_ms = NOON_MS + (index - 3) * CANDLE_MS
        for _ in range(2):  # a close that is decided again is not counted again
            reports = [
                report("BTC", UP[index], t_ms=t_ms),
                report("ETH", DOWN[index], t_ms=t_ms),
            ]
            decide(told, reports, t_ms)
    for name, values in {"BTC": [7.0, *UP], "ETH": [7.0, *DOWN]}.items():
        remembered.remember_closes(name, series(values, NOON_MS - 4 * CANDLE_MS))

    assert remembered.prices == told.prices
    for state in (told, remembered):
        assert state._correlation(NOON_MS, "BTC", "ETH") == pytest.approx(-0.99, abs=0.01)
        assert state._correlation(NOON_MS, "BTC", "BTC") == pytest.approx(1)
        assert state._correlation(NOON_MS + 1, "BTC", "ETH") is None


def test_closes_remembered_anew_replace_those_already_correlated() -> None:
    state = portfolio(SMALL)
    for name, values in {"BTC": UP, "ETH": DOWN}.items():
        state.remember_closes(name, series(values, NOON_MS - 3 * CANDLE_MS))
    assert state._correlation(NOON_MS, "BTC", "ETH") == pytest.approx(-0.99, abs=0.01)

    state.remember_closes("ETH", series(UP, NOON_MS - 3 * CANDLE_MS))

    assert state._correlation(NOON_MS, "BTC", "ETH") == pytest.approx(1)


def test_deciding_a_close_again_from_the_facts_before_it_decides_the_same() -> None:
    def restarted() -> PortfolioState:
        state = played({"BTC": UP})
        state.hear(stop("BTC", "0.001", 101))
        return state

    reports = [report("BTC", 120.0), *signaling("ETH", "SOL")]

    assert decide(restarted(), reports) == decide(restarted(), reports)
    assert len(decide(restarted(), reports).approvals) == 2


def test_a_close_decided_between_two_closes_counts_after_the_entry_of_the_first() -> None:
    opened = entry("BTC", 2, 100, NOON_MS)
    by_hand = fill(
        Side.BUY,
        1,
        101,
        ts_ms=NOON_MS + 60_000,
        decided_ms=NOON_MS + 59_000,
        reason=ExitReason.OPERATOR,
    )
    stopped = stop("BTC", 1, 102, NOON_MS + 90_000)
    state = portfolio()

    for execution in (by_hand, stopped, opened):
        state.hear(execution)
    state.fold_all()

    assert state.positions == {}
    assert state.streak.losses == 1


def test_funding_settled_at_a_close_belongs_to_the_candle_that_opens_there() -> None:
    paid = funding(1, ts_ms=NOON_MS)

    assert booking_key(paid, 0, 0, CANDLE_MS)[:2] == (NOON_MS + CANDLE_MS, 0)
    assert not counts_before(paid, NOON_MS, CANDLE_MS)


def test_a_window_with_a_hole_is_told_so_and_can_be_filled() -> None:
    state = portfolio(SMALL)
    state.decide(NOON_MS, [report("BTC", close=100.0)], now_ms=NOON_MS)
    later = report("BTC", t_ms=NOON_MS + 2 * CANDLE_MS, close=101.0)

    assert state.follows(report("BTC", t_ms=NOON_MS + CANDLE_MS))
    assert not state.follows(later)
