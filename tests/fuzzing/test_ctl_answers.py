"""bin/ctl before a server that may say anything: one clear line and an exit code, no traceback."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import bin.ctl
from bin.ctl import DONE, LATE, NOT_RUNNING, REFUSED, UNCONFIRMED, WRONG_USE, app
from infra.operator.control.token import (
    ADDRESS_FILE,
    TOKEN_FILE,
    ControlAddress,
    own_token,
    write_address,
)
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


def http(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def told(liar: Liar, answer: bytes) -> tuple[int, str]:
    liar.answer = answer
    found = CliRunner().invoke(app, ["--run-dir", str(liar.directory), "status"])
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
    monkeypatch.setattr(bin.ctl, "_PATIENCE_S", 0.2)
    liar.hangs.set()
    try:
        code, output = told(liar, begun)
    finally:
        liar.hangs.clear()

    assert code == LATE
    assert len(output.strip().splitlines()) == 1
    assert "no answer in" in output


def test_a_server_that_takes_no_connection_in_time_is_late_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bin.ctl, "_PATIENCE_S", 0.2)
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
    vast = GOOD | {"title": "x" * bin.ctl._MOST_BYTES}

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
