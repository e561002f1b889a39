"""bin/ctl before a server that may say anything: one clear line and an exit code, no traceback."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from bin.ctl import DONE, LATE, NOT_RUNNING, REFUSED, UNCONFIRMED, WRONG_USE, app
from infra.control.token import ControlAddress, own_token, write_address
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


@examples(60)
@given(data=st.data())
def test_whatever_is_said_ends_in_an_exit_code(liar: Liar, data: st.DataObject) -> None:
    body = data.draw(st.one_of(mutated(GOOD).map(as_json), damaged(as_json(GOOD))))
    whole = http(body, data.draw(st.sampled_from([200, 202, 404, 409, 500])))
    answer = data.draw(st.one_of(st.just(whole), damaged(whole)))

    codes = {DONE, REFUSED, WRONG_USE, NOT_RUNNING, UNCONFIRMED, LATE}
    assert told(liar, answer)[0] in codes
