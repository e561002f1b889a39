"""The control interface over real HTTP: who may ask what, and what a hostile request changes."""

import json
import re
import stat
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import ConfigError
from domain.operator.commands import MANUALS, Command, CommandName
from domain.operator.replies import ReplyCode
from infra.operator.control.buckets import Bucket
from infra.operator.control.gate import MOST_BYTES
from infra.operator.control.server import ControlServer
from infra.operator.control.token import (
    ADDRESS_FILE,
    PAGE_TOKEN_FILE,
    TOKEN_FILE,
    own_token,
    read_address,
)
from infra.settings import load_settings
from tests.operator.control.house import House, served


def test_every_command_is_an_endpoint_with_its_page(house: House) -> None:
    status, schema = house.call("GET", "/openapi.json")

    assert status == 200
    methods = {path: set(found) for path, found in schema["paths"].items()}
    assert methods == {
        f"/{name}": {"post" if manual.changes else "get"} for name, manual in MANUALS.items()
    }


def test_a_question_and_a_change_reach_the_desk_with_who_asks(house: House) -> None:
    asked = house.call("GET", "/trades?argument=3", **{"X-Operator": "ctl-me"})
    told = house.post("close", argument="all", confirm=True)

    assert asked == (
        200,
        {"code": "done", "title": "did trades 3", "lines": [], "table": None, "data": {"n": 1}},
    )
    assert told[0] == 200
    assert house.commands.asked == [
        ("http/ctl-me", Command(name=CommandName.TRADES, argument="3"), False),
        ("http/api", Command(name=CommandName.CLOSE, argument="all"), True),
    ]


def test_a_reduce_has_two_words_and_liquidate_all_is_a_panic(house: House) -> None:
    assert house.post("reduce", argument="BTC 0.25", confirm=True)[0] == 200
    assert house.post("liquidate", argument="all", confirm=True)[0] == 200
    assert house.post("reduce", argument="BTC 1.5")[0] == 422
    assert house.post("reduce", argument="BTC 0.5 0.5")[0] == 422

    assert house.commands.asked == [
        ("http/api", Command(name=CommandName.REDUCE, argument="BTC 0.25"), True),
        ("http/api", Command(name=CommandName.PANIC), True),
    ]


@pytest.mark.parametrize(
    ("code", "status"),
    [("refused", 409), ("confirm", 202), ("late", 504), ("wrong", 422)],
)
def test_how_a_command_ended_is_the_status(house: House, code: str, status: int) -> None:
    house.commands.code = ReplyCode(code)

    assert house.post("rearm")[0] == status


@pytest.mark.parametrize("token", ["", "wrong", "x" * 10_000, "é"])
def test_without_the_token_nothing_is_done_and_that_is_noted(house: House, token: str) -> None:
    status, answer = house.call("POST", "/panic", b"{}", token=token.encode().decode("latin-1"))

    assert (status, answer["code"]) == (401, "refused")
    assert house.commands.asked == []


@pytest.mark.parametrize("name", ["docs", "openapi.json", "status", "no-such-page"])
def test_no_page_is_shown_without_the_token(house: House, name: str) -> None:
    assert house.call("GET", f"/{name}", token="wrong")[0] == 401


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null x",
        b'{"argument": 3}',
        b'{"confirm": "yes"}',
        b'{"more": 1}',
        b"\xff\xfe",
    ],
)
def test_a_malformed_body_does_nothing(house: House, body: bytes) -> None:
    assert house.call("POST", "/panic", body)[0] == 422
    assert house.commands.asked == []


@pytest.mark.parametrize(
    ("name", "argument"), [("pause", ""), ("panic", "now"), ("pause", "a b"), ("log", "x" * 81)]
)
def test_an_argument_that_does_not_fit_does_nothing(house: House, name: str, argument: str) -> None:
    assert house.post(name, argument=argument)[0] == 422
    assert house.commands.asked == []


def test_a_misspelt_parameter_does_nothing(house: House) -> None:
    status, told = house.call("GET", "/trades?argumnet=5")

    assert status == 422
    assert "query argumnet: no such parameter" in told["title"]
    assert house.commands.asked == []


def test_a_huge_body_is_not_read(house: House) -> None:
    assert house.call("POST", "/panic", b" " * (MOST_BYTES + 1))[0] == 413

    chunks = iter([b" " * 1000] * 6)
    assert house.call("POST", "/panic", chunks)[0] == 413
    assert house.commands.asked == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "why"),
    [
        ("GET", "/no-such-page", None, 404, "Not Found"),
        ("GET", "/panic", None, 405, "Method Not Allowed"),
        ("POST", "/panic", b"{", 422, HTTPStatus(422).phrase),
        ("POST", "/pause", b'{"argument": ""}', 422, HTTPStatus(422).phrase),
        ("POST", "/panic", b" " * (MOST_BYTES + 1), 413, "the body is too large"),
    ],
)
def test_what_comes_to_no_desk_is_noted_and_counted(
    house: House, method: str, path: str, body: bytes | None, status: int, why: str
) -> None:
    before = house.server._tally.counts().get(status, 0)

    assert house.call(method, path, body)[0] == status

    assert house.commands.asked == []
    assert house.commands.noted == [("http/127.0.0.1", f"{method} {path}", f"{status} {why}")]
    assert house.server._tally.counts()[status] == before + 1


def test_what_the_desk_refuses_is_counted_and_left_to_it_to_store(house: House) -> None:
    before = house.server._tally.counts().get(422, 0)
    house.commands.code = ReplyCode.WRONG

    assert house.post("log", argument="loud")[0] == 422

    assert house.commands.noted == []
    assert house.server._tally.counts()[422] == before + 1


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("127.0.0.1:8710", True),
        ("[::1]:8710", True),
        ("trading.example:8710", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example:8710", False),
        ("evil.example:localhost", False),
        ("127.0.0.2", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("path", ["/healthz", "/status"])
def test_it_answers_by_its_own_names_alone(
    house: House, path: str, host: str, is_allowed: bool
) -> None:
    # The pages of health are not served here, so that 404 is their answer.
    expected = {"/healthz": 404, "/status": 200}[path] if is_allowed else 400

    assert house.call("GET", path, Host=host)[0] == expected
    assert bool(house.commands.asked) == (expected == 200)


def test_a_flood_is_refused_and_each_request_of_it_is_noted(tmp_path: Path) -> None:
    house = served(tmp_path, per_second=1)
    try:
        found = [house.call("GET", "/status")[0] for _ in range(40)]
    finally:
        house.server.close()

    assert found.count(200) == len(house.commands.asked) < 40
    assert 429 in found
    assert len(house.commands.noted) == found.count(429)
    assert house.commands.noted[0][1:] == ("GET /status", "429 too many requests")


def test_so_many_a_second_pass_a_bucket() -> None:
    now_s = [0.0]
    bucket = Bucket(3, lambda: now_s[0])

    assert [bucket.take() for _ in range(5)] == [True] * 3 + [False] * 2
    now_s[0] = 0.34
    assert [bucket.take() for _ in range(2)] == [True, False]
    now_s[0] = 100.0
    assert sum(bucket.take() for _ in range(10)) == 3


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
orders = st.fixed_dictionaries(
    {}, optional={"argument": st.text(max_size=90) | anything, "confirm": anything}
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.sampled_from(CommandName), body=orders | anything, query=st.text(max_size=30))
def test_property_whatever_is_sent_is_answered_as_the_page_says(
    house: House, name: CommandName, body: Any, query: str
) -> None:
    house.commands.asked.clear()
    escaped = "".join(f"%{byte:02x}" for byte in query.encode("utf-8", "surrogatepass"))
    method = "POST" if MANUALS[name].changes else "GET"

    status, answer = house.call(method, f"/{name}?argument={escaped}", json.dumps(body).encode())

    assert status in {200, 413, 422}
    assert (status == 200) == bool(house.commands.asked)
    if status == 200:
        assert answer["code"] == "done"
        ((_, command, _),) = house.commands.asked
        assert re.fullmatch(r"\S{0,80}", command.argument)


def test_the_token_and_the_address_are_their_owners_alone(house: House) -> None:
    for name in (TOKEN_FILE, ADDRESS_FILE):
        assert stat.S_IMODE((house.directory / name).stat().st_mode) == 0o600


def test_a_token_stays_and_must_not_be_readable_by_others(tmp_path: Path) -> None:
    token = own_token(tmp_path)
    assert own_token(tmp_path) == token
    assert len(token) >= 32

    (tmp_path / TOKEN_FILE).chmod(0o644)
    with pytest.raises(ConfigError, match="others can read it"):
        own_token(tmp_path)


def test_a_port_that_is_taken_is_told(house: House, tmp_path: Path) -> None:
    address = read_address(house.directory)
    assert address is not None
    shipped = load_settings(None, environ={}, dotenv=None).control
    taken = shipped.model_copy(update={"port": address.port})

    with pytest.raises(ConfigError, match=r"control\.port.*cannot be listened on"):
        ControlServer(taken, tmp_path, house.commands.answer, house.commands.note)


def test_the_pages_token_is_good_for_its_two_paths_alone(tmp_path: Path) -> None:
    house = served(tmp_path, 1000)
    try:
        page_token = own_token(tmp_path, PAGE_TOKEN_FILE)
        found = [
            house.call(method, path, token=page_token)[0]
            for method, path in (("GET", "/status"), ("POST", "/panic"), ("GET", "/snapshot"))
        ]
    finally:
        house.server.close()

    assert found == [401, 401, 404], "this desk has no snapshot"
    assert stat.S_IMODE((tmp_path / PAGE_TOKEN_FILE).stat().st_mode) == 0o600
