"""The engine that leaps decides as the plain loop does, on any market."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtesting.engine import play_in_leaps
from domain.backtesting.market import Market
from domain.backtesting.result import BacktestResult
from domain.backtesting.summary import in_order
from domain.market.candles import CandleSeries
from domain.market.instruments import DAY_MS, HOUR_MS, utc_day
from domain.portfolio.protection import ProtectionState
from domain.rules import TradingRules
from domain.strategies.ema_cross_rules import CrossKind
from domain.strategies.registry import CONFIRMED_TREND_LONG, EMA_CROSS_SHORT
from tests.backtesting.markets import NAMES, Observed, Recipe, lively_rules, random_market
from tests.domain.builders import series

recipes = st.builds(
    Recipe,
    seed=st.integers(0, 10_000),
    candles=st.integers(40, 700),
    volatility=st.sampled_from([0.0005, 0.003, 0.01]),
    common=st.sampled_from([0.0, 0.5, 0.9, 0.99]),
    jumps=st.sampled_from([0.0, 0.02, 0.2]),
    jump_size=st.sampled_from([0.01, 0.05, 0.3]),
    missing=st.sampled_from([0.0, 0.1, 0.5]),
    late=st.booleans(),
    flat=st.sampled_from([0.0, 0.5]),
    decimals=st.sampled_from([0, 2, 6]),
    assets=st.integers(1, 3),
    has_funding=st.booleans(),
)
FREE = {"slippage_fraction": Decimal(0), "taker_fee_rate": Decimal(0)}
FRACTIONS = [Decimal("0.003"), Decimal("0.015"), Decimal("0.06")]
stops = st.fixed_dictionaries(
    {
        "stop_loss_fraction": st.sampled_from([None, *FRACTIONS]),
        "take_profit_fraction": st.sampled_from([None, *FRACTIONS]),
        "trail_fraction": st.sampled_from([None, *FRACTIONS]),
        "min_ratchet_fraction": st.sampled_from([Decimal(0), Decimal("0.001"), Decimal("0.01")]),
        "max_hold_ms": st.sampled_from([None, HOUR_MS, 24 * HOUR_MS]),
    }
).filter(lambda found: found["stop_loss_fraction"] or found["trail_fraction"])
groups = st.fixed_dictionaries(
    {
        name: st.fixed_dictionaries(
            {
                "correlation_group": st.sampled_from([None, "a", "b"]),
                "leverage": st.sampled_from([Decimal(1), Decimal(10)]),
                "allocation_fraction": st.sampled_from([Decimal("0.05"), Decimal("0.6")]),
            }
        )
        for name in NAMES
    }
)
rule_sets = st.builds(
    lively_rules,
    kinds=st.lists(
        st.sampled_from([EMA_CROSS_SHORT, CONFIRMED_TREND_LONG]), min_size=3, max_size=3
    ),
    shared=st.fixed_dictionaries(
        {"total_capital": st.sampled_from([None, Decimal(500), Decimal(20_000)])}
    ),
    per_asset=st.one_of(st.just({}), groups),
    strategy=st.fixed_dictionaries(
        {
            "cross_threshold": st.sampled_from([2, 5, 30]),
            "entry_window_minutes": st.sampled_from([0, 15, 60]),
        }
    ),
    stops=stops,
    trend=st.fixed_dictionaries(
        {
            "entry_confirmation_level": st.integers(1, 3),
            "max_entry_wait_candles": st.sampled_from([0, 3, 20]),
            "rsi_level": st.sampled_from([30.0, 50.0, 70.0]),
        }
    ),
    trend_stops=stops,
    risk=st.fixed_dictionaries({"volatility_sizing": st.booleans()}),
    approval=st.fixed_dictionaries(
        {
            "correlation_limit": st.sampled_from([None, 0.5, 0.9, 1.1]),
            "max_total_exposure": st.sampled_from([Decimal("1.2"), Decimal("2.1"), Decimal(7)]),
            "max_correlated_exposure": st.sampled_from([None, Decimal("0.3"), Decimal("1.3")]),
            "correlation_group_threshold": st.sampled_from([0.0, 0.7]),
            "max_position_size": st.sampled_from([None, Decimal("0.05"), Decimal("0.2")]),
            "max_concentration": st.sampled_from([None, Decimal("0.1")]),
            "concentration_top_n": st.integers(1, 3),
            "max_simultaneous_entries": st.sampled_from([None, 1, 2, 3]),
        }
    ),
    protection=st.fixed_dictionaries(
        {
            "high_correlation_threshold": st.sampled_from([None, 0.3, 0.8, 1.0]),
            "high_correlation_size_level": st.sampled_from([None, 0.2]),
            "max_daily_loss_fraction": st.sampled_from([None, Decimal("0.01"), Decimal("0.05")]),
            "drawdown_steps": st.sampled_from(
                [
                    (),
                    ((Decimal("0.02"), Decimal("0.5")),),
                    ((Decimal("0.02"), Decimal("0.5")), (Decimal("0.04"), Decimal("0.2"))),
                ]
            ),
            "drawdown_emergency_fraction": st.sampled_from(
                [None, Decimal("0.03"), Decimal("0.15")]
            ),
            "drawdown_halt_fraction": st.sampled_from([None, Decimal("0.05"), Decimal("0.5")]),
            "drawdown_restore_fraction": st.just(Decimal("0.01")),
            "drawdown_rearm_fraction": st.sampled_from([Decimal("0.02"), Decimal("0.1")]),
            "capital_loss_fraction": st.sampled_from([None, Decimal("0.02"), Decimal("0.1")]),
            "loss_streak": st.sampled_from([None, 2, 5]),
        }
    ),
    cooldown=st.one_of(
        st.fixed_dictionaries({"short_hold_cooldown_ms": st.sampled_from([0, 360_000])}),
        st.just(
            dict.fromkeys(("short_hold_ms", "loss_streak", "trades_per_hour", "trades_per_day"))
        ),
    ),
    fills=st.builds(
        lambda free, gap: free | {"stop_gap_fraction": gap},
        st.sampled_from([{}, FREE]),
        st.sampled_from([Decimal(0), Decimal("0.1"), Decimal("0.5")]),
    ),
)


def both(market: dict[str, CandleSeries], rules: TradingRules) -> tuple[BacktestResult, Observed]:
    plain = Observed(market, rules)
    plain.run()
    return play_in_leaps(Market(market), rules), plain


def hold_against_each_other(leapt: BacktestResult, plain: Observed) -> None:
    order = [asset.asset for asset in leapt.rules.assets]
    assert leapt.trades == in_order(plain.result.trades, order)
    decisions = plain.result.decisions
    assert [(one.asset, one.t_ms, one.reason, one.signal_ms) for one in leapt.refused] == sorted(
        (
            (denial.asset, denial.t_ms, denial.reason, denial.signal_ms)
            for decision in decisions
            for denial in decision.denials
        ),
        key=lambda one: (one[1], order.index(one[0])),
    )
    assert leapt.protections == [one.protection for one in decisions if one.protection]
    plain.portfolio.fold_all()
    assert leapt.open_positions == list(plain.portfolio.positions.values())
    assert remembered(leapt.protection) == remembered(plain.portfolio.protection)
    hold_equity_against_each_other(leapt, plain)


def remembered(state: ProtectionState) -> ProtectionState:
    """Return what a state tells of the past, without the newest value."""
    return replace(state, t_ms=0, close_ms=0, equity=Decimal(0), balance=Decimal(0))


def hold_equity_against_each_other(leapt: BacktestResult, plain: Observed) -> None:
    times, balances, equities = zip(*plain.samples, strict=True)
    assert leapt.equity.time_ms.tolist() == list(times)
    for found, expected in ((leapt.equity.balance, balances), (leapt.equity.equity, equities)):
        np.testing.assert_allclose(found[:-1], np.array(expected[:-1], float), rtol=1e-9, atol=1e-6)
    assert leapt.equity.balance[-1] == float(plain.engine.wallet)
    assert leapt.equity.equity[-1] == float(plain.portfolio.equity())


@settings(max_examples=150)
@given(recipes, rule_sets)
def test_leaps_decide_as_the_plain_loop_on_any_market(recipe: Recipe, rules: TradingRules) -> None:
    leapt, plain = both(random_market(recipe), rules)

    hold_against_each_other(leapt, plain)


LEVELS = (
    "drawdown_emergency_fraction",
    "drawdown_halt_fraction",
    "max_daily_loss_fraction",
)
VARIANTS = [
    # How far assets move together, volatility, the levels above, correlations of an emergency.
    (0.6, 0.003, ("0.01", "0.02", "0.5", "0.5"), 0.8),
    (0.3, 0.003, ("0.01", "0.5", "0.02", "0.5"), 1.0),
    (0.9, 0.003, ("0.1", "0.5", "0.5", "0.01"), 1.0),
    (0.5, 0.0006, ("0.1", "0.5", "0.5", "0.5"), 1.0),
]


def test_the_markets_reach_what_can_go_wrong() -> None:
    exits: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for seed in range(8):
        for common, volatility, levels, limit in VARIANTS:
            recipe = Recipe(
                seed=seed, candles=700, common=common, volatility=volatility, jumps=0.003, late=True
            )
            rules = lively_rules(
                protection=dict(zip(LEVELS, map(Decimal, levels[1:]), strict=True))
                | {
                    "drawdown_steps": ((Decimal(levels[0]), Decimal("0.5")),),
                    "high_correlation_threshold": limit,
                    "drawdown_restore_fraction": Decimal("0.005"),
                    "drawdown_rearm_fraction": Decimal("0.015"),
                },
                stops={"stop_loss_fraction": Decimal("0.03"), "max_hold_ms": HOUR_MS},
                approval={"max_total_exposure": Decimal("1.2")},
            )

            leapt, plain = both(random_market(recipe), rules)

            hold_against_each_other(leapt, plain)
            exits.update(leapt.exits_by_reason)
            refusals.update(leapt.refusals_by_reason)

    assert set(exits) == {
        "STOP_LOSS",
        "TAKE_PROFIT",
        "REGIME",
        "TIME",
        "CORRELATION",
        "DRAWDOWN",
        "DAILY_LOSS",
        "HALT",
    }
    assert set(refusals) >= {
        "HALTED",
        "GLOBAL_COOLDOWN",
        "EMERGENCY",
        "DAILY_LOSS",
        "CORRELATION",
        "EXPOSURE",
    }


def test_mixed_portfolios_reach_what_can_go_wrong() -> None:
    exits: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    sides: Counter[str] = Counter()
    for seed in range(6):
        for capital_loss, group in ((None, Decimal("0.9")), (Decimal("0.01"), None)):
            recipe = Recipe(seed=seed, candles=700, common=0.3, jumps=0.003, has_funding=True)
            rules = lively_rules(
                kinds=[CONFIRMED_TREND_LONG, EMA_CROSS_SHORT, CONFIRMED_TREND_LONG],
                stops={"trail_fraction": Decimal("0.004"), "min_ratchet_fraction": Decimal(0)},
                trend_stops={"take_profit_fraction": Decimal("0.03")},
                approval={
                    "max_position_size": Decimal("0.08"),
                    "max_correlated_exposure": group,
                    "max_concentration": Decimal("0.1") if group is None else None,
                    "concentration_top_n": 2,
                    "correlation_limit": None,
                },
                protection={
                    "capital_loss_fraction": capital_loss,
                    "high_correlation_size_level": 0.0,
                    "high_correlation_threshold": None,
                    "max_daily_loss_fraction": None,
                    "drawdown_steps": (),
                    "drawdown_emergency_fraction": None,
                },
                fills={"stop_gap_fraction": Decimal("0.3")},
                per_asset={
                    "BTC": {"correlation_group": "a"},
                    "ETH": {"allocation_fraction": Decimal("0.1" if seed == 0 else "0.05")},
                    "SOL": {"correlation_group": "a"},
                },
                shared={"total_capital": Decimal(9_000)},
            )

            leapt, plain = both(random_market(recipe), rules)

            hold_against_each_other(leapt, plain)
            exits.update(leapt.exits_by_reason)
            refusals.update(leapt.refusals_by_reason)
            sides.update(trade.side for trade in leapt.trades)

    assert set(exits) >= {"STOP_LOSS", "TRAILING_STOP", "TAKE_PROFIT", "REGIME", "CAPITAL_LOSS"}
    assert set(refusals) >= {"POSITION_SIZE", "GROUP", "CONCENTRATION", "HALTED"}
    assert set(sides) == {"BUY", "SELL"}


def test_a_short_held_over_midnight_is_judged_by_what_the_new_day_began_with() -> None:
    # A short earns by a long fall, and after midnight gives back a little of it.
    rise, fall = np.linspace(99, 100, 60), np.linspace(99.9, 94, 84)
    back, on = np.linspace(94.05, 94.6, 20), np.linspace(94.5, 93, 60)
    market = {"BTC": series(np.concatenate([rise, fall, back, on]).round(2))}
    rules = lively_rules(
        strategy={
            "ema_short_period": 40,
            "ema_long_period": 80,
            "entry_crosses": tuple(CrossKind),
        },
        stops={
            "stop_loss_fraction": Decimal("0.3"),
            "take_profit_fraction": Decimal("0.3"),
            "max_hold_ms": DAY_MS,
        },
        protection={"max_daily_loss_fraction": Decimal("0.003")},
    )

    leapt, plain = both(market, rules)

    (trade,) = leapt.trades
    assert trade.reason == "DAILY_LOSS"
    assert utc_day(trade.exit_ms) == utc_day(trade.entry_ms) + 1
    assert trade.pnl > 0, "only against the new day's start is it a loss"
    hold_against_each_other(leapt, plain)
