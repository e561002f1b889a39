"""The table of trades fits a narrow screen, however many assets there are."""

import io

import pytest
from rich.console import Console

from infra.operator.terminal.summary import trades_table


@pytest.mark.parametrize("count", [1, 3, 5, 12, 30])
def test_every_asset_is_named_whole_at_80_columns(count: int) -> None:
    assets = [f"ASSET{number}" if count > 5 else f"A{number}" for number in range(count)]
    screen = Console(width=80, file=io.StringIO())

    screen.print(trades_table(assets, []))

    shown = screen.file.getvalue()
    assert all(asset in shown for asset in (*assets, "Total"))
    assert "…" not in shown
