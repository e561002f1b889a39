"""What is broken is known while it is, and no longer."""

from domain.portfolio.malfunctions import Malfunctions
from tests.domain.builders import NOON_MS

STALE_MS = 60_000


def watching(*assets: str) -> Malfunctions:
    return Malfunctions(assets, stale_ms=STALE_MS, now_ms=NOON_MS)


def test_data_is_missing_from_the_limit_on_and_only_where_it_is_needed() -> None:
    found = watching("BTC", "ETH")
    found.hear("ETH", NOON_MS + STALE_MS)

    assert found.found(NOON_MS + STALE_MS - 1, {"BTC"}) == {}
    assert set(found.found(NOON_MS + STALE_MS, {"BTC"})) == {"data/BTC"}
    assert found.found(NOON_MS + STALE_MS, {"ETH"}) == {}


def test_data_that_comes_ends_it_and_older_data_changes_nothing() -> None:
    found = watching("BTC")
    found.hear("BTC", NOON_MS + STALE_MS)
    found.hear("BTC", NOON_MS)

    assert found.found(2 * STALE_MS + NOON_MS - 1, {"BTC"}) == {}


def test_silence_of_all_is_a_malfunction_though_nothing_is_held() -> None:
    found = watching("BTC", "ETH")

    assert set(found.found(NOON_MS + STALE_MS, set())) == {"data"}


def test_what_is_reported_lasts_until_its_source_ends_it() -> None:
    found = watching("BTC")
    found.begin("execution/BTC", "no answer")
    found.begin("execution/BTC", "no answer yet")

    assert found.found(NOON_MS, set()) == {"execution/BTC": "no answer yet"}
    found.end("execution/BTC")
    found.end("execution/BTC")
    assert found.found(NOON_MS, set()) == {}
