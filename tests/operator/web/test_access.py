"""Who may see the page and press on it: over real HTTP, before a control interface of ours."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from infra.operator.web import files, links
from infra.operator.web.users import Role, set_password
from tests.operator.web.made import Browser, Page, served
from tests.programs import run_program

PASSWORD = "a long enough password"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    directory = tmp_path_factory.mktemp("run")
    set_password(directory, "ann", Role.VIEWER, PASSWORD)
    set_password(directory, "bob", Role.OPERATOR, PASSWORD)
    with served(directory) as page:
        yield page


@pytest.fixture
def page(running: Page) -> Page:
    running.desk.taken.clear()
    return running


def test_who_is_not_logged_in_sees_the_login_alone(page: Page) -> None:
    stranger = Browser(page)

    assert stranger.call("GET", "/")[0] == 303
    assert stranger.call("GET", "/asset/BTC")[0] == 303
    assert stranger.call("GET", "/api/me")[0] == 401
    assert stranger.call("GET", "/api/accesses")[0] == 401
    assert stranger.call("POST", "/api/press", {})[0] == 401
    assert stranger.call("GET", "/login")[0] == 200
    url = f"ws://127.0.0.1:{page.address.port}/live"
    with (
        connect(url, origin=page.address.url) as socket,
        pytest.raises(ConnectionClosed) as closed,
    ):
        socket.recv(30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


def test_a_link_is_good_for_one_login(page: Page) -> None:
    secret, browser = links.make_secret(page.directory), Browser(page)

    assert browser.log_in(once="another") == 401
    assert browser.log_in(once=secret) == 200
    assert Browser(page).log_in(once=secret) == 401
    assert browser.call("GET", "/")[0] == 200
    assert json.loads(browser.call("GET", "/api/me")[2])["role"] == "operator"
    assert "operator by link" in [line["result"] for line in page.accesses()]


def test_a_cookie_is_out_of_reach_of_scripts_and_of_other_sites(page: Page) -> None:
    secret = links.make_secret(page.directory)
    _, headers, _ = Browser(page).call("POST", "/login", {"once": secret})

    flags = {each.strip().lower() for each in headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict"} <= flags


def test_a_viewer_may_look_and_press_nothing(page: Page) -> None:
    viewer = Browser(page)
    assert viewer.log_in(user="ann", password=PASSWORD) == 200

    assert viewer.press("pause", "BTC")[0] == 403
    assert page.desk.taken == []
    assert page.accesses()[-1] | {"ts_ms": 0} == {
        "ts_ms": 0,
        "who": "ann",
        "address": "127.0.0.1",
        "what": "pause BTC",
        "result": "403 a viewer cannot give commands",
    }


def test_an_operators_press_comes_with_who_and_what_was_shown(page: Page) -> None:
    operator = Browser(page)
    assert operator.log_in(user="bob", password=PASSWORD) == 200

    assert operator.press("close", "BTC", shown={"BTC": "-0.5"}) == (200, "did close BTC")
    (act,) = page.desk.taken
    assert act.user == "bob"
    assert {asset: f"{qty}" for asset, qty in act.shown.items()} == {"BTC": "-0.5"}
    assert page.accesses()[-1]["result"] == "200 did close BTC"


@pytest.mark.parametrize(
    ("command", "argument", "word"), [("liquidate", "BTC", "btc"), ("rearm", "", "rearm")]
)
def test_what_cannot_be_taken_back_needs_its_word_typed(
    page: Page, command: str, argument: str, word: str
) -> None:
    operator = page.by_link()

    assert operator.press(command, argument)[0] == 422
    assert operator.press(command, argument, typed="panic")[0] == 422
    assert page.desk.taken == []
    done = f"did {command} {argument}".rstrip()
    assert operator.press(command, argument, typed=word) == (200, done)
    assert [str(act.command.name) for act in page.desk.taken] == [command]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X_CSRF_Token": ""}, 403),
        ({"X_CSRF_Token": "x" * 43}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Host": "evil.example"}, 400),
    ],
)
def test_a_press_from_elsewhere_changes_nothing(
    page: Page, headers: dict[str, str], status: int
) -> None:
    operator = page.by_link()

    found = operator.call(
        "POST",
        "/api/press",
        {"act_id": "0" * 32, "command": "panic", "argument": "", "shown": {}},
        **headers,
    )

    assert found[0] == status
    assert page.desk.taken == []
    assert page.accesses()[-1]["result"].startswith(("403", "refused: 4"))


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"\xff",
        b'{"act_id": "0123456789abcdef", "command": "panic", "argument": ""}',
        b'{"act_id": "short", "command": "panic", "argument": "", "shown": {}}',
        b'{"act_id": "0123456789abcdef", "command": "reload", "argument": "", "shown": {}}',
    ],
)
def test_a_press_that_lacks_something_is_refused(page: Page, body: bytes) -> None:
    operator = page.by_link()

    assert operator.call("POST", "/api/press", body)[0] == 422
    assert page.desk.taken == []


def test_a_foreign_page_gets_no_socket(page: Page) -> None:
    operator = page.by_link()

    with pytest.raises(InvalidHandshake):
        connect(
            f"ws://127.0.0.1:{page.address.port}/live",
            origin="http://evil.example",
            additional_headers={"Cookie": operator.cookie},
        ).__enter__()


def test_who_logs_out_has_to_log_in_again(page: Page) -> None:
    operator = page.by_link()

    assert operator.call("POST", "/logout", {}, X_CSRF_Token="")[0] == 403
    assert operator.call("POST", "/logout", {})[0] == 200
    assert operator.call("GET", "/api/me")[0] == 401


def test_a_browser_may_load_nothing_from_elsewhere_and_no_inline_script(page: Page) -> None:
    _, headers, text = page.by_link().call("GET", "/")
    policy = dict(
        each.strip().split(" ", 1) for each in headers["content-security-policy"].split(";")
    )

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert headers["cache-control"] == "no-store"
    assert "<script>" not in text
    assert " on" not in text.partition("<body>")[2].replace(" only", "")


def test_a_large_body_is_refused(page: Page) -> None:
    assert page.by_link().call("POST", "/api/press", b" " * 5000)[0] == 413


def test_wrong_passwords_are_limited_and_a_right_one_waits_too(
    tmp_path: Path,
) -> None:
    set_password(tmp_path, "bob", Role.OPERATOR, PASSWORD)
    with served(tmp_path) as page:
        codes = [Browser(page).log_in(user="bob", password=f"wrong {n}") for n in range(11)]

        assert codes == [401] * 10 + [429]
        assert Browser(page).log_in(user="bob", password=PASSWORD) == 429


def test_what_the_page_keeps_is_for_its_owner_alone(page: Page) -> None:
    page.by_link()
    links.leave_link(page.directory, "http://x/login#y")

    for name in ("USERS", "SESSIONS", "ACCESS", "LINK", "ADDRESS", "LOG"):
        file = page.directory / getattr(files, f"{name}_FILE")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert PASSWORD not in (page.directory / files.USERS_FILE).read_text()


def test_a_password_too_short_is_refused_in_one_line(tmp_path: Path) -> None:
    words = ("bin.web", "password", "--run-dir", str(tmp_path))
    end = run_program(*words, env={"PYTHONSAFEPATH": "1"}, stdin="short\n")

    assert end.returncode == 2
    assert end.stderr == "expected a password of 12 to 200 characters\n"
