"""The pages behind the gate of the control interface."""

import json

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from infra.operator.control.gate import Gate
from infra.operator.control.tally import Tally
from infra.operator.health.metrics import MetricsPage
from infra.operator.health.pages import Pages
from tests.operator.health.made import figures
from tests.operator.health.served import asked, serving

TOKEN = "the-token-of-the-tests"


def app(
    sick: str | None = None,
    why_not: tuple[str, ...] = (),
    degraded: tuple[str, ...] = (),
    per_second: int = 20,
) -> Gate:
    pages = Pages(
        why_sick=lambda: sick,
        why_not_ready=lambda: why_not,
        why_degraded=lambda: degraded,
        metrics=MetricsPage(figures),
    )
    command = Route("/status", lambda _: PlainTextResponse("done"))
    behind = Starlette(routes=[*pages.routes(), command])
    return Gate(
        behind,
        token=TOKEN,
        per_second=per_second,
        note_access=lambda *_: None,
        tally=Tally(),
        tell=lambda _: None,
    )


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_page_needs_no_token_and_can_only_be_read(path: str) -> None:
    with serving(app()) as url:
        assert asked(f"{url}{path}")[0] == 200
        assert asked(f"{url}{path}", "POST")[0] == 405


def test_a_sick_process_and_a_system_that_is_not_ready_say_why() -> None:
    with serving(app("it hangs", ("no candles", "no exchange"))) as url:
        health, (status, body) = asked(f"{url}/healthz"), asked(f"{url}/readyz")

    assert health == (503, "it hangs\n")
    assert status == 503
    assert json.loads(body) == {
        "ready": False,
        "why_not": ["no candles", "no exchange"],
        "degraded": [],
    }


def test_a_system_that_cannot_tell_people_is_ready_and_says_so() -> None:
    with serving(app(degraded=("telegram does not work",))) as url:
        status, body = asked(f"{url}/readyz")

    assert status == 200
    assert json.loads(body) == {
        "ready": True,
        "why_not": [],
        "degraded": ["telegram does not work"],
    }


def test_a_flood_on_the_pages_takes_no_turn_away_from_a_command() -> None:
    with serving(app(per_second=1)) as url:
        flood = set()
        while 429 not in flood:
            flood.add(asked(f"{url}/healthz")[0])
        commanded = asked(f"{url}/status", Authorization=f"Bearer {TOKEN}")

    assert flood == {200, 429}
    assert commanded == (200, "done")
