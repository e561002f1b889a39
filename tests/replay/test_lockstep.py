"""Lock-step replays: the actors do what the rules say, whatever fails on the way."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from actors.core.system import Moment
from actors.drills.probes import CrashDrill, PoisonDrill
from bin.bootstrap.recorded import build_replay
from domain.backtesting.summary import in_order
from domain.market.funding import FundingHistory
from domain.trading.orders import ExitReason
from domain.trading.positions import Trade
from infra.settings import Settings
from tests.replay.runs import (
    CANDLE_MS,
    START_MS,
    UNTRACED,
    Outcome,
    finish,
    lively_settings,
    made_up_market,
    plain_loop,
    replay,
    seeds,
)

DAY = 288


def refusals_of(decisions: list) -> dict[str, int]:
    return dict(Counter(denial.reason for d in decisions for denial in d.denials))


@pytest.mark.parametrize("seed", seeds(4))
def test_actors_trade_as_the_plain_loop_does(lively: Settings, tmp_path: Path, seed: int) -> None:
    market = made_up_market(seed, 5 * DAY)
    expected = plain_loop(lively, market)

    outcome = replay(lively, market, tmp_path / "run")

    assert len(outcome.trades) > 30
    assert outcome.trades == sorted(
        expected.result.trades, key=lambda t: (t.exit_ms, ("BTC", "ETH", "SOL").index(t.asset))
    )
    assert outcome.refusals == refusals_of(expected.result.decisions)
    assert outcome.balance == expected.engine.wallet
    assert outcome.restarts == 0


def test_no_time_passes_before_all_have_started(lively: Settings, tmp_path: Path) -> None:
    _, lockstep = build_replay(lively, made_up_market(0, DAY), tmp_path)
    asked_ms: list[int] = []

    def is_quiet() -> bool:
        asked_ms.append(lockstep.clock.now_ms())
        return False

    steps = list(lockstep.steps(is_quiet))

    assert steps == []
    assert asked_ms == [START_MS]
    assert lockstep.clock.now_ms() == START_MS


def test_the_made_up_markets_reach_most_rules(lively: Settings) -> None:
    exits: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    for seed in range(8):
        result = plain_loop(lively, made_up_market(seed, 5 * DAY)).result
        exits.update(trade.reason for trade in result.trades)
        refusals.update(refusals_of(result.decisions))

    assert set(exits) == {
        "STOP_LOSS",
        "TAKE_PROFIT",
        "REGIME",
        "CORRELATION",
        "DAILY_LOSS",
        "DRAWDOWN",
        "HALT",
    }
    assert set(refusals) == {
        "HALTED",
        "GLOBAL_COOLDOWN",
        "EMERGENCY",
        "DAILY_LOSS",
        "CORRELATION",
        "EXPOSURE",
    }


@pytest.mark.timeout(300)  # hundreds of restarts, each of which reads all facts
@pytest.mark.parametrize("seed", seeds(3))
def test_crashes_change_no_trade_and_no_refusal(
    lively: Settings, tmp_path: Path, seed: int
) -> None:
    market = made_up_market(seed, 2 * DAY)
    undisturbed = replay(lively, market, tmp_path / "undisturbed")

    disturbed = replay(lively, market, tmp_path / "disturbed", CrashDrill(0.05, seed))

    assert disturbed.restarts > 100
    assert disturbed.trades == undisturbed.trades
    assert disturbed.refusals == undisturbed.refusals
    assert disturbed.balance == undisturbed.balance


@pytest.fixture(scope="module")
def undisturbed_day(tmp_path_factory: pytest.TempPathFactory) -> list[Trade]:
    folder = tmp_path_factory.mktemp("undisturbed")
    market = made_up_market(1, DAY)
    return replay(lively_settings(folder, **UNTRACED), market, folder / "run").trades


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("actor", ["asset/ETH", "execution/ETH", "portfolio", "notifier"])
def test_an_actor_that_crashes_at_every_10th_message_changes_no_trade(
    lively: Settings, tmp_path: Path, undisturbed_day: list[Trade], actor: str, moment: Moment
) -> None:
    market = made_up_market(1, DAY)
    passed: Counter[str] = Counter()

    def probe(address: str, at: Moment) -> None:
        if address == actor and at is moment:
            passed[address] += 1
            if passed[address] % 10 == 0:
                raise RuntimeError("every 10th time")

    disturbed = replay(lively, market, tmp_path / "disturbed", probe)

    if moment is not Moment.START:
        assert disturbed.restarts > 0
    assert disturbed.trades == undisturbed_day


def test_assets_with_other_spans_take_part_only_in_theirs(lively: Settings, tmp_path: Path) -> None:
    spans = [(0, 2 * DAY), (DAY // 2, 2 * DAY), (0, DAY)]
    market = made_up_market(3, 2 * DAY, spans)
    expected = plain_loop(lively, market)

    outcome = replay(lively, market, tmp_path / "run")

    assert outcome.trades == expected.result.trades
    sol_end_ms = START_MS + DAY * CANDLE_MS
    assert max(t.exit_ms for t in outcome.trades if t.asset == "SOL") <= sol_end_ms


def suspended_at(
    settings: Settings, market: dict, folder: Path, from_ms: int, actor: str = "asset/ETH"
) -> Outcome:
    folder.mkdir()
    run, lockstep = build_replay(settings, market, folder)
    waiting = [actor]

    def suspend(t_ms: int) -> None:
        if waiting and t_ms >= from_ms:
            run.suspend(waiting.pop(), "test")

    return finish(run, lockstep, suspend)


@pytest.mark.parametrize("seed", seeds(3))
def test_an_asset_that_crashes_on_every_message_is_suspended_and_the_others_trade_on(
    lively: Settings, tmp_path: Path, seed: int
) -> None:
    market = made_up_market(seed, 3 * DAY)
    poisoned_ms = START_MS + DAY * CANDLE_MS
    (tmp_path / "poisoned").mkdir()
    run, lockstep = build_replay(
        lively,
        market,
        tmp_path / "poisoned",
        make_probe=lambda now_ms: PoisonDrill(
            address="asset/ETH", from_ms=poisoned_ms, now_ms=now_ms
        ),
    )
    seen_ms: list[int] = []

    def watch(t_ms: int) -> None:
        if "asset/ETH" not in run.given_up():
            seen_ms.append(t_ms)

    poisoned = finish(run, lockstep, watch)

    assert list(run.given_up()) == ["asset/ETH"]
    assert run.restarts()["asset/ETH"] == lively.supervision.max_restarts
    assert sum(run.restarts().values()) == lively.supervision.max_restarts
    # It was given up while its last close was played, or just after it had reported it.
    last_ms = seen_ms[-1]
    suspended = [
        suspended_at(lively, market, tmp_path / f"suspended{shift}", last_ms + shift * CANDLE_MS)
        for shift in (0, 1)
    ]
    assert poisoned.trades in [outcome.trades for outcome in suspended]
    others = {trade.asset for trade in poisoned.trades if trade.entry_ms > last_ms}
    assert others == {"BTC", "SOL"}


def test_a_suspended_asset_keeps_its_stop_and_its_fill_reaches_the_books(
    lively: Settings, tmp_path: Path
) -> None:
    market = made_up_market(0, 5 * DAY)
    stopped = next(
        trade
        for trade in replay(lively, market, tmp_path / "undisturbed").trades
        if trade.asset == "ETH"
        and trade.reason is ExitReason.STOP_LOSS
        and trade.exit_ms - trade.entry_ms > CANDLE_MS
    )

    outcome = suspended_at(lively, market, tmp_path / "suspended", stopped.entry_ms + CANDLE_MS)

    assert stopped in outcome.trades
    assert [t for t in outcome.trades if t.asset == "ETH" and t.entry_ms > stopped.entry_ms] == []


@pytest.mark.parametrize("seed", seeds(3))
def test_an_execution_that_is_given_up_still_books_its_stop_and_opens_nothing(
    lively: Settings, tmp_path: Path, seed: int
) -> None:
    market = made_up_market(seed, 5 * DAY)
    stopped = next(
        trade
        for trade in replay(lively, market, tmp_path / "undisturbed").trades
        if trade.asset == "ETH" and trade.exit_ms - trade.entry_ms > CANDLE_MS
    )

    outcome = suspended_at(
        lively, market, tmp_path / "given_up", stopped.entry_ms + CANDLE_MS, "execution/ETH"
    )

    assert stopped in outcome.trades
    assert [t for t in outcome.trades if t.asset == "ETH" and t.entry_ms > stopped.entry_ms] == []
    assert outcome.refusals["MALFUNCTION"] > 0
    assert outcome.books == outcome.balance


def test_crashes_change_nothing_where_assets_have_other_spans(
    lively: Settings, tmp_path: Path
) -> None:
    spans = [(0, 2 * DAY), (DAY // 2, 2 * DAY), (0, DAY)]
    market = made_up_market(3, 2 * DAY, spans)
    undisturbed = replay(lively, market, tmp_path / "undisturbed")

    for seed in range(3):
        folder = tmp_path / f"disturbed{seed}"
        disturbed = replay(lively, market, folder, CrashDrill(0.03, seed))

        assert disturbed.trades == undisturbed.trades
        assert disturbed.refusals == undisturbed.refusals


def test_actors_are_paid_the_funding_of_the_files(lively: Settings, tmp_path: Path) -> None:
    market = made_up_market(2, 3 * DAY)
    rates = {START_MS + n * 12 * CANDLE_MS: Decimal(n % 7 - 3) / 1000 for n in range(5, 60)}
    history = FundingHistory(rates=rates, first_ms=min(rates), last_ms=max(rates))
    market["ETH"] = replace(market["ETH"], funding=history)
    expected = plain_loop(lively, market)

    outcome = replay(lively, market, tmp_path / "run")

    paid = {trade.funding for trade in outcome.trades if trade.asset == "ETH"}
    assert len(paid) > 3
    assert outcome.trades == in_order(expected.result.trades, ["BTC", "ETH", "SOL"])
    assert outcome.balance == expected.engine.wallet
