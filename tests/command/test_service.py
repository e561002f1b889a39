"""The command as a service: what systemd hears of it, and how it ends."""

import json
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.command.mode_runs import ModeRun, settings_at
from tests.operator.health.served import asked
from tests.operator.health.test_metrics import documented, samples, shown
from tests.venues.simulator.clients import Client

Start = Callable[..., ModeRun]
PATIENCE_S = 100
TOO_MANY = 429


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.settimeout(PATIENCE_S)
        yield made


def _found(answer: tuple[int, str]) -> tuple[int, str] | None:
    """Return an answer, unless it says that there were too many questions."""
    return None if answer[0] == TOO_MANY else answer


def heard(systemd: socket.socket, first_word: str) -> str:
    """Return the next message that begins so; signs of life before it are passed over."""
    while True:
        said = systemd.recv(1000).decode()
        if said.startswith(first_word):
            return said
        assert said == "WATCHDOG=1"


def test_systemd_hears_of_start_work_and_stop(
    start: Start, bybit: Client, systemd: socket.socket
) -> None:
    told = {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "2000000"}

    run = start("paper", settings_at(bybit), **told)
    ready = heard(systemd, "READY=1")
    alive = [heard(systemd, "WATCHDOG=1") for _ in range(3)]
    run.process.send_signal(signal.SIGTERM)
    stopping = heard(systemd, "STOPPING=1")

    assert run.code() == 0, run.shown()
    assert ready == "READY=1\nSTATUS=trades in mode paper"
    assert len(alive) == 3
    assert "STATUS=shuts down" in stopping


def test_its_pages_need_no_token_and_are_what_is_documented(start: Start, bybit: Client) -> None:
    run = start("paper", settings_at(bybit))
    place = run.run_dir / "control.json"
    run.wait(place.exists, "an address")
    told = json.loads(place.read_text())
    url = f"http://{told['host']}:{told['port']}"

    run.wait(lambda: asked(f"{url}/readyz")[0] == 200, "it is ready")
    stranger = asked(f"{url}/status")
    run.wait(lambda: asked(f"{url}/healthz") == (200, "ok\n"), "it is alive")
    status, page = run.wait(lambda: _found(asked(f"{url}/metrics")), "a page")
    code = run.end(signal.SIGTERM)

    assert code == 0
    assert status == 200
    assert set(shown(page)) <= set(documented())
    assert samples(page)["trading_info", "paper"] == 1
    assert stranger[0] == 401


def test_an_exchange_that_is_not_there_ends_it_with_the_code_that_is_tried_again(
    start: Start,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    here = f"127.0.0.1:{port}"
    exchange = {
        "rest_url": f"http://{here}",
        "public_stream_url": f"ws://{here}/v5/public/linear",
        "private_stream_url": f"ws://{here}/v5/private",
    }

    run = start("paper", {"exchange": exchange, "start": {"patience_seconds": 5}})

    assert run.code() == 1
    assert "the exchange cannot be used" in run.shown()
    assert "Traceback" not in run.shown()
