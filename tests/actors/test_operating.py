"""What the portfolio answers to commands while something else forbids entries."""

from decimal import Decimal

import pytest

from actors.messages import AssetFlat
from actors.portfolio.operating import Operations
from actors.watch import LiveChecks, MalfunctionWatch, WalletAudit
from domain.operator.commands import ALL, Command, CommandName
from domain.portfolio.protection import initial_state
from domain.portfolio.state import PortfolioState
from infra.settings import load_settings
from tests.domain.builders import short

T_MS = 1_744_802_700_000
RULES = load_settings(None, environ={}, dotenv=None).trading_rules()


@pytest.mark.parametrize(
    ("before", "says"),
    [
        (None, "BTC, ETH, SOL: may open again"),
        (CommandName.PANIC, "BTC, ETH, SOL: no longer paused; nothing is opened until rearm"),
    ],
)
def test_a_resume_in_a_panic_says_that_nothing_is_opened(
    before: CommandName | None, says: str
) -> None:
    books = PortfolioState(RULES, initial_state(Decimal(10_000), T_MS), Decimal(10_000))
    operations = Operations(rules=RULES, books=books, wallet=WalletAudit())
    operations.do(Command(name=CommandName.PAUSE, argument=ALL), "x", T_MS)
    if before is not None:
        operations.do(Command(name=before), "x", T_MS)

    done = operations.do(Command(name=CommandName.RESUME, argument=ALL), "x", T_MS)

    assert done.answer.result == says
    assert done.answer.is_done


def test_a_panic_in_a_panic_closes_what_was_opened_by_hand_since() -> None:
    books = PortfolioState(RULES, initial_state(Decimal(10_000), T_MS), Decimal(10_000))
    operations = Operations(rules=RULES, books=books, wallet=WalletAudit())
    panic = Command(name=CommandName.PANIC)
    first = operations.do(panic, "x", T_MS).answer
    for asset in ("BTC", "ETH", "SOL"):
        list(operations.on_flat(AssetFlat(asset=asset, t_ms=first.ts_ms), T_MS + 15_000))
    assert list(operations.wanted()) == []

    books.positions["SOL"] = short("SOL", 5, 120, opened_ms=T_MS + 20_000)
    assert list(operations.wanted()) == []
    second = operations.do(panic, "x", T_MS + 30_000).answer

    assert second.is_done
    assert [(found.asset, found.t_ms) for found in operations.wanted()] == [
        (asset, second.ts_ms) for asset in ("BTC", "ETH", "SOL")
    ]


def test_the_end_of_a_malfunction_allows_nothing_by_itself() -> None:
    watch = MalfunctionWatch(RULES, LiveChecks(every_ms=1000, stale_ms=60_000), T_MS)
    watch.sources.begin("x", "it broke")
    watch.look(T_MS, [])
    watch.sources.end("x")

    (ended,), _ = watch.look(T_MS, [])

    assert ended.what == "malfunction over: x works again"
    assert "allowed" not in ended.effect
