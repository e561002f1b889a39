"""What a run did, held close by close against what the rules decide on its facts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from domain.backtesting.parity import Record, compare
from domain.market.instruments import Side
from domain.portfolio.protection import initial_state
from domain.portfolio.state import PortfolioState
from domain.trading.decisions import Approval, Decision, Denial, DenialReason
from domain.trading.orders import ExitReason
from domain.trading.positions import Execution
from tests.domain.builders import entry, fill, report, signal
from tests.domain.test_explanation import lively_rules
from tests.replay.runs import START_MS, made_up_market

RULES = lively_rules(approval={"max_positions": 1, "correlation_limit": None})
CANDLE_MS = RULES.candles.candle_ms
SERIES = made_up_market(5, 400)["BTC"]
END_MS = START_MS + 400 * CANDLE_MS


def record(
    decisions: Sequence[Decision] = (),
    late: Sequence[Denial] = (),
    executions: Sequence[Execution] = (),
    booked_ms: Mapping[str, int] | None = None,
) -> Record:
    """Return what a run has stored in which all assets had the same candles, and so signals."""
    return Record(
        candles={rule.asset: SERIES for rule in RULES.assets},
        late_ms={},
        decisions={decision.t_ms: decision for decision in decisions},
        denials={(denial.asset, denial.t_ms): denial for denial in late},
        orders=(),
        executions=executions,
        booked_ms=booked_ms or {},
        states=[initial_state(Decimal(10_000), START_MS)],
        transfers=(),
    )


def signals_ms() -> list[int]:
    """Return the closes at which all signal an entry."""
    found = compare(record(), RULES, START_MS, END_MS).differences
    return [each.t_ms for each in found if each.rules.startswith("granted")]


def granted(asset: str, t_ms: int) -> Approval:
    """Return what the asset gets for a signal where no other asset has one."""
    state = initial_state(Decimal(10_000), START_MS)
    index = SERIES.index_at_close(t_ms)
    assert index is not None
    reported = report(asset, float(SERIES.close[index]), t_ms=t_ms, signal=signal(signal_ms=t_ms))
    decision = PortfolioState(RULES, state, state.balance).decide(t_ms, [reported], now_ms=t_ms)
    (approval,) = decision.approvals
    return approval


def denied(asset: str, t_ms: int, reason: DenialReason) -> Denial:
    return Denial(asset=asset, t_ms=t_ms, reason=reason, signal_ms=t_ms, figures="late")


def test_a_signal_that_came_too_late_takes_no_room_from_the_others() -> None:
    t_ms = signals_ms()[0]
    decision = Decision(
        t_ms=t_ms,
        approvals=(granted("ETH", t_ms),),
        denials=(denied("SOL", t_ms, DenialReason.MAX_POSITIONS),),
    )

    found = compare(
        record([decision], [denied("BTC", t_ms, DenialReason.STALE)]),
        RULES,
        t_ms - CANDLE_MS,
        t_ms,
    )

    told = [(each.asset, each.done, each.cause) for each in found.differences]
    assert ("BTC", "refused STALE", "late") in told
    assert [cause for *_, cause in told if cause == "unexplained"] == []
    assert found.alike == 2


def test_an_entry_that_fills_after_the_next_close_counts_there_where_a_span_begins() -> None:
    closes = signals_ms()
    t_ms = next(each for each in closes if each + CANDLE_MS in closes)
    next_ms = t_ms + CANDLE_MS
    approval = granted("ETH", t_ms)
    filled = entry("ETH", approval.qty, approval.price, next_ms + 500)
    executions = [replace(filled, decided_ms=t_ms)]
    refused = [denied(name, next_ms, DenialReason.MAX_POSITIONS) for name in ("BTC", "SOL")]
    decisions = [
        Decision(t_ms=t_ms, approvals=(approval,)),
        Decision(t_ms=next_ms, denials=tuple(refused)),
    ]

    found = compare(record(decisions, executions=executions), RULES, t_ms, next_ms)

    assert [each for each in found.differences if each.asset != "ETH"] == []
    assert found.alike == 2


def not_exited(executions: Sequence[Execution], booked_ms: Mapping[str, int]) -> dict[int, str]:
    """Return why ETH was not closed where the rules close it, by close."""
    found = compare(record((), (), executions, booked_ms), RULES, START_MS, END_MS)
    return {each.t_ms: each.cause for each in found.differences if each.rules == ExitReason.REGIME}


def test_an_exit_that_could_not_be_made_has_its_cause() -> None:
    t_ms = signals_ms()[0]
    approval = granted("ETH", t_ms)
    opened = replace(entry("ETH", approval.qty, approval.price, t_ms + 500), decided_ms=t_ms)
    exit_ms, *_ = not_exited([opened], {})
    late = replace(opened, ts_ms=exit_ms - 1_500)
    earlier_ms = exit_ms - CANDLE_MS
    closed = fill(
        Side.BUY, opened.qty, opened.price, asset="ETH", ts_ms=exit_ms + 900,
        decided_ms=earlier_ms, reason=ExitReason.REGIME,
    )  # fmt: skip

    assert not_exited([opened], {opened.exec_id: t_ms + 600})[exit_ms] == "unexplained"
    assert not_exited([late], {late.exec_id: exit_ms - 1_400})[exit_ms] == "unexplained"
    assert not_exited([late], {late.exec_id: exit_ms + 100})[exit_ms] == (
        "its fill 1.5 s before the close was booked 0.1 s after it"
    )
    assert not_exited([opened, closed], {})[exit_ms] == (
        "it was being closed by REGIME, asked for 300.0 s before the close"
    )
    assert exit_ms not in not_exited([opened, replace(closed, ts_ms=exit_ms - 900)], {})
