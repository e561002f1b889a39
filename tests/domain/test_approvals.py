"""No grant breaches a limit, and every refusal names the first one in the way."""

from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market.instruments import Side
from domain.portfolio.approvals import RiskSnapshot, decide_entries, is_on_its_way
from domain.portfolio.groups import Held
from domain.rules import TradingRules
from domain.trading.decisions import Approval, AssetEvaluation, Decision, Denial, DenialReason
from domain.trading.intents import entry_intent
from domain.trading.order import Order
from domain.trading.orders import OrderStatus, OrderUpdate
from tests.domain.builders import NOON_MS, RULES, changed, dec, report, signal, with_trend

NAMES = ("BTC", "ETH", "SOL", "XRP", "ADA")
FIVE = replace(
    RULES,
    assets=tuple(replace(RULES.assets[index % 3], asset=name) for index, name in enumerate(NAMES)),
    approval=replace(RULES.approval, max_positions=5, max_simultaneous_entries=5),
)
WIDE = changed(FIVE, approval={"max_total_exposure": Decimal(100)})


def snapshot(**changes: Any) -> RiskSnapshot:
    values: dict[str, Any] = {
        "t_ms": NOON_MS,
        "balance": Decimal(10_000),
        "held": {},
        "size_multiplier": Decimal(1),
        "protection_epoch": 3,
        "blocked": None,
        "kept": list,
        "suspended": frozenset(),
        "correlate": lambda _left, _right: None,
    }
    return RiskSnapshot(**values | changes)


def shorts(**notionals: object) -> dict[str, Held]:
    return {name: Held(side=Side.SELL, notional=dec(one)) for name, one in notionals.items()}


def signaling(*names: str, close: float = 100.0) -> list[AssetEvaluation]:
    return [report(name, close, signal=signal()) for name in names]


def reasons(
    reports: list[AssetEvaluation], seen: RiskSnapshot, rules: TradingRules
) -> dict[str, str]:
    _, denials = decide_entries(reports, seen, rules)
    return {denial.asset: denial.reason for denial in denials}


def correlations(values: dict[frozenset[str], float | None]):
    return lambda left, right: values.get(frozenset({left, right}))


judged = st.sampled_from([None, -1.0, 0.3, 0.6, 0.61, 0.8, 0.81, 1.0])
pairs = [frozenset({a, b}) for a in NAMES for b in NAMES if a < b]
matrices = st.fixed_dictionaries(dict.fromkeys(pairs, judged))
signals = st.builds(
    lambda cross, sigma, strength: signal(
        signal_ms=NOON_MS - cross, sigma=sigma, strength=strength
    ),
    st.sampled_from([0, 300_000]),
    st.sampled_from([0.0, 0.001, 0.004]),
    st.sampled_from([0.01, 0.02]),
)
limits = st.builds(
    lambda exposure, positions, at_once, group, sizing: changed(
        FIVE,
        approval={
            "max_total_exposure": exposure,
            "max_positions": positions,
            "max_simultaneous_entries": at_once,
            "max_correlated_exposure": group,
        },
        risk={"volatility_sizing": sizing},
    ),
    st.sampled_from(["0.3", "0.7", "1.05", "1.5", "2.1", "4"]).map(Decimal),
    st.integers(1, 5),
    st.integers(1, 5),
    st.sampled_from([None, Decimal("0.9"), Decimal("1.5")]),
    st.booleans(),
)
pictures = st.builds(
    lambda balance, held, multiplier, blocked, suspended, matrix: snapshot(
        balance=balance,
        held=shorts(**{name: balance * share for name, share in held.items()}),
        size_multiplier=multiplier,
        blocked=(DenialReason.HALTED, "") if blocked else None,
        suspended=frozenset(suspended),
        correlate=correlations(matrix),
    ),
    st.sampled_from(["0", "1", "9", "3000.17", "10000", "5000000"]).map(Decimal),
    st.dictionaries(
        st.sampled_from(NAMES), st.sampled_from(["0.35", "0.7", "1"]).map(Decimal), max_size=3
    ),
    st.sampled_from(["1", "0.5"]).map(Decimal),
    st.sampled_from([False] * 9 + [True]),
    st.sets(st.sampled_from(NAMES[3:]), max_size=1),
    matrices,
)


@st.composite
def reports_beside(draw: Any, seen: RiskSnapshot) -> list[AssetEvaluation]:
    free = [name for name in NAMES if name not in seen.held]
    return [
        report(name, draw(st.sampled_from([0.5, 9.87, 150.25, 84_000.1])), signal=draw(signals))
        for name in draw(st.permutations(free))
    ]


def naive(
    reports: list[AssetEvaluation], seen: RiskSnapshot, rules: TradingRules
) -> dict[str, Any]:
    """Write 5.1, 5.2, 7.2 to 7.5 and the cut to a group's room down again."""
    answers: dict[str, Any] = {}
    held, approved = {name: one.notional for name, one in seen.held.items()}, 0
    ranked = sorted(reports, key=lambda one: NAMES.index(one.asset))
    for key in ("strength", "signal_ms", "volatility"):  # the last sort counts most
        ranked.sort(key=lambda one, key=key: getattr(one.signal, key), reverse=True)
    for one in ranked:
        name, limit = one.asset, rules.approval
        price, instrument = dec(one.close), rules.asset(name).instrument
        multiplier, sigma = seen.size_multiplier, one.signal.volatility
        if rules.risk.volatility_sizing and sigma > 0:
            multiplier *= dec(min(max(0.002 / sigma, 0.25), 1.0))
        target = seen.balance * Decimal("0.7") * multiplier
        capacity = seen.balance * limit.max_total_exposure - sum(held.values())
        alike = {other: seen.correlate(name, other) for other in held}
        group = sum(held[other] for other, value in alike.items() if value and value > 0.6)
        cap = limit.max_correlated_exposure
        room = capacity if cap is None else cap * seen.balance - group
        notional = min(target, capacity, room)
        steps = (notional / price / instrument.qty_step).to_integral_value(ROUND_FLOOR)
        qty = min(steps * instrument.qty_step, instrument.max_market_order_qty)
        for reason, denied in (
            ("HALTED", seen.blocked is not None),
            ("MALFUNCTION", name in seen.suspended),
            ("MAX_POSITIONS", len(held) >= limit.max_positions),
            ("MAX_SIMULTANEOUS", approved >= limit.max_simultaneous_entries),
            ("CORRELATION", any(value is not None and value > 0.8 for value in alike.values())),
            ("GROUP", cap is not None and room < target / 2),
            ("EXPOSURE", capacity < target / 2),
            ("SIZE", qty < instrument.min_order_qty or qty * price < instrument.min_notional),
        ):
            if denied:
                answers[name] = reason
                break
        else:
            answers[name] = qty
            held[name] = qty * price
            approved += 1
    return answers


@settings(max_examples=300)
@given(limits, pictures, st.data())
def test_each_signal_is_answered_as_the_rules_written_again_answer_it(rules, seen, data) -> None:
    reports = data.draw(reports_beside(seen))

    approvals, denials = decide_entries(reports, seen, rules)

    found = {approval.asset: approval.qty for approval in approvals}
    found |= {denial.asset: denial.reason for denial in denials}
    assert found == naive(reports, seen, rules)
    assert len(found) == len(approvals) + len(denials) == len(reports)


@settings(max_examples=300)
@given(limits, pictures, st.data())
def test_no_grant_breaches_a_limit(rules, seen, data) -> None:
    reports = data.draw(reports_beside(seen))

    approvals, _ = decide_entries(reports, seen, rules)

    held = {name: one.notional for name, one in seen.held.items()}
    for approval in approvals:
        instrument = rules.asset(approval.asset).instrument
        assert approval.qty % instrument.qty_step == 0
        assert instrument.min_order_qty <= approval.qty <= instrument.max_market_order_qty
        assert approval.notional >= instrument.min_notional
        assert approval.notional <= seen.balance * Decimal("0.7") * seen.size_multiplier
        for other in held:
            assert (seen.correlate(approval.asset, other) or 0) <= 0.8
        held[approval.asset] = approval.notional
        assert sum(held.values()) <= seen.balance * rules.approval.max_total_exposure
    assert not approvals or len(held) <= rules.approval.max_positions
    assert len(approvals) <= rules.approval.max_simultaneous_entries
    assert seen.blocked is None or not approvals


@given(limits, pictures, st.data())
def test_answers_do_not_depend_on_the_order_of_the_reports(rules, seen, data) -> None:
    reports = data.draw(reports_beside(seen))
    shuffled = data.draw(st.permutations(reports))

    assert decide_entries(shuffled, seen, rules) == decide_entries(reports, seen, rules)


def test_reports_without_a_signal_are_not_answered() -> None:
    assert decide_entries([report("BTC")], snapshot(), RULES) == ((), ())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"sigma": 0.003}, {"sigma": 0.002, "signal_ms": NOON_MS + 1, "strength": 0.9}),
        ({"signal_ms": NOON_MS + 1}, {"strength": 0.9}),
        ({"strength": 0.011}, {}),
    ],
)
def test_signals_are_judged_by_volatility_then_recency_then_strength(first, second) -> None:
    reports = [report("BTC", signal=signal(**second)), report("SOL", signal=signal(**first))]

    approvals, _ = decide_entries(reports, snapshot(), RULES)

    assert [approval.asset for approval in approvals] == ["SOL", "BTC"]


def test_equal_signals_are_judged_in_the_order_of_the_settings() -> None:
    approvals, _ = decide_entries(signaling("SOL", "ETH", "BTC"), snapshot(), RULES)

    assert [approval.asset for approval in approvals] == ["BTC", "ETH", "SOL"]


def test_grant_carries_what_the_order_needs() -> None:
    asked = report("BTC", 84_000.1, signal=signal(signal_ms=NOON_MS - 1))

    (approval,), _ = decide_entries([asked], snapshot(), RULES)

    assert approval == Approval(
        asset="BTC",
        t_ms=NOON_MS,
        qty=Decimal("0.083"),
        price=Decimal("84000.1"),
        signal_ms=NOON_MS - 1,
        protection_epoch=3,
        side=Side.SELL,
        kinds="PRICE_BELOW_LONG",
        values=asked.values,
        terms=RULES.asset("BTC").terms,
    )
    assert approval.notional == Decimal("6972.0083")


@pytest.mark.parametrize(
    ("used", "approved"), [("17499.99", True), ("17500", True), ("17500.01", False)]
)
def test_entry_cut_below_half_of_its_target_is_refused_at_half_it_is_not(used, approved) -> None:
    seen = snapshot(held=shorts(ETH=used))

    approvals, denials = decide_entries(signaling("BTC", close=1.0), seen, RULES)

    assert bool(approvals) == approved
    assert [denial.reason for denial in denials] == ([] if approved else ["EXPOSURE"])


def test_half_of_the_target_is_measured_with_its_multipliers() -> None:
    seen = snapshot(held=shorts(ETH=19_250), size_multiplier=Decimal("0.5"))

    (approval,), _ = decide_entries(signaling("SOL", close=1.0), seen, RULES)

    assert approval.qty == 1750


@pytest.mark.parametrize(
    ("found", "denied"), [(0.8, False), (0.8001, True), (-1.0, False), (None, False)]
)
def test_correlation_is_signed_and_refuses_strictly_above_its_limit(found, denied) -> None:
    seen = snapshot(held=shorts(ETH=1), correlate=correlations({frozenset({"BTC", "ETH"}): found}))

    expected = {"BTC": "CORRELATION"} if denied else {}
    assert reasons(signaling("BTC"), seen, RULES) == expected


def test_asset_granted_at_this_close_counts_for_correlation() -> None:
    seen = snapshot(correlate=lambda _left, _right: 0.9)

    assert reasons(signaling("BTC", "ETH"), seen, RULES) == {"ETH": "CORRELATION"}


@pytest.mark.parametrize(
    ("others", "granted"),
    [("7999", 70), ("8000", 70), ("8001", "69.99"), ("11500", 35), ("11500.01", None)],
)
def test_entry_is_cut_to_its_groups_room_and_refused_under_half_of_its_target(
    others, granted
) -> None:
    rules = changed(WIDE, approval={"max_correlated_exposure": Decimal("1.5")})
    alike = {frozenset({"BTC", "ETH"}): 0.61, frozenset({"BTC", "SOL"}): 0.6}
    seen = snapshot(held=shorts(ETH=others, SOL=9000), correlate=correlations(alike))

    approvals, denials = decide_entries(signaling("BTC", close=100.0), seen, rules)

    assert [approval.qty for approval in approvals] == ([] if granted is None else [dec(granted)])
    assert [denial.reason for denial in denials] == (["GROUP"] if granted is None else [])


def test_reasons_come_in_their_order_as_one_limit_after_another_is_lifted() -> None:
    tight = changed(
        FIVE,
        approval={
            "max_positions": 1,
            "max_simultaneous_entries": 0,
            "max_correlated_exposure": Decimal("0.1"),
            "max_total_exposure": Decimal("0.1"),
        },
    )
    seen = snapshot(
        balance=Decimal(9),
        held=shorts(ETH=1),
        blocked=(DenialReason.DAILY_LOSS, ""),
        suspended=frozenset({"BTC"}),
        correlate=lambda _left, _right: 0.9,
    )

    found, rules = [reasons(signaling("BTC"), seen, tight)["BTC"]], tight
    for change in (
        {"blocked": None},
        {"suspended": frozenset()},
        {"max_positions": 5},
        {"max_simultaneous_entries": 5},
        {"correlate": lambda _left, _right: 0.7},
        {"max_correlated_exposure": None},
        {"max_total_exposure": Decimal(100)},
    ):
        if change.keys() <= set(RiskSnapshot.__slots__):
            seen = replace(seen, **change)
        else:
            rules = changed(rules, approval=change)
        found.append(reasons(signaling("BTC", close=84_000.0), seen, rules)["BTC"])

    assert found == [
        "DAILY_LOSS",
        "MALFUNCTION",
        "MAX_POSITIONS",
        "MAX_SIMULTANEOUS",
        "CORRELATION",
        "GROUP",
        "EXPOSURE",
        "SIZE",
    ]


def test_decision_tells_each_asset_its_answer() -> None:
    approvals, denials = decide_entries(
        signaling("BTC", "ETH"), snapshot(correlate=lambda _left, _right: 0.9), RULES
    )
    decision = Decision(t_ms=NOON_MS, approvals=approvals, denials=denials)

    assert isinstance(decision.answer_to("BTC"), Approval)
    assert isinstance(decision.answer_to("ETH"), Denial)
    assert decision.answer_to("SOL") is None
    assert not decision.is_empty
    assert not Decision(t_ms=NOON_MS, denials=denials).is_empty
    assert Decision(t_ms=NOON_MS).is_empty


def test_an_answer_holds_the_figures_of_every_limit_that_was_judged() -> None:
    seen = snapshot(
        held=shorts(ETH=1000),
        kept=lambda: [(DenialReason.HALTED, "drawdown=0.0100 limit=0.2")],
        correlate=lambda _left, _right: 0.5,
    )

    (approval,), _ = decide_entries(signaling("BTC"), seen, RULES)

    assert [line.split()[0] for line in approval.judged.splitlines()] == [
        "HALTED",
        "MALFUNCTION",
        "MAX_POSITIONS",
        "MAX_SIMULTANEOUS",
        "CORRELATION",
        "EXPOSURE",
        "SIZE",
    ]
    assert "with=ETH correlation=0.5000 limit=0.8" in approval.judged


def test_a_refusal_holds_the_limits_that_were_kept_before_its_own() -> None:
    seen = snapshot(held=shorts(ETH=1000), correlate=lambda _left, _right: 0.95)

    _, (denial,) = decide_entries(signaling("BTC"), seen, RULES)

    assert denial.reason is DenialReason.CORRELATION
    assert "MAX_POSITIONS positions=1 limit=" in denial.judged
    assert "CORRELATION" not in denial.judged


def test_answers_that_nobody_reads_differ_by_their_explanation_alone() -> None:
    seen = snapshot(
        held=shorts(ETH=1000), correlate=lambda left, _right: 0.1 + 0.8 * (left == "BTC")
    )
    told = decide_entries(signaling("BTC", "SOL"), seen, RULES)

    untold = decide_entries(signaling("BTC", "SOL"), replace(seen, explains=False), RULES)

    assert untold == told
    assert [one.judged for one in (*untold[0], *untold[1])] == ["", ""]


@pytest.mark.parametrize(
    ("status", "filled", "is_awaited"),
    [
        (OrderStatus.UNKNOWN, "0", True),
        (OrderStatus.FILLED, "0.1", True),  # its news may be stored before its execution
        (OrderStatus.CANCELED, "0.05", True),
        (OrderStatus.CANCELED, "0", False),
        (OrderStatus.REJECTED, "0", False),
        (OrderStatus.VOID, "0", False),
    ],
)
def test_a_grant_is_on_its_way_until_its_fill_can_be_booked_or_never_comes(
    status: OrderStatus, filled: str, is_awaited: bool
) -> None:
    approval = Approval(
        asset="BTC",
        t_ms=NOON_MS,
        qty=Decimal("0.1"),
        price=Decimal(80_000),
        signal_ms=NOON_MS,
        protection_epoch=0,
    )
    news = OrderUpdate(
        client_order_id=approval.client_order_id,
        status=status,
        filled_qty=Decimal(filled),
        ts_ms=NOON_MS,
    )
    order = Order(intent=entry_intent(approval, RULES)).apply(news)

    assert bool(is_on_its_way(approval, [order])) is is_awaited
    assert is_on_its_way(approval, [])


# Groups, sides, concentration, the size of one position.


def grouped(rules: TradingRules = WIDE, **groups: str) -> TradingRules:
    """Return the rules with some assets in named groups."""
    assets = tuple(replace(one, correlation_group=groups.get(one.asset)) for one in rules.assets)
    return replace(rules, assets=assets)


def granted(reports: list[AssetEvaluation], seen: RiskSnapshot, rules: TradingRules) -> Any:
    """Return the qty of a single entry, or why it is denied."""
    approvals, denials = decide_entries(reports, seen, rules)
    (answer,) = [*(one.qty for one in approvals), *(one.reason for one in denials)]
    return answer


@pytest.mark.parametrize(
    ("limit", "answer"), [("0.07", 70), ("0.0699999", "POSITION_SIZE"), (None, 70)]
)
def test_position_that_deploys_more_than_its_limit_is_refused(limit, answer) -> None:
    most = None if limit is None else Decimal(limit)
    rules = changed(WIDE, approval={"max_position_size": most})

    assert granted(signaling("BTC"), snapshot(), rules) == answer


def test_size_of_a_position_is_judged_with_its_multipliers_and_more_than_a_hair() -> None:
    third = changed(WIDE, approval={"max_position_size": Decimal("0.035")})
    hair = changed(WIDE, approval={"max_position_size": Decimal("0.0699999999999")})

    assert granted(signaling("BTC"), snapshot(), third) == "POSITION_SIZE"
    assert granted(signaling("BTC"), snapshot(size_multiplier=Decimal("0.5")), third) == 35
    assert granted(signaling("BTC"), snapshot(), hair) == 70


def test_named_group_holds_the_assets_of_its_name_alone() -> None:
    rules = changed(
        grouped(BTC="coins", ETH="coins", SOL="chains"),
        approval={"max_correlated_exposure": Decimal(1), "correlation_limit": None},
    )
    alike = {"correlate": lambda _left, _right: 0.99}

    of_its_name = snapshot(held=shorts(ETH=5000), **alike)
    of_another = snapshot(held=shorts(SOL=9000, XRP=9000), **alike)

    assert granted(signaling("BTC"), of_its_name, rules) == 50
    assert granted(signaling("BTC"), of_another, rules) == 70


def test_asset_without_a_name_is_grouped_by_correlation_named_or_not() -> None:
    rules = changed(grouped(ETH="coins"), approval={"max_correlated_exposure": Decimal(1)})
    alike = correlations({frozenset({"BTC", "ETH"}): 0.61, frozenset({"BTC", "SOL"}): 0.6})

    seen = snapshot(held=shorts(ETH=6000, SOL=9000), correlate=alike)

    assert granted(signaling("BTC"), seen, rules) == 40


def test_entry_granted_at_this_close_counts_in_its_group() -> None:
    rules = changed(
        grouped(BTC="coins", ETH="coins"), approval={"max_correlated_exposure": Decimal("1.1")}
    )

    approvals, _ = decide_entries(signaling("BTC", "ETH"), snapshot(), rules)

    assert [approval.qty for approval in approvals] == [70, 40]


def longs(**notionals: object) -> dict[str, Held]:
    return {name: Held(side=Side.BUY, notional=dec(one)) for name, one in notionals.items()}


@pytest.mark.parametrize(
    ("held", "side", "found", "denied"),
    [
        (shorts(ETH=1), Side.SELL, 0.9, True),
        (longs(ETH=1), Side.BUY, 0.9, True),
        (longs(ETH=1), Side.SELL, 0.9, False),  # a hedge
        (longs(ETH=1), Side.SELL, -0.9, True),  # both win, or both lose
        (shorts(ETH=1), Side.BUY, -0.9, True),
        (shorts(ETH=1), Side.SELL, -0.9, False),
    ],
)
def test_correlation_is_negated_between_a_long_and_a_short(held, side, found, denied) -> None:
    seen = snapshot(held=held, correlate=lambda _left, _right: found)
    reports = [report("BTC", 100.0, signal=signal(side=side))]

    assert granted(reports, seen, WIDE) == ("CORRELATION" if denied else 70)


def test_hedge_takes_no_room_of_a_group() -> None:
    rules = changed(
        WIDE, approval={"max_correlated_exposure": Decimal(1), "correlation_limit": None}
    )
    seen = snapshot(held=longs(ETH=9000), correlate=lambda _left, _right: 0.9)

    long_entry = [report("BTC", 100.0, signal=signal(side=Side.BUY))]
    assert granted(signaling("BTC"), seen, rules) == 70
    assert granted(long_entry, seen, rules) == "GROUP"


@pytest.mark.parametrize(
    ("limit", "answer"),
    [
        ("0.3", 70),
        ("0.25", 50),  # (0.25 * 10000 - 1200 - 800) * 10
        ("0.2349", "CONCENTRATION"),
        (None, 70),
    ],
)
def test_concentration_leaves_room_beside_the_largest_of_the_group(limit, answer) -> None:
    most = None if limit is None else Decimal(limit)
    rules = changed(
        grouped(BTC="coins", ETH="coins", SOL="coins", XRP="coins"),
        approval={"max_concentration": most, "concentration_top_n": 3},
    )
    # Deployed at 10 times leverage: 1200, 800, 100. The smallest is not among the largest two.
    seen = snapshot(held=shorts(ETH=12_000, SOL=8000, XRP=1000))

    assert granted(signaling("BTC"), seen, rules) == answer


def test_cut_is_to_the_smallest_room_and_the_first_that_is_too_small_names_it() -> None:
    limits = {
        "max_correlated_exposure": Decimal("1.6"),
        "max_concentration": Decimal("0.15"),
        "max_total_exposure": Decimal("1.45"),
    }
    named = grouped(BTC="coins", ETH="coins")
    seen = snapshot(held=shorts(ETH=10_000))

    def answer(**changes: str) -> Any:
        changes_ = {name: Decimal(value) for name, value in changes.items()}
        return granted(signaling("BTC"), seen, changed(named, approval=limits | changes_))

    assert answer() == 45
    assert answer(max_concentration="0.14") == 40
    assert answer(max_correlated_exposure="1.38") == 38
    assert answer(max_total_exposure="1.34") == "EXPOSURE"
    assert answer(max_total_exposure="1.34", max_concentration="0.134") == "CONCENTRATION"
    everything = {"max_total_exposure": "1.3", "max_concentration": "0.13"}
    assert answer(max_correlated_exposure="1.34", **everything) == "GROUP"


def test_limits_that_are_null_deny_nothing() -> None:
    off = dict.fromkeys(
        (
            "max_simultaneous_entries",
            "correlation_limit",
            "max_position_size",
            "max_correlated_exposure",
            "max_concentration",
        )
    )
    seen = snapshot(correlate=lambda _left, _right: 1.0)

    approvals, denials = decide_entries(signaling(*NAMES), seen, changed(WIDE, approval=off))

    assert (len(approvals), denials) == (5, ())


def test_approval_carries_the_side_and_the_terms_of_its_asset() -> None:
    rules = with_trend("BTC")
    asked = report("BTC", 100.0, signal=signal(side=Side.BUY))

    (approval,), _ = decide_entries([asked], snapshot(), rules)

    intent = entry_intent(approval, rules)
    assert (approval.side, approval.terms) == (Side.BUY, rules.asset("BTC").terms)
    assert (intent.request.side, intent.request.stop_loss) == (Side.BUY, Decimal(98))
    assert intent.request.take_profit is None
    assert intent.terms == approval.terms
    assert approval.qty == 5  # 10000 * 0.05, at leverage 1
