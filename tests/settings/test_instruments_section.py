"""Instruments are written into settings files as they are read."""

from decimal import Decimal
from pathlib import Path

import pytest

from domain.market.instruments import Instrument
from infra.settings.instruments_section import write
from infra.settings.tree import read_tree

BTC = Instrument(
    symbol="BTCUSDT",
    qty_step=Decimal("0.001"),
    min_order_qty=Decimal("0.001"),
    tick_size=Decimal("0.1"),
    min_notional=Decimal(5),
    max_market_order_qty=Decimal(119),
)


@pytest.mark.parametrize(
    "text",
    [
        "logging:\t\n  level: INFO\n",
        "simulation:\n  seed: 1\t\n",
        "instruments:\t\n  BTCUSDT:\n    qty_step: 1\t\n",
        "instruments:\n  BTCUSDT:\n    qty_step: |# one\n      1\n",
        "\ufeffinstruments:\n  BTCUSDT:\n    qty_step: 1\n",
    ],
)
def test_whatever_is_read_is_written_to(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text, encoding="utf-8")

    write(file, [BTC])

    found = read_tree(file).plain()
    assert found["instruments"]["BTCUSDT"]["qty_step"] == "0.001"
    assert found.keys() - {"instruments"} == read_tree_of(text, tmp_path) - {"instruments"}


def read_tree_of(text: str, folder: Path) -> set[str]:
    file = folder / "before.yaml"
    file.write_text(text, encoding="utf-8")
    return set(read_tree(file).plain())
