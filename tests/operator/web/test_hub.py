"""Which rules the page shows a run by."""

from dataclasses import replace

from domain.operator.system import SystemSnapshot, VenueLink
from infra.operator.web.hub import are_of
from infra.settings import load_settings

RULES = load_settings(None, environ={}, dotenv=None).trading_rules()
SEEN = SystemSnapshot(actors=(), dead_letters=0, portfolio=None)


def links(*assets: str) -> dict[str, VenueLink]:
    return {
        asset: VenueLink(
            asset=asset,
            is_streaming=True,
            orders_per_minute=0.0,
            request_p50_ms=None,
            request_p99_ms=None,
        )
        for asset in assets
    }


def test_rules_are_read_again_once_a_pair_has_joined_or_left() -> None:
    assert are_of(RULES, SEEN)
    assert are_of(RULES, replace(SEEN, links=links("BTC", "ETH", "SOL")))
    assert are_of(RULES, replace(SEEN, links=links("BTC", "ETH", "SOL", "AVAX")))
    assert not are_of(RULES, replace(SEEN, links=links("BTC", "ETH")))
