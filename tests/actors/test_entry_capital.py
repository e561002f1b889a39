"""The capital that losses are measured against, in a journal that does not know it yet."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from domain.portfolio.protection import initial_state
from domain.trading.orders import ExitReason
from domain.trading.transfers import Transfer
from tests.actors.test_portfolio import CHECKS, START_MS, opened
from tests.domain.builders import RULES, changed

LOSING = changed(
    RULES,
    protection={
        "capital_loss_fraction": Decimal("0.10"),
        "drawdown_emergency_fraction": None,
        "drawdown_halt_fraction": None,
        "max_daily_loss_fraction": None,
    },
)


def test_a_journal_of_an_older_program_measures_losses_from_its_start_and_transfers(
    tmp_path: Path,
) -> None:
    paid_in = Transfer(transfer_id="t1", ts_ms=START_MS - 5_000, kind="IN", amount=Decimal(2_000))
    with opened(tmp_path, LOSING) as desk:
        writer = desk.journals.open("portfolio", lambda: None)
        before = initial_state(Decimal(10_000), START_MS - 10_000)
        after = replace(before, t_ms=START_MS, equity=Decimal(12_000), balance=Decimal(12_000))
        unknown = replace(after, peak_equity=Decimal(12_000), entry_capital=Decimal(0))
        writer.append(paid_in, unknown)
        writer.close()
    with opened(tmp_path, LOSING, CHECKS, START_MS + 1_000) as desk:
        desk.open_short("BTC", 20_000)
        desk.mark("BTC", 21_100)  # 9.2 % of 12000
        desk.wait(CHECKS.every_ms)
        assert desk.fired() == []

        desk.mark("BTC", 21_250)  # 10.4 %
        desk.wait(CHECKS.every_ms)
        assert desk.fired() == [ExitReason.CAPITAL_LOSS]
