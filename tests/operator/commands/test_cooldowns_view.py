"""Who rests, why, until when and for how long, in text and for programs."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from actors.operator.risk_view import Present, limits
from actors.operator.views import Views
from domain.market.instruments import MINUTE_MS
from domain.operator.commands import CommandName
from domain.operator.replies import Reply
from domain.operator.system import SystemSnapshot
from domain.portfolio.snapshots import AssetSnapshot, PortfolioSnapshot
from tests.actors.test_wording import ASSETS, PORTFOLIO, RULES, T_MS


@dataclass
class FakeRun:
    """As far as a view of cooldowns asks."""

    portfolio: PortfolioSnapshot
    rules: Any = RULES
    assets: dict[str, AssetSnapshot] = field(default_factory=lambda: dict(ASSETS))
    clock: Any = field(default_factory=lambda: SimpleNamespace(now_ms=lambda: T_MS))

    def asset_snapshot(self, asset: str) -> AssetSnapshot | None:
        return self.assets.get(asset)


def cooldowns(run: Any) -> Reply:
    seen = SystemSnapshot(actors=(), dead_letters=0, portfolio=run.portfolio)
    views = Views(run, Any, Any, "1", dict, lambda _: seen)
    return views.handlers()[CommandName.COOLDOWNS]("")


def test_cooldowns_have_reason_end_and_minutes_in_text_and_for_programs() -> None:
    reply = cooldowns(FakeRun(PORTFOLIO))

    assert reply.table is not None
    assert reply.table.columns == ("who", "left", "until", "reason")
    assert set(reply.table.rows) == {
        ("SOL", "? min", "", "no answer"),
        ("portfolio", "90 min", "2025-04-16 12:55 UTC", "DRAWDOWN"),
        ("ETH", "42 min", "2025-04-16 12:07 UTC", "SHORT_HOLD"),
    }
    assert reply.data == {
        "portfolio": 90,
        "BTC": 0,
        "ETH": 42,
        "SOL": None,
        "details": {
            "portfolio": {"reason": "DRAWDOWN", "end_ms": T_MS + 90 * MINUTE_MS, "minutes": 90},
            "ETH": {"reason": "SHORT_HOLD", "end_ms": T_MS + 42 * MINUTE_MS, "minutes": 42},
        },
    }


def test_a_cooldown_that_is_over_is_not_shown() -> None:
    reply = cooldowns(FakeRun(replace(PORTFOLIO, global_cooldown_end_ms=T_MS)))

    assert "portfolio" not in reply.data["details"]
    assert reply.data["portfolio"] == 0


def test_the_limits_name_why_the_portfolio_rests() -> None:
    present = Present(
        now_ms=T_MS, portfolio=PORTFOLIO, assets=ASSETS, trades=[], approved=None, health={}
    )

    rows = {name: now for name, now, _ in limits(present, RULES)}

    assert rows["portfolio cooldown"] == "DRAWDOWN until 2025-04-16 12:55 UTC, 90 min left"
    assert rows["ETH cooldown"] == "42 min SHORT_HOLD"
