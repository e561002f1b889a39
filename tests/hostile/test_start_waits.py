"""A start that has to wait for its exchange, as a process: who hears of it, and how it ends."""

import json
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from infra.operator.terminal.screen import Screen
from infra.process.systemd import ServiceManager
from infra.run.start_wait import StartWaitRoom
from infra.settings import load_settings
from infra.venues.bybit.starting import StartWait
from tests.command.conftest import bybit, start
from tests.command.mode_runs import ModeRun, environment, settings_at
from tests.command.test_modes import keys
from tests.hostile.front import Front, Odd, front_of
from tests.operator.health.served import asked
from tests.operator.notices.bot_api import TOKEN, BotApi, running_bot_api
from tests.programs import run_program
from tests.venues.simulator.clients import Client

__all__ = ["bybit", "start"]
Start = Callable[..., ModeRun]
DOWN = Odd(status=502, body=b"<html>Bad \x1b[31mGateway</html>")
ODD_ONCE = {
    "/v5/market/time": b"null",
    "/v5/user/query-api": b'{"retCode": 10010, "retMsg": "Unmatched IP"}',
    "/v5/account/info": b'{"retCode": 0, "retMsg": "OK", "result": {}}',
    "/v5/market/instruments-info": b'{"retCode": 10029, "retMsg": "symbol"}',
    "/v5/position/list": b'{"retCode": 0, "retMsg": "OK", "result": {"list": []}}',
    "/v5/account/wallet-balance": b'{"retCode": 33004, "retMsg": "expired \x1b[2J"}',
}


@pytest.fixture
def front(bybit: Client) -> Iterator[Front]:
    with front_of(bybit.sim.base_url) as made:
        yield made


@pytest.fixture
def bot() -> Iterator[BotApi]:
    with running_bot_api() as made:
        yield made


def settings_before(front: Front, client: Client, **more: object) -> dict[str, Any]:
    """Return settings by which requests go to the front, and streams to the exchange."""
    settings = settings_at(client, **more)
    settings["exchange"]["rest_url"] = front.url
    return settings


def ctl(run: ModeRun, *words: str) -> subprocess.CompletedProcess[str]:
    given = ("bin.ctl", "--run-dir", str(run.run_dir), *words)
    return run_program(*given, env=environment(run.run_dir))


def test_one_odd_answer_to_each_question_ends_no_start(
    start: Start, bybit: Client, front: Front
) -> None:
    front.once_each = {path: Odd(body=body) for path, body in ODD_ONCE.items()}

    run = start("testnet", settings_before(front, bybit), **keys(bybit))
    run.wait_for("the account's stream works")
    code = run.end()

    assert code == 0, run.shown()
    assert not front.once_each
    assert "\x1b[2J" not in run.shown()


def test_a_start_that_waits_says_so_everywhere_and_trades_once_it_is_answered(
    start: Start, bybit: Client, front: Front, bot: BotApi
) -> None:
    front.always = DOWN
    told = {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_ADMIN_CHAT_ID": "77",
        "TELEGRAM_SERVER": bot.url,
    }

    run = start("testnet", settings_before(front, bybit), **keys(bybit), **told)
    logged = run.wait_for("the start waits for the exchange: HTTP status 502; asked again in")
    bot.wait_for(lambda: any("The start waits for the exchange" in text for text in bot.texts()))
    place = run.run_dir / "control.json"
    run.wait(place.exists, "an address")
    url = "http://{host}:{port}".format(**json.loads(place.read_text()))
    status, ready = asked(f"{url}/readyz")
    asking, panic, confirmed = ctl(run, "status"), ctl(run, "panic"), ctl(run, "panic", "--yes")
    front.always = None
    run.wait_for("panic")
    run.wait_for("the account's stream works")
    code = run.end()

    assert code == 0, run.shown()
    assert logged in run.shown()
    assert status == 503
    assert "the start waits for the exchange: HTTP status 502" in json.loads(ready)["why_not"][0]
    assert (asking.returncode, panic.returncode, confirmed.returncode) == (1, 4, 5)
    assert "the start waits for the exchange" in asking.stdout
    assert not (run.run_dir / "PANIC").exists()


def test_a_budget_that_is_used_up_ends_it_with_the_code_that_is_tried_again(
    start: Start, bybit: Client, front: Front
) -> None:
    front.always = Odd(status=401, body=b"<html>no</html>")

    settings = settings_before(front, bybit, start={"patience_seconds": 5})
    run = start("testnet", settings, **keys(bybit))

    assert run.code() == 1
    assert "no usable answer in 5 s; the last: HTTP status 401" in run.shown()
    assert "Traceback" not in run.shown()


def test_a_start_in_a_ban_of_the_one_before_asks_nothing(
    start: Start, bybit: Client, front: Front
) -> None:
    front.always = Odd(status=403, body=b"access too frequent")
    settings = settings_before(front, bybit, start={"patience_seconds": 5})

    codes = [start("testnet", settings, **keys(bybit)).code() for _ in range(2)]

    assert codes == [1, 1]
    assert sum(front.asked.values()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_waits_stops_when_asked(
    start: Start, bybit: Client, front: Front, number: signal.Signals
) -> None:
    front.always = DOWN
    run = start("testnet", settings_before(front, bybit), **keys(bybit))
    run.wait_for("the start waits for the exchange")

    code = run.end(number)

    assert code == 0, run.shown()
    assert run.shown().rstrip().endswith("Stopped before it traded.")


def test_systemd_is_told_to_wait_for_longer(
    start: Start, bybit: Client, front: Front, tmp_path: Path
) -> None:
    front.always = DOWN
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        run = start("testnet", settings_before(front, bybit), **keys(bybit), **told)
        said = systemd.recv(1000).decode()
        run.end()

    assert said.startswith("EXTEND_TIMEOUT_USEC=6")
    assert "STATUS=the start waits for the exchange" in said


def test_starts_that_wait_one_after_the_other_are_one_notice_an_hour(tmp_path: Path) -> None:
    shipped = load_settings(None, environ={}, dotenv=None)
    quiet = shipped.control.model_copy(update={"enabled": False})
    settings = shipped.model_copy(update={"control": quiet})
    wait = StartWait(why="HTTP status 502", pause_s=1.0, left_s=900.0)

    for _ in range(3):
        room = StartWaitRoom(settings, tmp_path, "live", Screen(), ServiceManager({}))
        room.on_wait(wait)
        room.on_wait(wait)
        room.close()

    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database:
        rows = database.execute("SELECT is_held_back FROM notice ORDER BY id").fetchall()
    assert rows == [(0,), (1,), (1,)]


def test_what_cannot_be_told_does_not_end_the_start(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"no journal" * 100)
    (tmp_path / "control.json").mkdir()
    settings = load_settings(None, environ={}, dotenv=None)
    room = StartWaitRoom(settings, tmp_path, "live", Screen(), ServiceManager({}))

    room.on_wait(StartWait(why="silence", pause_s=1.0, left_s=900.0))
    room.on_answer()
    room.close()
