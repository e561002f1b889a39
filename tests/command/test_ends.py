"""How the process ends when actors do not do as they should: what a service manager sees."""

import json
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from tests.command.test_sim_run import SimRun
from tests.operator.health.served import asked

Begin = Callable[..., SimRun]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    runs: list[SimRun] = []

    def start(drill: str, supervision: str, **environ: str) -> SimRun:
        quick = (
            "simulation: {speed: 240}\nstrategy: {warmup_candles: 700}\n"
            f"supervision: {{{supervision}}}\n"
        )
        runs.append(SimRun(tmp_path, quick=quick, words=("--drill", drill), environ=environ))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait(60)
        run.out.close()


def test_without_its_portfolio_it_stops_in_order_and_ends_with_1(begin: Begin) -> None:
    run = begin("poison=portfolio@0s", "max_restarts: 1, shutdown_seconds: 10")

    code = run.process.wait(100)

    assert code == 1, run.shown()
    assert any("portfolio was given up: DrillError: poison drill" in line for line in run.lines())
    told = notices(run.run_dir)
    assert any("portfolio" in text and "given up" in text for text in told), told
    assert any("an actor that everything depends on was given up" in text for text in told), told


ALL_HANG = "hang=0.99:600"
NOTHING = "crash=0"


@pytest.mark.parametrize("drill", [ALL_HANG, NOTHING])
def test_an_orderly_stop_ends_in_its_time_whatever_hangs(begin: Begin, drill: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf_telegram:
        telegram = f"http://127.0.0.1:{deaf_telegram.getsockname()[1]}"
        run = begin(
            drill,
            "hang_seconds: 600, start_seconds: 600, shutdown_seconds: 10",
            TELEGRAM_BOT_TOKEN="123456:nobody-reads-this",
            TELEGRAM_ADMIN_CHAT_ID="77",
            TELEGRAM_SERVER=telegram,
        )
        run.wait_for(lambda line: "commands are accepted at" in line)
        run.wait_for(lambda _: is_supervised(run))
        with half_a_request(run), locked(run.run_dir / "journal.sqlite"):
            (exchange,) = psutil.Process(run.process.pid).children()
            exchange.suspend()
            run.process.send_signal(signal.SIGTERM)
            code = run.process.wait(100)
            exchange.kill()

    assert code == 0, run.shown()
    assert (run.run_dir / "frozen.txt").read_text()  # it had to be forced
    if drill == NOTHING:
        return
    (late,) = [line for line in run.lines() if "did not stop in time and were abandoned" in line]
    kinds = ("notifier", "portfolio", "account", "execution/", "asset/")
    assert all(kind in late for kind in kinds)


def test_a_stop_before_it_trades_ends_in_its_time_though_the_exchange_hangs(begin: Begin) -> None:
    run = begin(NOTHING, "shutdown_seconds: 1")
    run.wait_for(lambda line: "the simulated exchange is at" in line)
    (exchange,) = psutil.Process(run.process.pid).children()
    exchange.suspend()
    run.process.send_signal(signal.SIGTERM)

    code = run.process.wait(100)
    exchange.kill()

    assert code == 0, run.shown()
    assert (run.run_dir / "frozen.txt").read_text()


def test_a_journal_that_another_program_holds_is_one_line_and_a_code_that_is_tried_again(
    begin: Begin,
) -> None:
    run = begin(NOTHING, "shutdown_seconds: 10")
    run.wait_for(lambda line: "commands are accepted at" in line)
    run.end(signal.SIGTERM)

    with locked(run.run_dir / "journal.sqlite"):
        held = begin(NOTHING, "shutdown_seconds: 10")
        code = held.process.wait(100)

    assert code == 1
    assert "another program" in held.shown()
    assert "Traceback" not in held.shown()


def is_supervised(run: SimRun) -> bool:
    """Tell whether the actors were begun: before that there is nothing that could hang."""
    address = json.loads((run.run_dir / "control.json").read_text())
    return asked(f"http://{address['host']}:{address['port']}/healthz")[0] == 200


@contextmanager
def half_a_request(run: SimRun) -> Iterator[None]:
    """Keep a connection to the control interface, whose request never comes to its end."""
    address = json.loads((run.run_dir / "control.json").read_text())
    token = (run.run_dir / "control.token").read_text().strip()
    with socket.create_connection((address["host"], address["port"])) as connection:
        connection.sendall(
            b"POST /panic HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n"
            + f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        yield


@contextmanager
def locked(journal: Path) -> Iterator[None]:
    """Hold the journal's write lock, as a backup might."""
    with closing(sqlite3.connect(journal, timeout=60, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")


def notices(run_dir: Path) -> list[str]:
    database = sqlite3.connect(run_dir / "journal.sqlite")
    try:
        return [text for (text,) in database.execute("SELECT text FROM notice")]
    finally:
        database.close()
