"""What is seen of a running system from outside: over real HTTP, in notices, under faults."""

import json
import threading
from collections.abc import Iterator
from decimal import Decimal

import pytest
from starlette.applications import Starlette

from bin.bootstrap.watching import sources_of
from infra.operator.health.view import health_figures
from infra.operator.health.watch import Health
from tests.operator.health.served import asked, serving
from tests.operator.health.test_metrics import documented, samples, shown
from tests.system.floor import Floor, floor

EVERY_S = 0.2


def health_of(here: Floor, turn_s: float = 60.0, **limits: Decimal) -> Health:
    """Return what looks after a run, several times a second."""
    changed = {"every_seconds": Decimal(EVERY_S), "for_seconds": Decimal(0), **limits}
    changed_health = here.settings.health.model_copy(update=changed)
    settings = here.settings.model_copy(update={"health": changed_health})
    return Health(sources_of(here.run), here.connection, settings, here.folder, turn_s=turn_s)


def pages_of(health: Health) -> Starlette:
    return Starlette(routes=health.pages().routes())


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with floor(tmp_path_factory.mktemp("run") / "var") as made:
        yield made


@pytest.fixture
def health(here: Floor) -> Iterator[Health]:
    made = health_of(here)
    here.run.supervisor.on_turn = made.turn
    made.start()
    yield made
    made.close()


def test_a_running_system_shows_itself_over_http(here: Floor, health: Health) -> None:
    here.wait_for_trades(2)
    before = len(here.trades())

    with serving(pages_of(health)) as url:
        here.wait(lambda: asked(f"{url}/readyz")[0] == 200, "the system is ready")
        here.wait(
            lambda: health.figures and sum(health.figures.books.trades.values()) >= before,
            "the trades are counted",
        )
        alive = asked(f"{url}/healthz")
        status, page = asked(f"{url}/metrics")

    seen = samples(page)
    assert alive == (200, "ok\n")
    assert status == 200
    assert set(shown(page)) <= set(documented())
    assert sum(v for k, v in seen.items() if k[0] == "trading_trades_total") >= before
    assert sum(v for k, v in seen.items() if k[0] == "trading_orders_total") >= 2 * before
    assert seen["trading_positions_without_stop",] == 0
    assert 1000 < seen["trading_equity_usdt",] < 100_000
    assert seen["trading_rest_request_duration_seconds_count",] > 10
    assert seen["trading_stream_connected", "private stream"] == 1
    # The exchange's clock runs 600 times as fast, in step with the machine's all the same.
    assert abs(seen["trading_clock_offset_seconds",]) < 1
    for asset in ("BTC", "ETH", "SOL"):
        assert seen["trading_actor_running", f"execution/{asset}"] == 1
        age_s = (
            seen["trading_sample_timestamp_seconds",]
            - seen["trading_feed_last_data_timestamp_seconds", asset]
        )
        assert 0 <= age_s < 30
        candle_age_s = (
            seen["trading_sample_timestamp_seconds",]
            - seen["trading_last_candle_timestamp_seconds", asset]
        )
        assert 0 <= candle_age_s < 30
    words = health_figures(health.figures)
    assert words["ready"] == "yes"
    assert "UTC" in words["last candle of BTC"]


def test_a_lost_exchange_makes_it_not_ready_until_it_is_back(here: Floor, health: Health) -> None:
    with serving(pages_of(health)) as url:
        here.wait(lambda: asked(f"{url}/readyz")[0] == 200, "the system is ready")

        here.fault(kind="http_status", status=503, path="/v5/private", for_s=600)
        here.fault(kind="cut", path="/v5/private")
        here.wait(
            lambda: "private stream is not connected" in asked(f"{url}/readyz")[1],
            "the loss is seen",
        )
        status, why = asked(f"{url}/readyz")
        alive = asked(f"{url}/healthz")[0]
        here.heal()
        here.wait(lambda: asked(f"{url}/readyz")[0] == 200, "the system is ready again")

    assert status == 503
    assert json.loads(why)["ready"] is False
    assert alive == 200
    assert any(s.name == "private stream" and s.connects > 1 for s in health.figures.streams)


def test_a_supervisor_that_hangs_makes_the_process_sick(here: Floor) -> None:
    health, may_go_on = health_of(here, turn_s=2.0), threading.Event()
    here.run.supervisor.on_turn = health.turn
    with serving(pages_of(health)) as url:
        here.wait(lambda: asked(f"{url}/healthz")[0] == 200, "the supervisor turns")

        here.run.supervisor.on_turn = lambda: may_go_on.wait(60)
        here.wait(lambda: asked(f"{url}/healthz")[0] == 503, "the process is sick")
        why = asked(f"{url}/healthz")[1]
        may_go_on.set()
        here.run.supervisor.on_turn = health.turn
        here.wait(lambda: asked(f"{url}/healthz")[0] == 200, "it is well again")

    assert "the supervisor's loop has not run for" in why


def notices(here: Floor) -> list[str]:
    journals = here.run.ports.journals
    with journals.connected():
        rows = journals.database.execute_sql("SELECT text FROM notice WHERE kind = 'system'")
        return [row[0] for row in rows]


def test_people_are_told_of_a_limit_once(here: Floor) -> None:
    health = health_of(here, max_memory_pct=Decimal("0.001"))
    health.start()
    try:
        here.wait(
            lambda: any("Memory of the machine above its limit" in n for n in notices(here)),
            "people are told",
        )
        first = health.figures
        here.wait(lambda: health.figures.at_s > first.at_s + 5 * EVERY_S, "more looks")
    finally:
        health.close()

    told = [notice for notice in notices(here) if "Memory of the machine" in notice]
    assert len(told) == 1
    assert "limit 0 %" in told[0]
