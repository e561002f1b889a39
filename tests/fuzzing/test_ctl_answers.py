"""bin/ctl before a server that may say anything: one clear line and an exit code, no traceback."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from bin.ctl import DONE, LATE, NOT_RUNNING, REFUSED, UNCONFIRMED, WRONG_USE, app
from infra.operator.control import client
from infra.operator.control.token import (
    ADDRESS_FILE,
    TOKEN_FILE,
    ControlAddress,
    own_token,
    write_address,
)
from infra.operator.panic_file import FILE
from infra.process.locks import RUN_LOCK
from tests.fuzzing.campaign import examples
from tests.fuzzing.mutations import as_json, damaged, mutated

GOOD = {
    "code": "done",
    "title": "Trades",
    "lines": ["one"],
    "table": {"columns": ["a", "b"], "rows": [["1", "2"]]},
    "data": {"n": 1},
}


class Liar:
    """Answers each connection with the bytes that it was given."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.answer = b""
        self.hangs = threading.Event()
        """Set: nothing more is said, and the line is kept open."""
        self._socket = socket.create_server(("127.0.0.1", 0))
        own_token(directory)
        port = self._socket.getsockname()[1]
        write_address(directory, ControlAddress(host="127.0.0.1", port=port, pid=1))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._socket.accept()
                with line, suppress(OSError):
                    line.recv(65536)
                    line.sendall(self.answer)
                    if self.hangs.is_set():
                        while line.recv(65536):
                            pass  # until the other side lets go


@pytest.fixture(scope="module")
def liar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Liar]:
    made = Liar(tmp_path_factory.mktemp("run"))
    yield made
    made.close()


@pytest.fixture
def panic_file(liar: Liar) -> Iterator[Path]:
    file = liar.directory / FILE
    yield file
    file.unlink(missing_ok=True)
    (liar.directory / RUN_LOCK).unlink(missing_ok=True)


def http(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def told(liar: Liar, answer: bytes, *words: str) -> tuple[int, str]:
    liar.answer = answer
    found = CliRunner().invoke(app, ["--run-dir", str(liar.directory), *(words or ("status",))])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, found.output


def test_a_good_answer_is_shown(liar: Liar) -> None:
    assert told(liar, http(as_json(GOOD)))[0] == DONE


@pytest.mark.parametrize(
    "answer",
    [
        http(b"<html>hello</html>"),
        http(b"Internal Server Error", 500),
        http(b"[]"),
        http(b'{"code": 7, "title": []}'),
        http(b'{"code": "done", "title": "x", "table": 3}'),
        http(b"[" * 100_000),
        http(as_json(GOOD))[:-20],
        b"SSH-2.0-OpenSSH\r\n",
    ],
)
def test_what_is_no_answer_is_one_clear_line(liar: Liar, answer: bytes) -> None:
    code, output = told(liar, answer)

    assert code == REFUSED
    assert len(output.strip().splitlines()) == 1
    assert "127.0.0.1" in output
    assert f"the file {liar.directory / FILE} requests a panic" in output


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"HTTP/1.1 200 X\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 504 X\r\nContent-Length: 500\r\n\r\n{",
    ],
)
def test_a_server_that_hangs_is_one_line_and_the_code_of_lateness(
    liar: Liar, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(client, "PATIENCE_S", 0.2)
    liar.hangs.set()
    try:
        code, output = told(liar, begun)
    finally:
        liar.hangs.clear()

    assert code == LATE
    assert len(output.strip().splitlines()) == 1
    assert "no answer in" in output


@pytest.mark.parametrize(
    "begun",
    [b"", b"HTTP/1.1 200 X\r\nContent-Length: 500\r\n\r\n{", b"SSH-2.0\r\n", http(b"[]", 503)],
)
@pytest.mark.parametrize("is_run", [True, False])
def test_a_confirmed_panic_without_an_answer_is_asked_for_by_the_file(
    liar: Liar, panic_file: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes, is_run: bool
) -> None:
    monkeypatch.setattr(client, "PANIC_PATIENCE_S", 0.2)
    lock = liar.directory / RUN_LOCK
    lock.touch() if is_run else lock.unlink(missing_ok=True)
    liar.hangs.set()
    try:
        code, output = told(liar, begun, "panic", "--yes")
    finally:
        liar.hangs.clear()

    assert code == (LATE if is_run else NOT_RUNNING)
    assert panic_file.exists() == is_run
    assert len(output.strip().splitlines()) == 1
    assert str(panic_file) in output
    if is_run:
        assert re.fullmatch("ctl-.+, by the file", panic_file.read_text())


@pytest.mark.parametrize("words", [["panic"], ["rearm", "--yes"], ["status"]])
def test_what_else_gets_no_answer_makes_no_file_and_names_it(
    liar: Liar, panic_file: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr(client, "PANIC_PATIENCE_S", 0.2)
    monkeypatch.setattr(client, "PATIENCE_S", 0.2)
    (liar.directory / RUN_LOCK).touch()
    liar.hangs.set()
    try:
        code, output = told(liar, b"", *words)
    finally:
        liar.hangs.clear()

    assert code == LATE
    assert not panic_file.exists()
    assert f"the file {panic_file} requests a panic" in output


def test_a_panic_that_is_refused_makes_no_file(liar: Liar, panic_file: Path) -> None:
    (liar.directory / RUN_LOCK).touch()
    refused = as_json({"code": "refused", "title": "a bearer token is needed"})

    assert told(liar, http(refused, 401), "panic", "--yes")[0] == REFUSED
    assert not panic_file.exists()


@pytest.mark.parametrize("has_token", [True, False])
def test_a_confirmed_panic_where_nobody_listens_is_asked_for_by_the_file(
    tmp_path: Path, has_token: bool
) -> None:
    (tmp_path / RUN_LOCK).touch()
    if has_token:
        own_token(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    write_address(tmp_path, ControlAddress(host="127.0.0.1", port=port, pid=1))

    found = CliRunner().invoke(app, ["--run-dir", str(tmp_path), "panic", "--yes"])

    assert found.exit_code == LATE, found.output
    assert (tmp_path / FILE).exists()


def test_a_panic_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / RUN_LOCK).touch()
    (tmp_path / FILE).mkdir()

    found = CliRunner().invoke(app, ["--run-dir", str(tmp_path), "panic", "--yes"])

    assert found.exit_code == REFUSED, found.output
    assert "cannot be made: Is a directory" in found.output


def test_a_server_that_drips_is_late_after_the_whole_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE_S", 0.5)
    own_token(tmp_path)
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as dripping:
        port = dripping.getsockname()[1]
        write_address(tmp_path, ControlAddress(host="127.0.0.1", port=port, pid=1))

        def drip() -> None:
            line, _ = dripping.accept()
            with line, suppress(OSError):
                line.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 500\r\n\r\n")
                while not is_over.wait(0.1):
                    line.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        found = CliRunner().invoke(app, ["--run-dir", str(tmp_path), "status"])
        is_over.set()
        thread.join(30)

    assert found.exit_code == LATE, found.output


def test_a_server_that_takes_no_connection_in_time_is_late_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE_S", 0.2)
    own_token(tmp_path)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as held:
        port = full.getsockname()[1]
        write_address(tmp_path, ControlAddress(host="127.0.0.1", port=port, pid=1))
        for _ in range(4):  # more than wait to be taken
            line = held.enter_context(socket.socket())
            line.setblocking(False)
            line.connect_ex(("127.0.0.1", port))
        found = CliRunner().invoke(app, ["--run-dir", str(tmp_path), "status"])

    assert found.exit_code == LATE, found.output


def test_a_body_over_the_limit_is_not_shown(liar: Liar) -> None:
    vast = GOOD | {"title": "x" * client.MOST_BYTES}

    code, output = told(liar, http(as_json(vast)))

    assert code == REFUSED
    assert len(output.strip().splitlines()) == 1
    assert len(output) < 500


@pytest.mark.parametrize("token", [b"", b"\xff\x00" * 40, b"short", b"a b" * 30, None])
def test_a_token_file_that_is_none_is_one_line_that_names_it(
    liar: Liar, tmp_path: Path, token: bytes | None
) -> None:
    (tmp_path / ADDRESS_FILE).write_bytes((liar.directory / ADDRESS_FILE).read_bytes())
    file = tmp_path / TOKEN_FILE
    # What stands where a file is expected cannot be read, not even by root.
    file.mkdir() if token is None else file.write_bytes(token)

    found = CliRunner().invoke(app, ["--run-dir", str(tmp_path), "status"])

    assert found.exit_code == WRONG_USE, found.exception
    assert len(found.output.strip().splitlines()) == 1
    assert str(file) in found.output


@examples(60)
@given(data=st.data())
def test_whatever_is_said_ends_in_an_exit_code(liar: Liar, data: st.DataObject) -> None:
    body = data.draw(st.one_of(mutated(GOOD).map(as_json), damaged(as_json(GOOD))))
    whole = http(body, data.draw(st.sampled_from([200, 202, 404, 409, 500])))
    answer = data.draw(st.one_of(st.just(whole), damaged(whole)))

    codes = {DONE, REFUSED, WRONG_USE, NOT_RUNNING, UNCONFIRMED, LATE}
    assert told(liar, answer)[0] in codes
