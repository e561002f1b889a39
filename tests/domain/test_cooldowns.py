"""An asset rests after its trades: each rule at its edge, and never for a shorter time."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market.instruments import DAY_MS, HOUR_MS, MINUTE_MS
from domain.trading.cooldowns import AssetCooldown, CooldownReason
from domain.trading.positions import Trade
from tests.domain.builders import NOON_MS, RULES, trade

MIDNIGHT_MS = 20_000 * DAY_MS


def after(*trades: Trade) -> AssetCooldown:
    cooldown = AssetCooldown(RULES.cooldown)
    for one in trades:
        cooldown.apply(one)
    return cooldown


def earned(trades: list[Trade]) -> list[tuple[int, CooldownReason]]:
    """Write strategy 9 down again: the end and reason of each cooldown of the newest trade."""
    last = trades[-1]
    losses = 0
    for one in trades:
        losses = losses + 1 if one.pnl < 0 else 0
    exits = [one.exit_ms for one in trades]
    last_hour = [exit_ms for exit_ms in exits if exit_ms >= last.exit_ms - HOUR_MS]
    today = [exit_ms for exit_ms in exits if exit_ms >= last.exit_ms // DAY_MS * DAY_MS]
    found = []
    if last.exit_ms - last.entry_ms < HOUR_MS:
        found.append((60, CooldownReason.SHORT_HOLD))
    if losses >= 3:
        found.append((120, CooldownReason.LOSS_STREAK))
    if len(last_hour) > 5:
        found.append((30, CooldownReason.TRADES_PER_HOUR))
    if len(today) >= 10:
        found.append((240, CooldownReason.TRADES_PER_DAY))
    return [(last.exit_ms + minutes * MINUTE_MS, reason) for minutes, reason in found]


histories = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 5, 12, 15, 60, 61, 300]),  # minutes since the last exit
        st.sampled_from([-1, 0, 1]),
        st.sampled_from([5, 59, 60, 600]),
    ),
    max_size=25,
)


@settings(max_examples=200)
@given(histories)
def test_end_is_the_latest_that_any_trade_earned_and_never_moves_back(history) -> None:
    cooldown, trades, end_ms, t_ms = AssetCooldown(RULES.cooldown), [], 0, NOON_MS

    for minutes, pnl, held in history:
        t_ms += minutes * MINUTE_MS
        trades.append(trade(pnl, exit_ms=t_ms, held_ms=held * MINUTE_MS))
        cooldown.apply(trades[-1])

        new_end_ms = max([end_ms, *(end for end, _ in earned(trades))])
        assert cooldown.end_ms == new_end_ms >= end_ms
        if new_end_ms > end_ms:
            assert (new_end_ms, cooldown.reason) in earned(trades)
        end_ms = new_end_ms


@pytest.mark.parametrize(("held_ms", "rest_ms"), [(HOUR_MS - 1, HOUR_MS), (HOUR_MS, None)])
def test_trade_held_for_less_than_an_hour_rests_the_asset_for_one(held_ms, rest_ms) -> None:
    cooldown = after(trade(held_ms=held_ms))

    assert cooldown.end_ms == (0 if rest_ms is None else NOON_MS + rest_ms)
    assert cooldown.reason is (None if rest_ms is None else CooldownReason.SHORT_HOLD)


@pytest.mark.parametrize(
    ("pnls", "rests"),
    [
        ([-1, -1], False),
        ([-1, -1, -1], True),
        ([-1, -1, -1, -1], True),
        ([-1, -1, "-0.01"], True),
        ([-1, -1, 0], False),
        ([-1, -1, 0, -1], False),
        ([-1, -1, -1, 0, -1, -1, -1], True),
    ],
)
def test_third_and_each_further_loss_in_a_row_rests_the_asset_for_two_hours(pnls, rests) -> None:
    exits_ms = [NOON_MS + index * 3 * HOUR_MS for index in range(len(pnls))]
    trades = [trade(pnl, exit_ms=t_ms) for pnl, t_ms in zip(pnls, exits_ms, strict=True)]

    cooldown = after(*trades)

    assert cooldown.is_active(exits_ms[-1] + 2 * HOUR_MS - 1) == rests
    assert not cooldown.is_active(exits_ms[-1] + 2 * HOUR_MS)
    assert cooldown.reason in {None, CooldownReason.LOSS_STREAK}


def test_a_cooldown_of_no_length_is_none() -> None:
    rules = replace(RULES.cooldown, short_hold_cooldown_ms=0)
    cooldown = AssetCooldown(rules)

    cooldown.apply(trade(held_ms=MINUTE_MS))

    assert (cooldown.end_ms, cooldown.reason) == (0, None)


def test_cooldown_does_not_end_a_loss_streak() -> None:
    later_ms = NOON_MS + 2 * DAY_MS
    losses = [trade(-1, exit_ms=NOON_MS) for _ in range(3)]

    cooldown = after(*losses, trade(-1, exit_ms=later_ms))

    assert cooldown.loss_streak == 4
    assert cooldown.end_ms == later_ms + 2 * HOUR_MS


@pytest.mark.parametrize(("first_ms", "rests"), [(HOUR_MS, True), (HOUR_MS + 1, False)])
def test_sixth_trade_within_the_last_hour_rests_the_asset_for_half_an_hour(first_ms, rests) -> None:
    exits_ms = [NOON_MS - first_ms, *(NOON_MS - MINUTE_MS for _ in range(4)), NOON_MS]

    cooldown = after(*(trade(exit_ms=exit_ms) for exit_ms in exits_ms))

    assert cooldown.end_ms == (NOON_MS + 30 * MINUTE_MS if rests else 0)
    assert cooldown.reason is (CooldownReason.TRADES_PER_HOUR if rests else None)


def test_last_hour_reaches_back_over_midnight() -> None:
    exits_ms = [MIDNIGHT_MS + index * 10 * MINUTE_MS for index in range(-3, 3)]

    cooldown = after(*(trade(exit_ms=exit_ms) for exit_ms in exits_ms))

    assert cooldown.reason is CooldownReason.TRADES_PER_HOUR


@pytest.mark.parametrize(
    ("first_ms", "count", "rests"),
    [
        (MIDNIGHT_MS, 9, False),
        (MIDNIGHT_MS, 10, True),
        (MIDNIGHT_MS, 11, True),
        (MIDNIGHT_MS - 1, 10, False),
        (MIDNIGHT_MS - 1, 11, True),
    ],
)
def test_tenth_and_each_further_trade_of_a_utc_day_rests_the_asset_for_four_hours(
    first_ms, count, rests
) -> None:
    later = [MIDNIGHT_MS + index * 2 * HOUR_MS for index in range(1, count)]

    cooldown = after(*(trade(exit_ms=exit_ms) for exit_ms in [first_ms, *later]))

    assert cooldown.is_active(later[-1] + 4 * HOUR_MS - 1) == rests
    assert not cooldown.is_active(later[-1] + 4 * HOUR_MS)
    assert cooldown.reason is (CooldownReason.TRADES_PER_DAY if rests else None)


def test_latest_end_wins_and_keeps_its_reason() -> None:
    losses = [trade(-1, exit_ms=NOON_MS, held_ms=1) for _ in range(3)]
    cooldown = after(*losses, trade(1, exit_ms=NOON_MS + MINUTE_MS, held_ms=1))

    assert cooldown.end_ms == NOON_MS + 2 * HOUR_MS
    assert cooldown.reason is CooldownReason.LOSS_STREAK


def test_status_tells_the_whole_minutes_left() -> None:
    cooldown = after(trade(held_ms=1))

    assert cooldown.minutes_left(NOON_MS) == 60
    assert cooldown.minutes_left(NOON_MS + 1) == 59
    assert cooldown.minutes_left(NOON_MS + HOUR_MS - MINUTE_MS) == 1
    assert cooldown.minutes_left(NOON_MS + HOUR_MS - MINUTE_MS + 1) == 0
    assert cooldown.minutes_left(NOON_MS + DAY_MS) == 0


def test_cooldown_is_over_at_its_end() -> None:
    cooldown = after(trade(held_ms=1))

    assert cooldown.is_active(NOON_MS + HOUR_MS - 1)
    assert not cooldown.is_active(NOON_MS + HOUR_MS)
