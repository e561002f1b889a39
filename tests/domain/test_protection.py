"""The portfolio is protected at its levels, each once, and again only when it was armed again."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market.instruments import DAY_MS, HOUR_MS, MINUTE_MS
from domain.portfolio.protection import (
    ProtectionState,
    drawdown_multiplier,
    fire,
    initial_state,
    rearm,
    sample,
    transfer,
    watch,
)
from domain.trading.orders import ExitReason
from tests.domain.builders import CANDLE_MS, NOON_MS, RULES

LIMITS = RULES.protection
MIDNIGHT_MS = NOON_MS + DAY_MS // 2
START = initial_state(Decimal(10_000), NOON_MS)
NO_DAILY_LOSS = replace(LIMITS, max_daily_loss_fraction=Decimal(1))
"""So that a fall within a day shows the drawdown's rules alone."""


def step(
    state: ProtectionState,
    equity: object,
    t_ms: int,
    *,
    correlation: float | None = None,
    rules: Any = LIMITS,
) -> tuple[ProtectionState, ExitReason | None]:
    """Sample and fire, as at each close."""
    state = sample(
        state, equity=Decimal(str(equity)), balance=Decimal(9_000), t_ms=t_ms, rules=rules
    )
    return fire(state, open_correlation=correlation, rules=rules)


def walk(equities: list[object], rules: Any = NO_DAILY_LOSS) -> list[ExitReason | None]:
    """Return what fires at each of some closes."""
    state, found = START, []
    for index, equity in enumerate(equities, start=1):
        state, reason = step(state, equity, NOON_MS + index * CANDLE_MS, rules=rules)
        found.append(reason)
    return found


def test_peak_and_day_start_are_the_starting_balance_at_the_start() -> None:
    assert (START.peak_equity, START.day_start_equity, START.equity) == (10_000, 10_000, 10_000)
    assert (START.t_ms, START.day) == (NOON_MS, 20_000)
    assert (START.drawdown, START.daily_loss) == (0, 0)


def test_drawdown_is_from_the_peak_and_daily_loss_from_the_days_start() -> None:
    high, _ = step(START, 12_500, NOON_MS + CANDLE_MS)
    low, _ = step(high, 12_000, NOON_MS + 2 * CANDLE_MS)

    assert (high.peak_equity, high.drawdown, high.daily_loss) == (12_500, 0, Decimal("-0.25"))
    assert (low.peak_equity, low.drawdown) == (12_500, Decimal("0.04"))
    assert low.daily_loss == Decimal("-0.2")
    assert (low.equity, low.balance, low.t_ms) == (12_000, 9_000, NOON_MS + 2 * CANDLE_MS)


def test_day_starts_with_the_equity_at_its_first_close_which_midnight_is() -> None:
    before, _ = step(START, 9_900, MIDNIGHT_MS - 1)
    midnight, _ = step(before, 9_800, MIDNIGHT_MS)
    after, _ = step(midnight, 9_700, MIDNIGHT_MS + CANDLE_MS)

    assert [state.day_start_equity for state in (before, midnight, after)] == [10_000, 9_800, 9_800]
    assert [state.day for state in (before, midnight, after)] == [20_000, 20_001, 20_001]


@pytest.mark.parametrize(
    ("equities", "reduced"),
    [
        (["9000.01"], False),
        (["9000"], True),
        (["9000", "9500"], True),
        (["9000", "9500.01"], False),
        (["9000", "9500.01", "9000.01"], False),
        (["9000", "9500.01", "9000"], True),
    ],
)
def test_entries_are_halved_from_ten_percent_until_below_five(equities, reduced) -> None:
    state = START
    for index, equity in enumerate(equities, start=1):
        state, _ = step(state, equity, NOON_MS + index * CANDLE_MS, rules=NO_DAILY_LOSS)

    assert state.is_reduced == reduced


DRAWDOWN, HALT = ExitReason.DRAWDOWN, ExitReason.HALT


@pytest.mark.parametrize(
    ("equities", "fires"),
    [
        (["8500.01"], [None]),
        (["8500"], [DRAWDOWN]),
        (["8500", "8500", "8400"], [DRAWDOWN, None, None]),
        (["8500", "9000", "8500"], [DRAWDOWN, None, None]),
        (["8500", "9000.01", "8500"], [DRAWDOWN, None, DRAWDOWN]),
        (["8000.01"], [DRAWDOWN]),
        (["8000"], [HALT]),
        (["8500", "8000"], [DRAWDOWN, HALT]),
        (["8000", "8000", "7000", "8400"], [HALT, None, None, None]),
    ],
)
def test_emergency_fires_once_from_15_percent_and_is_armed_again_below_10(equities, fires) -> None:
    assert walk(equities) == fires


def test_halt_stops_everything_for_good_and_rests_the_portfolio() -> None:
    state, reason = step(START, 8_000, NOON_MS, rules=NO_DAILY_LOSS)
    later, _ = step(state, 10_000, NOON_MS + DAY_MS)

    assert reason is HALT
    assert state.is_halted
    assert later.is_halted
    assert state.cooldown_end_ms == NOON_MS + 4 * HOUR_MS


def test_emergency_halts_nothing() -> None:
    state, _ = step(START, 8_500, NOON_MS, rules=NO_DAILY_LOSS)

    assert not state.is_halted


def test_daily_loss_fires_from_five_percent_once_a_day() -> None:
    times = [NOON_MS, NOON_MS + CANDLE_MS, NOON_MS + 2 * CANDLE_MS, MIDNIGHT_MS]
    times += [MIDNIGHT_MS + CANDLE_MS, MIDNIGHT_MS + 2 * CANDLE_MS]
    equities = ["9500.01", "9500", "9400", "9400", "8931", "8930"]
    state, found, days = START, [], []

    for equity, t_ms in zip(equities, times, strict=True):
        state, reason = step(state, equity, t_ms)
        found.append(reason)
        days.append(state.daily_loss_day)

    assert found == [None, ExitReason.DAILY_LOSS, None, None, None, ExitReason.DAILY_LOSS]
    assert days == [None, 20_000, 20_000, 20_000, 20_000, 20_001]


@pytest.mark.parametrize(("correlation", "fires"), [(None, False), (0.9, False), (0.9001, True)])
def test_correlation_of_the_open_positions_fires_strictly_above_its_limit(
    correlation, fires
) -> None:
    _, reason = step(START, 10_000, NOON_MS, correlation=correlation)

    assert reason is (ExitReason.CORRELATION if fires else None)


@pytest.mark.parametrize(
    ("equity", "correlation", "first"),
    [
        (8_000, 0.95, ExitReason.HALT),
        (8_500, 0.95, ExitReason.DRAWDOWN),
        (9_500, 0.95, ExitReason.DAILY_LOSS),
        (9_501, 0.95, ExitReason.CORRELATION),
    ],
)
def test_first_of_several_names_the_reason_and_all_spend_their_once(
    equity, correlation, first
) -> None:
    state, reason = step(START, equity, NOON_MS, correlation=correlation)
    _, again = step(state, equity, NOON_MS + CANDLE_MS)

    assert reason is first
    assert again is None
    assert state.epoch == 1
    assert state.is_halted == (first is HALT)
    assert state.is_emergency_armed == (equity > 8_500)
    assert state.daily_loss_day == (20_000 if equity <= 9_500 else None)


def test_each_protection_rests_the_portfolio_for_four_hours_and_raises_the_epoch() -> None:
    first, _ = step(START, 9_400, NOON_MS)
    second, _ = step(first, 8_400, NOON_MS + CANDLE_MS)

    assert (first.epoch, first.cooldown_end_ms) == (1, NOON_MS + 4 * HOUR_MS)
    assert (second.epoch, second.cooldown_end_ms) == (2, NOON_MS + CANDLE_MS + 4 * HOUR_MS)


def test_cooldown_that_runs_longer_is_not_cut() -> None:
    late = replace(START, cooldown_end_ms=NOON_MS + DAY_MS)

    state, _ = step(late, 9_400, NOON_MS)

    assert state.cooldown_end_ms == NOON_MS + DAY_MS


def test_nothing_fires_without_a_cause_and_the_state_stays() -> None:
    sampled = sample(
        START, equity=Decimal(9_999), balance=Decimal(1), t_ms=NOON_MS + 1, rules=LIMITS
    )

    assert fire(sampled, open_correlation=None, rules=LIMITS) == (sampled, None)


samples = st.lists(
    st.tuples(
        st.integers(min_value=60, max_value=115).map(lambda percent: percent * 100),
        st.integers(min_value=0, max_value=16 * HOUR_MS),
    ),
    min_size=1,
    max_size=15,
)


@settings(max_examples=150)
@given(samples)
def test_sampling_one_close_twice_changes_nothing(history) -> None:
    state, t_ms = START, NOON_MS

    for equity, later_ms in history:
        t_ms += later_ms
        state, _ = step(state, equity, t_ms)

        assert step(state, equity, t_ms) == (state, None)


@settings(max_examples=150)
@given(samples)
def test_walk_of_the_equity_fires_what_the_rules_say(history) -> None:
    """Write strategy 8.1 to 8.5 down again over the whole walk."""
    state, t_ms = START, NOON_MS
    peak = day_start = Decimal(10_000)
    day, lost_days, armed, halted, half = NOON_MS // DAY_MS, set(), True, False, False

    for equity, later_ms in history:
        t_ms += later_ms
        state, reason = step(state, equity, t_ms)

        if t_ms // DAY_MS != day:
            day, day_start = t_ms // DAY_MS, Decimal(equity)
        peak = max(peak, Decimal(equity))
        fall, lost = 1 - equity / peak, 1 - equity / day_start
        armed = armed or fall < Decimal("0.10")
        half = fall >= Decimal("0.05") if half else fall >= Decimal("0.10")
        expected = []
        if fall >= Decimal("0.20") and not halted:
            expected.append("HALT")
            halted, armed = True, False
        elif fall >= Decimal("0.15") and armed:
            expected.append("DRAWDOWN")
            armed = False
        if lost >= Decimal("0.05") and day not in lost_days:
            expected.append("DAILY_LOSS")
            lost_days.add(day)
        assert reason == (expected[0] if expected else None)
        assert (state.is_reduced, state.is_halted, state.is_emergency_armed) == (
            half,
            halted,
            armed,
        )


@given(samples)
def test_peak_is_never_below_any_equity_and_the_epoch_never_falls(history) -> None:
    state, t_ms, highest = START, NOON_MS, Decimal(10_000)

    for equity, later_ms in history:
        before, t_ms = state, t_ms + later_ms
        state, reason = step(state, equity, t_ms)

        highest = max(highest, Decimal(equity))
        assert state.peak_equity == highest
        assert state.epoch == before.epoch + (reason is not None)


def test_states_that_differ_in_time_alone_are_told_so() -> None:
    assert START.equals_but_for_time(replace(START, t_ms=NOON_MS + MINUTE_MS))
    assert not START.equals_but_for_time(replace(START, epoch=1))


def test_rearm_ends_a_halt_at_a_peak_of_the_present_equity() -> None:
    state = replace(
        initial_state(Decimal(10_000), NOON_MS),
        equity=Decimal(7_900),
        is_halted=True,
        reduction_step=1,
        is_emergency_armed=False,
        epoch=3,
    )

    rearmed = rearm(state)

    assert not rearmed.is_halted
    assert rearmed.peak_equity == Decimal(7_900)
    assert rearmed.drawdown == 0
    assert fire(rearmed, open_correlation=None, rules=NO_DAILY_LOSS)[1] is None
    assert (rearmed.is_reduced, rearmed.is_emergency_armed) == (False, True)


@given(amount=st.decimals(min_value=-5_000, max_value=5_000, places=2))
def test_a_transfer_is_neither_gain_nor_loss(amount: Decimal) -> None:
    before = replace(
        initial_state(Decimal(10_000), NOON_MS),
        equity=Decimal(9_000),
        balance=Decimal(9_100),
        peak_equity=Decimal(10_500),
    )

    after = transfer(before, amount)

    assert after.peak_equity - after.equity == before.peak_equity - before.equity
    assert after.day_start_equity - after.equity == before.day_start_equity - before.equity
    assert (after.equity, after.balance) == (Decimal(9_000) + amount, Decimal(9_100) + amount)


# Between closes.


def looked(state: ProtectionState, equity: object, t_ms: int) -> ProtectionState:
    value = Decimal(str(equity))
    return watch(state, equity=value, balance=Decimal(9_000), t_ms=t_ms, rules=LIMITS)


def test_between_closes_the_peak_rises_and_no_day_begins() -> None:
    found = looked(START, 11_000, MIDNIGHT_MS + 1)

    assert (found.peak_equity, found.day, found.close_ms) == (11_000, START.day, START.close_ms)
    assert found.day_start_equity == START.day_start_equity


def test_a_daily_loss_is_not_judged_before_the_days_first_close() -> None:
    before = looked(START, 9_000, MIDNIGHT_MS - 1)
    after = looked(START, 9_000, MIDNIGHT_MS + 1)

    assert fire(before, open_correlation=None, rules=LIMITS)[1] is ExitReason.DAILY_LOSS
    assert fire(after, open_correlation=None, rules=LIMITS)[1] is None


@given(
    equity=st.integers(9_100, 9_999),
    risen=st.integers(0, 50),
)
def test_a_mere_change_of_value_is_not_worth_storing_and_a_higher_peak_is(
    equity: int, risen: int
) -> None:
    lower, higher = looked(START, equity, NOON_MS + 1), looked(START, 10_000 + risen, NOON_MS + 1)

    assert not lower.is_worth_storing(START)
    assert higher.is_worth_storing(START) is (risen >= 1)


# The loss of entry capital.

CAPITAL = replace(NO_DAILY_LOSS, capital_loss_fraction=Decimal("0.10"))
CAPITAL_LOSS = ExitReason.CAPITAL_LOSS


@pytest.mark.parametrize(
    ("equities", "fires"),
    [
        (["9000.01"], [None]),
        (["9000"], [CAPITAL_LOSS]),
        (["9000", "8900", "10000", "9000"], [CAPITAL_LOSS, None, None, None]),
        (["11000", "9350", "9000"], [None, DRAWDOWN, CAPITAL_LOSS]),
        (["8500"], [CAPITAL_LOSS]),  # before DRAWDOWN
        (["8000"], [HALT]),
        (["9000", "8000"], [CAPITAL_LOSS, None]),  # halted already
    ],
)
def test_loss_of_entry_capital_fires_once_and_comes_after_a_halt(equities, fires) -> None:
    assert walk(equities, CAPITAL) == fires


def test_loss_of_entry_capital_halts_and_spends_the_emergency() -> None:
    state, reason = step(START, 8_400, NOON_MS, rules=CAPITAL)
    _, again = step(state, 8_400, NOON_MS + CANDLE_MS, rules=CAPITAL)

    assert (reason, again) == (CAPITAL_LOSS, None)
    assert state.is_halted
    assert (state.is_capital_armed, state.is_emergency_armed) == (False, False)
    assert state.cooldown_end_ms == NOON_MS + 4 * HOUR_MS


def test_halt_spends_the_loss_of_entry_capital_where_both_fire() -> None:
    state, reason = step(START, 8_000, NOON_MS, rules=CAPITAL)

    assert reason is HALT
    assert not state.is_capital_armed


def test_rearm_measures_the_entry_capital_anew() -> None:
    state, _ = step(START, 9_000, NOON_MS, rules=CAPITAL)

    rearmed = rearm(state)

    assert rearmed.entry_capital == 9_000
    assert step(rearmed, "8100.01", NOON_MS + CANDLE_MS, rules=CAPITAL)[1] is None
    assert step(rearmed, 8_100, NOON_MS + CANDLE_MS, rules=CAPITAL)[1] is CAPITAL_LOSS


def test_withdrawal_is_no_loss_of_entry_capital() -> None:
    withdrawn = transfer(START, Decimal(-5_000))

    assert withdrawn.entry_capital == 5_000
    assert step(withdrawn, "4500.01", NOON_MS, rules=CAPITAL)[1] is None
    assert step(withdrawn, 4_500, NOON_MS, rules=CAPITAL)[1] is CAPITAL_LOSS


# Steps of the size, and protections that are off.

STEPS = replace(
    NO_DAILY_LOSS,
    drawdown_steps=tuple(
        (Decimal(level), Decimal(size))
        for level, size in (("0.05", "0.75"), ("0.10", "0.5"), ("0.13", "0.25"))
    ),
    drawdown_restore_fraction=Decimal("0.02"),
)


@pytest.mark.parametrize(
    ("equities", "sizes"),
    [
        (["9500.01", "9500", "9000", "8700"], ["1", "0.75", "0.5", "0.25"]),
        (["8700", "9000", "9000.01"], ["0.25", "0.25", "0.5"]),  # left below the next level
        (["8700", "9500", "9500.01"], ["0.25", "0.5", "0.75"]),
        (["8700", "9800", "9800.01"], ["0.25", "0.75", "1"]),
        (["9000", "9600", "9000"], ["0.5", "0.75", "0.5"]),
    ],
)
def test_size_of_entries_falls_and_rises_in_steps(equities, sizes) -> None:
    state, found = START, []
    for index, equity in enumerate(equities, start=1):
        state, _ = step(state, equity, NOON_MS + index * CANDLE_MS, rules=STEPS)
        found.append(drawdown_multiplier(state, STEPS))

    assert found == [Decimal(size) for size in sizes]


def test_state_stored_under_more_steps_than_there_are_takes_the_deepest() -> None:
    state = replace(START, reduction_step=3)

    assert drawdown_multiplier(state, LIMITS) == Decimal("0.5")
    assert drawdown_multiplier(state, replace(LIMITS, drawdown_steps=())) == 1


@pytest.mark.parametrize(
    ("steps", "equity", "left"), [((), "9000", 0), (LIMITS.drawdown_steps, "9400", 1)]
)
def test_a_size_reduced_under_more_steps_than_there_are_goes_on_from_the_deepest(
    steps, equity, left
) -> None:
    rules = replace(LIMITS, drawdown_steps=steps)

    state, _ = step(replace(START, reduction_step=3), equity, NOON_MS, rules=rules)

    assert state.reduction_step == left


OFF = replace(
    LIMITS,
    drawdown_steps=(),
    drawdown_emergency_fraction=None,
    drawdown_halt_fraction=None,
    max_daily_loss_fraction=None,
    capital_loss_fraction=None,
    high_correlation_threshold=None,
)


@settings(max_examples=80)
@given(samples)
def test_protections_that_are_off_never_fire(history) -> None:
    state, t_ms = START, NOON_MS

    for equity, later_ms in history:
        t_ms += later_ms
        state, reason = step(state, equity, t_ms, correlation=1.0, rules=OFF)

        assert reason is None
        assert drawdown_multiplier(state, OFF) == 1
    assert not state.is_halted


@pytest.mark.parametrize(
    ("name", "equity"),
    [
        ("drawdown_emergency_fraction", 8_500),
        ("drawdown_halt_fraction", 8_000),
        ("max_daily_loss_fraction", 9_500),
    ],
)
def test_one_protection_alone_can_be_off(name: str, equity: int) -> None:
    only = replace(OFF, **{name: getattr(LIMITS, name)})

    assert step(START, equity, NOON_MS, rules=only)[1] is not None
    assert step(START, equity, NOON_MS, rules=OFF)[1] is None
