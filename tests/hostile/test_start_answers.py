"""One odd answer at the start ends nothing for good: it is asked again, and is never final."""

import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import (
    AccessDeniedError,
    BadDataError,
    ConfigError,
    TradingError,
    UnavailableError,
)
from infra.net.errors import UnansweredError
from infra.operator.terminal.confirm import read_summary
from infra.venues.bybit.account import AccountReport, prepare_account
from infra.venues.bybit.api_key import read_key
from infra.venues.bybit.errors import KeyRefusedError, ReadRefusedError
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.shapes.account import MarginMode
from infra.venues.bybit.starting import Ban, StartQuestions, StartWait
from tests.venues.bybit.rest_server import FakeTime, Fault, RestServer, client_of, running_server
from tests.venues.bybit.test_account import BTC, KEY_INFO, SETTERS, Account

HTML = b"<html><body>Attention required! | Cloudflare</body></html>"
KEY_CODES = (10003, 10004, 10005, 33004)
CODES = (
    *(-1, -2015, 10000, 10001, 10002, 10006, 10007, 10008, 10009, 10010, 10014, 10016, 10017),
    *(10018, 10024, 10027, 10028, 10029, 110001, 110013, 3100116, 999999, *KEY_CODES),
)
"""Those of the key too: said once they prove nothing."""


def envelope(code: object = 0, text: str = "OK", **more: object) -> bytes:
    return json.dumps({"retCode": code, "retMsg": text, "time": 1_700_000_000_000, **more}).encode()


ODD: dict[str, Fault] = {
    "an empty result": Fault(body=envelope(result={})),
    "a null result": Fault(body=envelope(result=None)),
    "no result": Fault(body=envelope()),
    "a list as result": Fault(body=envelope(result=[])),
    "a text as result": Fault(body=envelope(result="")),
    "an empty list": Fault(body=envelope(result={"list": []})),
    "a null list": Fault(body=envelope(result={"list": None})),
    "a list of nothing": Fault(body=envelope(result={"list": [{}]})),
    "a list of nulls": Fault(body=envelope(result={"list": [None]})),
    "an empty body": Fault(body=b""),
    "a body of HTML": Fault(body=HTML, headers={"Content-Type": "text/html"}),
    "half a body": Fault(body=envelope(result={})[:20]),
    "a body that breaks off": Fault(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
    "no answer at all": Fault(cuts=True),
    "a body of null": Fault(body=b"null"),
    "a body of a list": Fault(body=b"[]"),
    "a body of no UTF-8": Fault(body=b"\xff\xfe\x00"),
    "a code that is a text": Fault(body=envelope("0", result={})),
    "a code that is null": Fault(body=envelope(None, result={})),
    "a code that is true": Fault(body=envelope(code=True, result={})),
    "a body nested too deeply": Fault(body=b"[" * 100_000),
    "HTTP 401 with HTML": Fault(status=401, body=HTML),
    "HTTP 403": Fault(status=403, body=b"access too frequent"),
    "HTTP 403 for 2 s": Fault(status=403, headers={"Retry-After": "2"}, body=b""),
    "HTTP 404": Fault(status=404, body=HTML),
    "HTTP 429": Fault(status=429, body=b""),
    "HTTP 429 for 5 s": Fault(status=429, headers={"Retry-After": "5"}, body=b""),
    "HTTP 500": Fault(status=500, body=HTML),
    "HTTP 502": Fault(status=502, body=HTML),
    "HTTP 503 for an hour": Fault(status=503, headers={"Retry-After": "3600"}, body=b""),
    "HTTP 504": Fault(status=504, body=b""),
    "a redirection to nowhere": Fault(status=302, body=b""),
    **{f"retCode {code}": Fault(body=envelope(code, "odd", result={})) for code in CODES},
}
OF_THE_KEY = {f"retCode {code}" for code in KEY_CODES}
ASKED = (
    "/v5/market/time",
    "/v5/user/query-api",
    "/v5/account/info",
    "/v5/account/wallet-balance",
    "/v5/account/fee-rate",
    "/v5/account/set-margin-mode",
    "/v5/market/instruments-info",
    "/v5/position/list",
    "/v5/position/set-leverage",
)
"""All that a start asks or sets."""


KEY = "/v5/user/query-api"


class Waits:
    """Remembers who waited for what."""

    def __init__(self) -> None:
        self.all: list[StartWait] = []
        self.answers = 0

    def on_wait(self, wait: StartWait) -> None:
        self.all.append(wait)

    def on_answer(self) -> None:
        self.answers += 1


class Start:
    """One start: all that it asks, as often as it has to."""

    def __init__(self, rest: BybitRest, time: FakeTime, folder: Path, patience_s: float) -> None:
        self._rest = rest
        self.waits = Waits()
        self.questions = questions_of(time, folder, patience_s, self.waits)

    def run(self) -> AccountReport:
        ask = self.questions.ask
        ask(self._rest.sync_clock)
        ask(lambda: read_key(self._rest))
        ask(lambda: read_summary(self._rest))
        return ask(self._prepare)

    def _prepare(self) -> AccountReport:
        none = lambda _: None  # noqa: E731
        return prepare_account(self._rest, [BTC], MarginMode.ISOLATED, sleep=none)


def questions_of(time: FakeTime, folder: Path, patience_s: float, waits: Waits) -> StartQuestions:
    ban = Ban(folder / "not-before", wall_s=time.monotonic_s)
    return StartQuestions(patience_s, ban, waits, monotonic_s=time.monotonic_s, sleep=time.sleep)


@pytest.fixture
def venue() -> Iterator[RestServer]:
    """Return a venue that has something to set."""
    with running_server() as server:
        account = Account(server)
        account.mode, account.leverage = "REGULAR_MARGIN", "5"
        coin = {"coin": "USDT", "walletBalance": "1000", "equity": "1000"}
        server.answer("/v5/account/wallet-balance", {"list": [{"coin": [coin]}]})
        yield server


@pytest.fixture
def start(venue: RestServer, tmp_path: Path) -> Iterator[Callable[[float], Start]]:
    """Return what makes starts, each with a client of its own, as a process has."""
    clients = []

    def make(patience_s: float) -> Start:
        clients.append(client_of(venue))
        return Start(clients[-1].__enter__(), venue.time, tmp_path, patience_s)

    yield make
    for client in clients:
        client.__exit__(None, None, None)


Make = Callable[[float], Start]


@pytest.mark.parametrize("name", [name for name in ODD if name not in OF_THE_KEY])
def test_an_odd_answer_to_each_question_once_ends_no_start(
    venue: RestServer, start: Make, name: str
) -> None:
    for path in ASKED:
        venue.fail(path, ODD[name])
    begun = start(1e6)

    report = begun.run()

    assert report.margin_mode is MarginMode.ISOLATED
    assert report.assets[0].position.leverage == Decimal(10)
    assert all(venue.count(path) >= 2 for path in ASKED if "/set-" not in path)
    assert not any(venue.faults.values())


@pytest.mark.parametrize("name", [name for name in ODD if name not in OF_THE_KEY])
def test_an_odd_answer_for_good_ends_a_start_after_its_budget_with_what_is_tried_again(
    venue: RestServer, start: Make, name: str
) -> None:
    venue.faults = defaultdict(lambda: deque([ODD[name]] * 1000))
    began_s = venue.time.now_s
    begun = start(60)

    with pytest.raises(UnavailableError, match="no usable answer in 60 s"):
        begun.run()

    assert 60 <= venue.time.now_s - began_s < 75
    assert len(venue.requests) < 150


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("name", ["an empty list", "a null result", "HTTP 502", "retCode 10029"])
def test_an_odd_answer_to_one_question_for_good_is_not_final_either(
    venue: RestServer, start: Make, name: str, path: str
) -> None:
    venue.fail(path, *[ODD[name]] * 1000)
    if path in SETTERS:  # an odd answer to what was done counts for nothing
        venue.results[path] = lambda _: {}

    with pytest.raises(UnavailableError, match="no usable answer in 60 s"):
        start(60).run()


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("name", sorted(OF_THE_KEY))
def test_a_key_that_is_refused_once_is_asked_for_again(
    venue: RestServer, start: Make, name: str, path: str
) -> None:
    venue.fail(path, ODD[name])
    begun = start(900)

    begun.run()

    assert len(begun.waits.all) == begun.waits.answers == 1


@pytest.mark.parametrize("code", KEY_CODES)
def test_a_key_that_is_refused_twice_seconds_apart_is_final(
    venue: RestServer, start: Make, code: int
) -> None:
    venue.fail(KEY, *(Fault(body=envelope(code, f"at {n} s")) for n in range(9)))
    began_s = venue.time.now_s

    with pytest.raises(ConfigError, match=rf"refuses the key again: {code}: at 1 s"):
        start(900).run()

    assert venue.count(KEY) == 2
    assert 3 <= venue.time.now_s - began_s < 10


def test_two_different_refusals_of_a_key_confirm_nothing(venue: RestServer, start: Make) -> None:
    venue.fail(KEY, *(Fault(body=envelope(code, "no")) for code in (10003, 10004, 10003, 10004)))
    begun = start(900)

    begun.run()

    assert len(begun.waits.all) == 4


def test_a_key_that_may_withdraw_is_final_once_it_is_said_again(
    venue: RestServer, start: Make
) -> None:
    unsafe = KEY_INFO | {"permissions": {"Wallet": ["Withdraw"]}}
    said = Fault(body=envelope(result=unsafe))
    venue.fail("/v5/user/query-api", Fault(body=envelope(result=KEY_INFO)), said)
    begun = start(900)

    begun.run()
    venue.fail("/v5/user/query-api", said, said, said)
    with pytest.raises(ConfigError, match="may withdraw"):
        begun.questions.ask(begun.run)

    assert len(begun.waits.all) == 2


def test_a_ban_is_kept_beyond_the_process_and_nothing_is_asked_in_it(
    venue: RestServer, start: Make
) -> None:
    venue.faults = defaultdict(lambda: deque([Fault(status=403)] * 1000))
    began_s = venue.time.now_s

    for _ in range(5):  # as a service manager starts it again
        with pytest.raises(UnavailableError):
            start(60).run()
        venue.time.sleep(15)
    in_the_ban = len(venue.requests)
    venue.faults.clear()
    venue.faults = defaultdict(deque)
    start(900).run()

    assert in_the_ban == 1
    assert 600 <= venue.time.now_s - began_s < 700


@pytest.mark.parametrize(
    "text", ["", "soon", "1e999", "nan", "-5", "99999999999", "\x00", "1" * 10_000]
)
def test_a_ban_that_cannot_be_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "not-before").write_text(text)

    assert Ban(tmp_path / "not-before").left_s == 0


ERRORS: tuple[Callable[[], TradingError], ...] = (
    lambda: UnansweredError("silence", retry_after_s=0.0),
    lambda: UnansweredError("banned", retry_after_s=45.0),
    lambda: ReadRefusedError(10029, "symbol"),
    lambda: AccessDeniedError("10010: address"),
    lambda: BadDataError("garbage"),
    lambda: KeyRefusedError(10003, "key"),
    lambda: KeyRefusedError(33004, "expired"),
    lambda: ConfigError("the account cannot be traded"),
)


@given(
    picks=st.lists(st.integers(0, len(ERRORS) - 1), max_size=12),
    patience_s=st.floats(5, 2_000),
)
def test_a_start_always_ends_in_its_budget_and_only_a_repeated_verdict_is_final(
    tmp_path_factory: pytest.TempPathFactory, picks: list[int], patience_s: float
) -> None:
    time, waits = FakeTime(), Waits()
    failures = iter([ERRORS[pick]() for pick in picks])
    asked: list[TradingError] = []

    def question() -> int:
        error = next(failures, None)
        if error is None:
            return 7
        asked.append(error)
        raise error

    try:
        folder = tmp_path_factory.mktemp("run")
        assert questions_of(time, folder, patience_s, waits).ask(question) == 7
    except ConfigError:
        *_, before, last = asked
        assert type(before) is type(last)
        assert isinstance(last, KeyRefusedError | ConfigError)
    except UnavailableError:
        assert time.now_s - 1_000 >= patience_s - 0.001
    assert time.now_s - 1_000 <= patience_s + 0.001
    pauses = [wait.pause_s for wait in waits.all]
    assert all(0 <= pause <= 60 for pause in pauses)
