"""An isolated position takes margin from the account before it is taken over, where that is on."""

from pathlib import Path

import pytest

from tests.venues.simulator.clients import BTC, Client, eventually, running

AUTO = "/v5/position/set-auto-add-margin"


def isolate(client: Client) -> None:
    client.post("/v5/account/set-margin-mode", setMarginMode="ISOLATED_MARGIN")


@pytest.mark.parametrize(
    ("is_on", "factor", "is_left"), [(1, "1.2", True), (0, "1.2", False), (1, "4", False)]
)
def test_it_lives_on_as_long_as_the_account_can_give(
    client: Client, is_on: int, factor: str, is_left: bool
) -> None:
    isolate(client)
    answer = client.post(AUTO, symbol=BTC, autoAddMargin=is_on)
    client.order("Sell", "0.05")
    before = eventually(client.position, lambda row: row["side"] == "Sell")

    client.control("price", symbol=BTC, factor=factor)
    after = client.position()

    assert (answer["retCode"], before["autoAddMargin"]) == (0, is_on)
    assert (after["side"] == "Sell") == is_left
    if is_left:
        assert float(after["positionIM"]) > 1.2 * float(before["positionIM"])
        assert float(after["liqPrice"]) > float(after["markPrice"])


def test_it_is_refused_where_margin_is_not_isolated(client: Client) -> None:
    answer = client.post(AUTO, symbol=BTC, autoAddMargin=1)

    assert (answer["retCode"], client.position()["autoAddMargin"]) == (110015, 0)


def test_it_stays_on_over_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "state"
    with running(state=file) as client:
        isolate(client)
        client.post(AUTO, symbol=BTC, autoAddMargin=1)
    with running(state=file) as client:
        assert client.position()["autoAddMargin"] == 1
