"""The health in words, for the terminal."""

from dataclasses import replace
from pathlib import Path

from loguru import logger

from infra.operator.health.view import health_figures
from infra.operator.log_level import change_level
from infra.process.logs import start_logging
from tests.operator.health.made import BOOKS, figures


def test_each_asset_has_its_stream_its_orders_and_its_requests() -> None:
    found = health_figures(figures())

    assert found["link of BTC"] == "stream connected, 0.5 orders a minute, p50 20 ms, p99 400 ms"
    assert found["journal connections"] == "7"


def test_a_journal_in_a_server_has_no_size_here() -> None:
    assert health_figures(figures(journal_bytes=0))["journal"] == "in a server"


def test_what_a_failover_may_lose_is_shown() -> None:
    doubted = figures(journal_bytes=0, books=replace(BOOKS, doubt="facts may be lost"))

    assert health_figures(doubted)["journal"] == "in a server; facts may be lost"


def test_the_level_in_force_is_shown_and_not_that_of_the_start(tmp_path: Path) -> None:
    start_logging(
        file=tmp_path / "sim.jsonl",
        level="INFO",
        rotation="00:00",
        retention_days=1,
        screen=lambda _line: None,
        screen_level="CRITICAL",
        context=lambda: None,
    )
    at_first = health_figures(figures())["log level"]

    change_level("debug")

    assert (at_first, health_figures(figures())["log level"]) == ("INFO", "DEBUG")
    logger.remove()


def test_nothing_was_looked_at_yet() -> None:
    assert health_figures(None) == {}
