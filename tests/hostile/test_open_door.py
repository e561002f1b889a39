"""The control interface under attack: idle connections, half requests, floods, no descriptors."""

import http.client
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from loguru import logger

from domain.errors import JournalError
from domain.operator.commands import Command
from domain.operator.replies import Reply
from infra.operator.control import serving
from infra.operator.control.token import own_token, read_address
from tests.command.test_ctl import DONE, LATE, ctl, is_in_panic, told, wait, wait_for_commands
from tests.command.test_sim_run import PATIENCE_S, ROOT, SimRun, booked_ids
from tests.hostile.attacker import HALF, ODD
from tests.operator.control.house import PER_SECOND, Desk, House, served

DESCRIPTORS = 1024
FEW = 300
"""Descriptors: twice what strangers and bearers of the token may hold of so many."""

VERSION = b"GET /version HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[SimRun]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    try:
        started = SimRun(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    yield started
    if started.process.poll() is None:
        started.process.kill()
        started.process.wait(60)
    started.out.close()


@pytest.fixture
def logged() -> Iterator[list[str]]:
    lines: list[str] = []
    number = logger.add(lambda line: lines.append(str(line)), format="{message}")
    yield lines
    logger.remove(number)


@contextmanager
def attacked(port: int, *, idle: int, half: int, flooding: int) -> Iterator[None]:
    words = [str(number) for number in (port, idle, half, flooding)]
    attacker = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.attacker", *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert attacker.stdin is not None
    assert attacker.stdout is not None
    try:
        assert attacker.stdout.readline() == b"all are open\n"
        yield
        assert attacker.poll() is None
    finally:
        attacker.stdin.close()
        attacker.stdout.close()
        attacker.wait(PATIENCE_S)


def lines_of_the_door(run: SimRun) -> list[str]:
    return [line for line in run.lines() if line.startswith("the control interface: ")]


def descriptors(run: SimRun) -> int:
    return sum(1 for _ in Path(f"/proc/{run.process.pid}/fd").iterdir())


def check_that_all_works(run: SimRun, *, minutes: int) -> None:
    """Look at it under attack: questions, trades and a panic; and what was written meanwhile."""
    booked = len(booked_ids(run.run_dir))
    told(run.run_dir, "status")
    wait(lambda: len(booked_ids(run.run_dir)) > booked, run)
    assert descriptors(run) < FEW
    assert told(run.run_dir, "health")
    # On a busy machine an answer may come too late, but not each time.
    assert DONE in (ctl(run.run_dir, "panic", "--yes").returncode for _ in range(3))
    wait(lambda: is_in_panic(run), run)
    assert descriptors(run) < FEW
    assert 0 < len(lines_of_the_door(run)) <= 2 + minutes


def check_its_end(run: SimRun) -> None:
    assert run.end(signal.SIGINT) == 0, run.shown()
    assert "Traceback" not in run.shown()
    assert len(run.shown()) < 50_000


def test_a_thousand_idle_connections_and_a_flood_stop_neither_trades_nor_a_panic(
    run: SimRun,
) -> None:
    wait_for_commands(run)
    address = read_address(run.run_dir)
    assert address is not None

    with attacked(address.port, idle=1100, half=25, flooding=6):
        check_that_all_works(run, minutes=2)

    check_its_end(run)


@pytest.mark.complete
@pytest.mark.timeout(1800)
def test_a_long_attack_leaves_everything_as_it_was(run: SimRun) -> None:
    wait_for_commands(run)
    address = read_address(run.run_dir)
    assert address is not None

    with attacked(address.port, idle=1500, half=300, flooding=12):
        for _ in range(30):
            # Each is answered by the system, if only that its actors are slow.
            assert ctl(run.run_dir, "status").returncode in {DONE, LATE}
            assert descriptors(run) < FEW
        check_that_all_works(run, minutes=10)

    check_its_end(run)


def test_what_says_no_whole_request_is_closed_and_keeps_nobody_out(house: House) -> None:
    address = read_address(house.directory)
    assert address is not None
    bearer = f"Authorization: Bearer {own_token(house.directory)}\r\n".encode()
    body = b"Content-Length: 9\r\n\r\n{"
    kinds = [b"", HALF, HALF + body, HALF + bearer + body]
    with ExitStack() as held:
        lines = []
        for number in range(28):
            line = socket.create_connection((address.host, address.port), PATIENCE_S)
            lines.append(held.enter_context(line))
            line.sendall(kinds[number % len(kinds)])
        assert house.post("status") == (405, {"detail": "Method Not Allowed"})
        assert house.post("panic", confirm=True)[0] == 200
        # Each is closed by the server; to wait for one that is not would end in a time-out.
        for line in lines:
            while line.recv(65536):
                pass

    assert [command.name for _, command, _ in house.commands.asked] == ["panic"]


def test_a_flood_without_the_token_takes_no_turn_from_who_bears_it(
    tmp_path: Path,
) -> None:
    house = served(tmp_path, per_second=1)
    try:
        found = {house.call("GET", "/status", token="wrong")[0] for _ in range(30)}
        assert found == {401, 429}
        assert house.call("GET", "/status")[0] == 200
        # Another who bears it has turns of their own, and a panic needs none.
        assert 429 in {house.call("GET", "/status")[0] for _ in range(30)}
        assert house.call("GET", "/status", **{"X-Operator": "another"})[0] == 200
        assert {house.post("panic")[0] for _ in range(30)} == {200}
    finally:
        house.server.close()


class BusyDesk(Desk):
    """Takes as long for an answer as a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.began = threading.Event()
        self.goes_on = threading.Event()

    def answer(self, who: str, command: Command, is_confirmed: bool) -> Reply:
        self.began.set()
        assert self.goes_on.wait(PATIENCE_S)
        return super().answer(who, command, is_confirmed)


def test_strangers_and_the_time_for_requests_cut_off_no_answer_to_who_bears_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "REQUEST_S", 0.5)
    desk = BusyDesk()
    house = served(tmp_path, PER_SECOND, desk)
    address = read_address(tmp_path)
    assert address is not None
    try:
        with ThreadPoolExecutor() as pool, ExitStack() as held:
            asked = pool.submit(house.call, "GET", "/status")
            assert desk.began.wait(PATIENCE_S)
            lines = [
                held.enter_context(socket.create_connection((address.host, address.port), 30))
                for _ in range(200)
            ]
            for line in lines:
                assert line.recv(1) == b""  # closed, the last one for its time
            desk.goes_on.set()
            assert asked.result(PATIENCE_S)[0] == 200
    finally:
        desk.goes_on.set()
        house.server.close()


class SlowDesk(Desk):
    """Cannot note anything for as long as a test wants, and then fails."""

    def __init__(self) -> None:
        super().__init__()
        self.began = threading.Event()
        self.goes_on = threading.Event()

    def note(self, who: str, what: str, result: str) -> None:
        self.began.set()
        assert self.goes_on.wait(PATIENCE_S)
        super().note(who, what, result)
        raise JournalError("it is full")


def test_a_journal_that_hangs_and_fails_holds_up_nobody_who_bears_the_token(
    tmp_path: Path, logged: list[str]
) -> None:
    desk = SlowDesk()
    house = served(tmp_path, PER_SECOND, desk)
    try:
        address = read_address(tmp_path)
        assert address is not None
        with ExitStack() as held:
            lines = [
                held.enter_context(socket.create_connection((address.host, address.port), 30))
                for _ in range(30)
            ]
            for line in lines:
                line.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert desk.began.wait(PATIENCE_S)
            assert house.post("panic", confirm=True)[0] == 200
            desk.goes_on.set()
            assert {line.recv(12) for line in lines} == {b"HTTP/1.1 401"}
    finally:
        desk.goes_on.set()
        house.server.close()

    # One in the thread, those that wait for it, and none of the others.
    assert len(desk.noted) <= 1 + 16
    assert sum("refused, but not recorded in the audit trail" in line for line in logged) == 1


def test_callers_wait_while_descriptors_are_out_and_one_line_says_so(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.served", str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write("exhaust\n")
        seen = [process.stdout.readline() for _ in range(2)]
        assert seen[-1] == "done: exhaust\n"
        address = read_address(tmp_path)
        assert address is not None
        with ExitStack() as held:
            lines = []
            for _ in range(20):
                line = http.client.HTTPConnection(address.host, address.port, timeout=PATIENCE_S)
                held.callback(line.close)
                line.request("GET", "/healthz")
                lines.append(line)
            assert process.stdout.readline() == (
                "the control interface: not taken: Too many open files: 1\n"
            )
            process.stdin.write("free\n")
            assert {line.getresponse().status for line in lines} == {404}
        # What uvicorn would write to stderr is counted for the next line, a minute later.
        for said in (ODD, VERSION % own_token(tmp_path).encode()):
            with socket.create_connection((address.host, address.port), PATIENCE_S) as odd:
                odd.sendall(said)
                assert odd.recv(10) == b"HTTP/1.1 %c" % (b"4" if said is ODD else b"5")
        rest, errors = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0
    assert rest == "done: free\n"
    assert errors == ""
