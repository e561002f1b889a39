"""The health in words, for the terminal."""

from infra.operator.health.view import health_figures
from tests.operator.health.made import figures


def test_each_asset_has_its_stream_its_orders_and_its_requests() -> None:
    found = health_figures(figures())

    assert found["link of BTC"] == "stream connected, 0.5 orders a minute, p50 20 ms, p99 400 ms"
    assert found["journal connections"] == "7"


def test_a_journal_in_a_server_has_no_size_here() -> None:
    assert health_figures(figures(journal_bytes=0))["journal"] == "in a server"


def test_nothing_was_looked_at_yet() -> None:
    assert health_figures(None) == {}
