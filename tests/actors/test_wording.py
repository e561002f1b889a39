"""The words of every notice, as a phone shows them."""

import unicodedata
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.core.messages import Ending, GivenUp
from actors.messages import (
    ConnectionLost,
    ConnectionRestored,
    LinksSampled,
    PositionDiffers,
    PositionUnprotected,
    RiskRaised,
    SystemChanged,
)
from actors.wording import market, reports, risk, system, trades
from actors.wording.system import RunInfo
from domain.market.instruments import HOUR_MS, MINUTE_MS, Side
from domain.operator import wording as say
from domain.operator.commands import SettingsChanged
from domain.operator.notices import Notice, ReportPeriod
from domain.operator.system import VenueLink
from domain.portfolio.performance import Performance, Performances
from domain.portfolio.protection import initial_state
from domain.portfolio.snapshots import AssetSnapshot, PortfolioSnapshot
from domain.strategies.base import Regime
from domain.strategies.explanation import Condition, Explanation
from domain.trading.cooldowns import AssetCooldown
from domain.trading.decisions import AssetEvaluation, Close, Denial, DenialReason, Protection
from domain.trading.orders import ExitReason, Purpose
from domain.trading.positions import Position, Trade
from infra.operator.notices.telegram import MOST_CHARACTERS
from infra.settings import load_settings
from tests.domain.builders import averages

TWELVE = Path(__file__).resolve().parents[2] / "examples" / "multi_pair.yaml"
T_MS = 1_744_802_700_000
RULES = load_settings(None, environ={}, dotenv=None).trading_rules()
RUN = RunInfo(mode="live", account="https://api.bybit.com", started_ms=T_MS)
REPORT = AssetEvaluation(
    asset="BTC",
    t_ms=T_MS,
    close=84000.0,
    values=averages(84120.56, 84310.21),
    note="below both EMAs",
    regime=Regime.ACTIVE,
)
POSITION = Position(
    asset="SOL",
    side=Side.SELL,
    qty=Decimal("12.3"),
    opened_ms=T_MS,
    decided_ms=None,
    signal_ms=None,
    open_notional=Decimal("1602.075"),
    entry_qty=Decimal("12.3"),
    entry_notional=Decimal("1602.075"),
)
TRADE = Trade(
    asset="ETH",
    side=Side.SELL,
    entry_ms=T_MS,
    exit_ms=T_MS + 5 * HOUR_MS + 37 * MINUTE_MS,
    qty=Decimal("4.21"),
    entry_price=Decimal("1660.25"),
    exit_price=Decimal("1560.64"),
    fees=Decimal("7.4565"),
    funding=Decimal("0.70"),
    pnl=Decimal("412.6016"),
    reason=ExitReason.TAKE_PROFIT,
    decided_ms=None,
)
PROTECTION = Protection(
    t_ms=T_MS,
    reason=ExitReason.DRAWDOWN,
    closes=(
        Close(asset="BTC", purpose=Purpose.EMERGENCY, reason=ExitReason.DRAWDOWN),
        Close(asset="ETH", purpose=Purpose.EXIT, reason=ExitReason.REGIME),
    ),
    epoch=2,
    cooldown_end_ms=T_MS + 4 * HOUR_MS,
    figures="drawdown=0.1512 daily_loss=0.0310",
)
STATE = replace(
    initial_state(Decimal(10_000), T_MS), equity=Decimal(8_980), reduction_step=1, epoch=3
)
ENDING = Ending(
    crash_id="execution/BTC#1",
    cause="RuntimeError: boom",
    is_hang=False,
    failures=1,
    allowed=5,
    down_ms=134,
)
ASSETS = {
    "BTC": AssetSnapshot(
        asset="BTC",
        report=REPORT,
        position=None,
        closes_seen=4000,
        cooldown_minutes=0,
        cooldown_reason="",
        loss_streak=0,
        explanation=Explanation(
            t_ms=T_MS,
            entry=(
                Condition(name="candles seen", figure=900, needs=">", limit=600, holds=True),
                Condition(name="confirmations", figure=1, needs=">=", limit=2, holds=False),
            ),
        ),
    ),
    "ETH": AssetSnapshot(
        asset="ETH",
        report=replace(REPORT, asset="ETH", regime=Regime.COOLDOWN),
        position=None,
        closes_seen=4000,
        cooldown_minutes=42,
        cooldown_reason="SHORT_HOLD",
        cooldown_end_ms=T_MS + 42 * MINUTE_MS,
        loss_streak=1,
    ),
}
PORTFOLIO = PortfolioSnapshot(
    balance=Decimal("10412.60"),
    equity=Decimal("10423.05"),
    exposure=Decimal("1602.08"),
    drawdown=Decimal("0.021"),
    daily_loss=Decimal(0),
    positions={"SOL": POSITION},
    prices={"SOL": Decimal("129.40")},
    global_cooldown_end_ms=T_MS + 90 * MINUTE_MS,
    global_cooldown_reason="DRAWDOWN",
    is_halted=False,
    is_reduced=False,
    trades=2,
    realized_pnl=Decimal("412.60"),
)
WEEK = reports.PeriodFacts(
    period=ReportPeriod(
        name="Weekly", from_ms=1_744_243_200_000, until_ms=1_744_848_000_000, due_ms=T_MS
    ),
    trades=[TRADE, replace(TRADE, asset="BTC", pnl=Decimal("-112.18"))],
    denials={DenialReason.CORRELATION: 12, DenialReason.GLOBAL_COOLDOWN: 3},
    restarts={"asset/BTC": 1},
    balance_before=Decimal(10_000),
    performances=Performances(
        total=Performance(average_hold_ms=HOUR_MS, sharpe=1.204, volatility=0.1234),
        assets={
            "BTC": Performance(
                sharpe=-0.5,
                volatility=0.2,
                slippage_bps=1.26,
                fee_bps=5.5,
                adverse=0.0123,
                favorable=0.02,
            ),
            "ETH": Performance(fee_bps=5.5),
        },
        diversification=0.125,
    ),
)

LINKS = LinksSampled(
    links=(
        VenueLink(
            asset="BTC",
            is_streaming=True,
            orders_per_minute=6.2,
            request_p50_ms=4.1,
            request_p99_ms=317.0,
        ),
        VenueLink(
            asset="ETH",
            is_streaming=False,
            orders_per_minute=0.0,
            request_p50_ms=None,
            request_p99_ms=None,
        ),
    ),
    journal_connections=9,
)


def rest_of(trade: Trade) -> AssetCooldown:
    rest = AssetCooldown(RULES.cooldown)
    rest.apply(replace(trade, entry_ms=trade.exit_ms - 1))
    return rest


NOTICES: dict[str, tuple[Notice, str]] = {
    "regime, nothing open": (
        market.regime_changed(REPORT, Regime.INACTIVE, None, RULES),
        """
🟢 BTC: favorable for entries
Regime INACTIVE → ACTIVE
Price $84,000.0, below both EMAs
EMA 240 $84,120.6
EMA 600 $84,310.2
Crosses today 1
A fresh signal may open a position.
2025-04-16 11:25:00 UTC""",
    ),
    "regime, a short is closed": (
        market.regime_changed(
            replace(
                REPORT,
                close=84200.0,
                note="between the EMAs",
                regime=Regime.INACTIVE,
                strategy_exit=ExitReason.REGIME,
            ),
            Regime.ACTIVE,
            POSITION,
            RULES,
        ),
        """
🔴 BTC: not favorable for entries
Regime ACTIVE → INACTIVE
Price $84,200.0, between the EMAs
EMA 240 $84,120.6
EMA 600 $84,310.2
Crosses today 1
The open SHORT is closed now.
2025-04-16 11:25:00 UTC""",
    ),
    "refused": (
        market.entry_denied(
            Denial(
                asset="BTC",
                t_ms=T_MS,
                reason=DenialReason.DAILY_LOSS,
                signal_ms=T_MS - 5 * MINUTE_MS,
                figures="daily_loss=0.0561 limit=0.05",
            )
        ),
        """
✋ BTC: entry refused
Reason: the daily loss is at its limit
Daily loss 5.6%, limit 5.0%
Signal 5 min old
2025-04-16 11:25:00 UTC
why BTC-1744802700-entry-1""",
    ),
    "profit": (
        trades.exited(7, TRADE, None, RULES),
        """
🟢 ETH: SHORT closed, PROFIT
Reason: take profit at the exchange
Exit $1,560.64
Entry $1,660.25
Held 5h 37m
PnL +412.60 USDT
+59.0% of the margin used
Fees 7.46 USDT
Funding +0.70 USDT
No new cooldown
2025-04-16 17:02:00 UTC
why ETH@2025-04-16T17:02:00""",
    ),
    "by hand": (
        trades.opened_by_hand("x", POSITION, RULES),
        """
🚨 SOL: opened by hand
SHORT 12.3 at $130.25
SOL opens nothing while it is open.
It gets a stop and is not closed.
You can: close it at the exchange.
2025-04-16 11:25:00 UTC""",
    ),
    "cooldown": (
        market.cooldown_started(None, "emergency, DRAWDOWN", T_MS, T_MS + 4 * HOUR_MS),
        """
⏰ Portfolio: cooldown 240 min
Reason: emergency, DRAWDOWN
Until 2025-04-16 15:25 UTC
2025-04-16 11:25:00 UTC""",
    ),
    "cooldown over": (
        market.cooldown_ended("SOL", T_MS),
        """
⏰ SOL: cooldown over
0 min left, entries are allowed again
2025-04-16 11:25:00 UTC""",
    ),
    "cooldown over in a panic": (
        market.cooldown_ended(None, T_MS, "panic, until rearm"),
        """
⏰ Portfolio: cooldown over
0 min left
No entries: panic, until rearm
2025-04-16 11:25:00 UTC""",
    ),
    "panic": (
        risk.protection_fired(
            replace(PROTECTION, reason=ExitReason.OPERATOR, figures="", cooldown_end_ms=0),
            RULES.protection,
            "telegram/7",
        ),
        """
🚨 PANIC
Asked for by 7 by Telegram
Closing: BTC, ETH
No entries until rearm
You can: wait until all is flat.
2025-04-16 11:25:00 UTC""",
    ),
    "emergency": (
        risk.protection_fired(PROTECTION, RULES.protection),
        """
🚨 EMERGENCY: drawdown
Drawdown 15.1%, limit 15.0%
Daily loss 3.1%, limit 5.0%
Closing: BTC, ETH
No entries until 2025-04-16 15:25 UTC
You can: check the account.
2025-04-16 11:25:00 UTC""",
    ),
    "halt": (
        risk.protection_fired(
            replace(PROTECTION, reason=ExitReason.HALT, closes=()), RULES.protection
        ),
        """
🚨 HALT: drawdown
Drawdown 15.1%, limit 20.0%
Daily loss 3.1%, limit 5.0%
Closing: nothing is open
No entries until rearm
You can: check, then send rearm.
2025-04-16 11:25:00 UTC""",
    ),
    "first drawdown level": (
        risk.size_changed(STATE, RULES.protection),
        """
🚨 Drawdown: smaller entries
Drawdown 10.2%, limit 10.0%
Nothing was closed.
New entries at 50% of their size
until it is below 5.0%.
You can: wait, or pause all.
2025-04-16 11:25:00 UTC""",
    ),
    "loss streak": (
        risk.loss_streak_reached(T_MS + 4 * HOUR_MS, RULES.protection),
        """
🚨 5 losing trades in a row
Limit 5 over all assets
Nothing was closed.
No entries until 2025-04-16 15:25 UTC
You can: wait, or pause all.
2025-04-16 11:25:00 UTC""",
    ),
    "naked": (
        risk.position_unprotected(
            PositionUnprotected(asset="BTC", since_ms=T_MS, is_set_again=False), 5000
        ),
        """
🚨 BTC: position without a stop
Allowed for 5.0s
No stop could be set.
The position is closed at market.
You can: look at the exchange.
2025-04-16 11:25:00 UTC""",
    ),
    "malfunction": (
        risk.risk_raised(
            RiskRaised(
                key="k",
                asset="BTC",
                what="no data",
                figures="62 s without data, limit 60 s",
                effect="no new entries",
                advice="look at the exchange.",
            ),
            T_MS,
        ),
        """
🚨 BTC: no data
62 s without data, limit 60 s
No new entries
You can: look at the exchange.
2025-04-16 11:25:00 UTC""",
    ),
    "restarted": (
        system.restarted("execution/BTC", ENDING, 2, T_MS),
        """
⚠️ execution/BTC crashed, is back
Cause: RuntimeError: boom
Restart 1 of 5 allowed
Back after 0.1s
Crash id execution/BTC#1
2025-04-16 11:25:00 UTC""",
    ),
    "restarted though given up": (
        system.restarted("execution/BTC", replace(ENDING, failures=6), 7, T_MS),
        """
⚠️ execution/BTC crashed, is back
Cause: RuntimeError: boom
Failures 6, restarts allowed 5
Given up, but restarted anyway
Back after 0.1s
Crash id execution/BTC#1
2025-04-16 11:25:00 UTC""",
    ),
    "given up": (
        system.given_up(
            GivenUp(
                address="asset/BTC",
                cause="RuntimeError: boom",
                crash_id="1.23230",
                failures=6,
                allowed=5,
            ),
            RUN,
            T_MS,
        ),
        """
🚨 asset/BTC was given up
Cause: RuntimeError: boom
Failures 6, restarts allowed 5
Crash id 1.23230
BTC opens nothing.
A position stays under its stop.
You can: restart it, or the system.
2025-04-16 11:25:00 UTC""",
    ),
    "connection lost": (
        system.connection_lost(
            [ConnectionLost(asset="BTC", what="feed", detail="closed")], None, T_MS
        ),
        """
🔌 BTC: feed lost
Cause: closed
It is connected again without your help.
2025-04-16 11:25:00 UTC""",
    ),
    "connection back": (
        system.connection_restored(
            [ConnectionRestored(asset="BTC", what="feed", down_ms=1_020_000, candles=3)], T_MS
        ),
        """
🔌 BTC: feed is back
It was lost for 17m
Candles fetched: 3
2025-04-16 11:25:00 UTC""",
    ),
    "started": (
        system.started(
            RUN, balance=Decimal("10412.6"), positions=[POSITION], was_ended=False, rules=RULES
        ),
        """
🚀 Started: live
Account: https://api.bybit.com
Assets: BTC, ETH, SOL
Balance 10,412.60 USDT
Open positions found: 1
  SOL SHORT 12.3 at $130.25
The last run did not shut down cleanly.
2025-04-16 11:25:00 UTC""",
    ),
    "stopping": (
        system.stopping(RUN, "asked to stop", [POSITION], T_MS),
        """
🛑 Stopping: live
Reason: asked to stop
Open, under their stops: 1
2025-04-16 11:25:00 UTC""",
    ),
    "report": (
        reports.report(WEEK, reports.PresentFacts(PORTFOLIO, ASSETS, LINKS), T_MS, RULES),
        """
📊 Weekly report
2025-04-10 to 2025-04-16 UTC
PnL +300.42 USDT (+3.00%)
Trades 2, won 50.0%
Fees 14.91 USDT, funding +1.40
Profit factor 3.68
Average hold 5h 37m
Best ETH +412.60 USDT
Worst BTC -112.18 USDT
By asset:
ETH +412.60, 137% of PnL
  trades 1, won 100.0%, hold 5h 37m
BTC -112.18, -37% of PnL
  trades 1, won 0.0%, hold 5h 37m
Refused: CORRELATION 12,
  GLOBAL_COOLDOWN 3
Restarts: asset/BTC 1
Now, 2025-04-16 11:25:00 UTC:
Balance 10,412.60 USDT
Equity 10,423.05 USDT
Drawdown 2.1%
Levels: 10%, 15%, 20%
Portfolio cooldown: 90 min left
  DRAWDOWN
  until 2025-04-16 12:55 UTC
Open positions: 1
  SOL SHORT 12.3 at $130.25, +10.46
  +6.5% of its margin
🟢 BTC ACTIVE
⏰ ETH COOLDOWN, cooldown 42 min left
  SHORT_HOLD
  until 2025-04-16 12:07 UTC
⚪ SOL no answer
Streams, orders/min, requests p50/p99:
BTC up, 6.2/min, 4/317 ms
ETH DOWN, 0.0/min
Journal connections: 9
ACTIVE 1 of 3, 33%
Entries wait for:
- confirmations: BTC
Since the start:
All: PnL with open +10.46,
  return on open +6.53%, hold 1h,
  Sharpe 1.20, volatility 12.3%,
  diversification 12%
BTC: Sharpe -0.50, volatility 20.0%,
  slippage 1.3 bps, fees 5.5 bps,
  MAE 1.23%, MFE 2.00%
ETH: fees 5.5 bps""",
    ),
}


@pytest.mark.parametrize("name", NOTICES)
def test_a_notice_reads_as(name: str) -> None:
    notice, expected = NOTICES[name]

    assert notice.text == expected.strip("\n")


@pytest.mark.parametrize("name", NOTICES)
def test_every_line_fits_a_phone(name: str) -> None:
    def width(line: str) -> int:
        return sum(2 if unicodedata.east_asian_width(sign) == "W" else 1 for sign in line)

    assert max(map(width, NOTICES[name][0].text.splitlines())) <= say.LINE


def test_a_report_of_twelve_pairs_that_traded_fits_one_message() -> None:
    rules = load_settings(TWELVE, environ={}, dotenv=None).trading_rules()
    names = [asset.asset for asset in rules.assets]
    snapshots = {
        name: replace(ASSETS["ETH"], asset=name, report=replace(REPORT, asset=name))
        for name in names
    }
    done = WEEK.performances.assets["BTC"]
    facts = replace(
        WEEK,
        trades=[replace(TRADE, asset=name) for name in names],
        performances=replace(WEEK.performances, assets=dict.fromkeys(names, done)),
    )

    links = LinksSampled(
        links=tuple(replace(LINKS.links[0], asset=name) for name in names), journal_connections=33
    )
    present = reports.PresentFacts(PORTFOLIO, snapshots, links)
    all_open = {name: replace(POSITION, asset=name) for name in names}
    full = replace(present, portfolio=replace(PORTFOLIO, positions=all_open))

    text = reports.report(facts, present, T_MS, rules).text
    longest = reports.report(facts, full, T_MS, rules).text

    assert len(names) == 12
    assert len(text) <= MOST_CHARACTERS
    # What a channel cuts off is the performance of the last pairs.
    assert "Since the start:\nAll:" in longest[:MOST_CHARACTERS]


def test_an_asset_with_a_position_waits_for_no_entry() -> None:
    held = {"BTC": replace(ASSETS["BTC"], position=replace(POSITION, asset="BTC"))}

    text = reports.report(WEEK, reports.PresentFacts(PORTFOLIO, held), T_MS, RULES).text

    assert "Entries wait for" not in text


def test_an_exit_names_the_cooldown_it_started() -> None:
    text = trades.exited(7, TRADE, rest_of(TRADE), RULES).text

    assert "⏰ Cooldown 60 min:\n  trade held under 1h" in text


@pytest.mark.parametrize("reason", ExitReason)
def test_every_exit_has_words(reason: ExitReason) -> None:
    assert "Reason: " in trades.exited(7, replace(TRADE, reason=reason), None, RULES).text


@pytest.mark.parametrize("reason", DenialReason)
def test_every_refusal_has_words_that_fit(reason: DenialReason) -> None:
    denial = Denial(asset="BTC", t_ms=T_MS, reason=reason, signal_ms=T_MS, figures="")

    assert max(map(len, market.entry_denied(denial).text.splitlines())) <= say.LINE


@given(st.text(), st.text())
def test_foreign_text_is_one_bounded_line_whatever_it_holds(what: str, detail: str) -> None:
    changed = SystemChanged(key="k", title=what, detail=detail)
    differs = PositionDiffers(asset="BTC", since_ms=T_MS, detail=detail)

    for notice, most in (
        (system.system_changed(changed, T_MS), 3),
        (risk.position_differs(differs), 6),
    ):
        lines = notice.text.split("\n")
        assert len(lines) <= most
        assert lines[-1] == "2025-04-16 11:25:00 UTC"
        assert len(notice.text) < 1000
        assert not any(unicodedata.category(sign) == "Cc" for line in lines for sign in line)


def test_a_danger_with_figures_as_pairs_is_written_out() -> None:
    raised = RiskRaised(
        key="k",
        asset="BTC",
        what="BTC cannot be closed",
        figures="attempts=3 lasted_s=62 age_ms=1200",
        effect="",
        advice="",
    )

    assert risk.risk_raised(raised, T_MS).text == (
        "🚨 BTC cannot be closed\nAttempts 3, lasted 1m, age 1.2s\n2025-04-16 11:25:00 UTC"
    )


@given(st.integers(min_value=0, max_value=10**12))
def test_a_duration_has_at_most_two_units(length_ms: int) -> None:
    assert 1 <= len(say.duration(length_ms).split()) <= 2


@given(st.text())
def test_any_figures_can_be_said(text: str) -> None:
    assert "\n" not in say.pairs(text)


def test_a_new_pair_s_settings_that_are_left_to_its_strategy_are_no_news() -> None:
    changes = "pair.leverage: nothing -> 10\npair.trail_pct: nothing -> null\npair.x: 1 -> null"
    changed = SettingsChanged(operator="7", changes=changes, ts_ms=T_MS)

    told = system.settings_changed(7, changed).text.splitlines()

    assert told[1:-1] == ["pair.leverage: nothing -> 10", "pair.x: 1 -> null"]
