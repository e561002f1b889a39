"""The paper account: its money, and that a kill at any moment changes nothing."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import ConfigError, OrderRefusedError
from domain.market.instruments import Side
from domain.trading.matching import CandlePrices
from domain.trading.orders import OrderRequest
from domain.trading.sizing import ProtectiveLevels
from infra.settings import load_settings
from infra.venues.paper.account import PaperAccount
from infra.venues.paper.memory import Act, Memory

RULES = load_settings(None, environ={}, dotenv=None).trading_rules()
PRICE = Decimal(60_000)
LEVELS = ProtectiveLevels(stop_loss=Decimal(60_900), take_profit=Decimal(56_400))

FULL_FOR_A_WHILE = """
import resource, sys
from pathlib import Path
from infra.venues.paper.memory import Act, Memory

file = Path(sys.argv[1])
room, hard = file.stat().st_size + 20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
try:
    Memory(file).add(Act(asset="BTC"))
except OSError:
    print("refused")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
Memory(file).add(Act(asset="ETH"))
"""


def order(number: int, qty: str = "0.01", **more: object) -> OrderRequest:
    """Return a short entry, or with `reduce_only` a close."""
    is_close = bool(more.get("reduce_only"))
    return OrderRequest(
        client_order_id=f"order-{number}",
        asset="BTC",
        side=Side.BUY if is_close else Side.SELL,
        qty=Decimal(qty),
        reduce_only=is_close,
        stop_loss=None if is_close else LEVELS.stop_loss,
        take_profit=None if is_close else LEVELS.take_profit,
    )


def account(folder: Path) -> PaperAccount:
    return PaperAccount(RULES, Memory(folder / "paper.state"))


def state(of: PaperAccount) -> tuple[object, ...]:
    """Return all that an account knows."""
    engine = of.engine
    orders = [engine.order(f"order-{number}") for number in range(40)]
    return engine.wallet, engine.positions, engine.stops, engine.executions("BTC"), orders


def at(price: int) -> CandlePrices:
    value = Decimal(price)
    return CandlePrices(open=value, high=value, low=value, close=value)


@pytest.fixture
def here(tmp_path: Path) -> PaperAccount:
    return account(tmp_path)


def test_an_entry_fills_at_the_price_worsened_by_the_slippage(here: PaperAccount) -> None:
    here.submit(order(1), PRICE, 1_000)

    position = here.position("BTC")
    assert position is not None
    assert position.avg_entry_price == Decimal("59988.0000")
    assert here.engine.wallet == 10_000 - Decimal("0.01") * Decimal(59988) * Decimal("0.00055")
    assert here.engine.stops["BTC"] == LEVELS


def test_an_entry_that_the_wallet_cannot_bear_is_refused(here: PaperAccount) -> None:
    here.submit(order(1, "1.5"), PRICE, 1_000)

    with pytest.raises(OrderRefusedError, match="more than the free"):
        here.submit(order(2, "0.2"), PRICE, 2_000)

    assert here.engine.order("order-2") is None


def test_a_close_without_a_position_is_refused_and_remembered(
    here: PaperAccount, tmp_path: Path
) -> None:
    with pytest.raises(OrderRefusedError, match="position is zero"):
        here.submit(order(1, reduce_only=True), PRICE, 1_000)

    assert state(account(tmp_path)) == state(here)
    assert account(tmp_path).engine.order("order-1") is not None


def test_a_new_starting_balance_counts_for_new_accounts_alone(tmp_path: Path) -> None:
    first = account(tmp_path)
    first.submit(order(1), PRICE, 1_000)

    settings = load_settings(None, environ={}, dotenv=None)
    richer = settings.model_copy(
        update={"replay": settings.replay.model_copy(update={"initial_balance": Decimal(77)})}
    )
    again = PaperAccount(richer.trading_rules(), Memory(tmp_path / "paper.state"))

    assert again.engine.wallet == first.engine.wallet


def test_half_a_line_was_never_told_and_is_forgotten(tmp_path: Path) -> None:
    whole = account(tmp_path)
    whole.submit(order(1), PRICE, 1_000)
    with (tmp_path / "paper.state").open("a") as file:
        file.write('{"asset":"BTC","executions":[{"exec_')

    again = account(tmp_path)
    again.submit(order(2), PRICE, 2_000)

    assert len(account(tmp_path).engine.executions("BTC")) == 2


def test_an_act_that_a_full_disk_takes_by_half_is_refused_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    account(tmp_path)
    file = tmp_path / "paper.state"

    run = subprocess.run(
        [sys.executable, "-c", FULL_FOR_A_WHILE, str(file)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout == "refused\n"
    assert Memory(file).read()[1] == [Act(asset="ETH")]


def test_a_file_of_something_else_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "paper.state").write_text("not an account\n")

    with pytest.raises(ConfigError, match=r"paper\.state: is not a readable paper account"):
        account(tmp_path)


MOVES = st.lists(
    st.sampled_from(["enter", "close", "rise", "fall", "stops", "funding"]), max_size=30
)


@given(moves=MOVES)
def test_an_account_is_always_the_same_after_a_kill(
    tmp_path_factory: pytest.TempPathFactory, moves: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("account")
    here = account(folder)
    moved = ProtectiveLevels(stop_loss=Decimal(60_800), take_profit=Decimal(56_000))

    for number, move in enumerate(moves):
        ts_ms = 1_000 * number
        try:
            match move:
                case "enter":
                    here.submit(order(number), PRICE, ts_ms)
                case "close":
                    here.submit(order(number, "0.004", reduce_only=True), PRICE, ts_ms)
                case "rise":
                    here.meet("BTC", at(61_000), ts_ms)
                case "fall":
                    here.meet("BTC", at(56_000), ts_ms)
                case "stops":
                    here.set_stops("BTC", moved)
                case "funding":
                    here.settle("BTC", PRICE, Decimal("0.0001"), ts_ms)
        except OrderRefusedError:
            pass
        assert state(account(folder)) == state(here)
