"""The stored outbox and the threads that empty it: nothing sure is lost, whoever dies."""

import json
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest
from loguru import logger

from domain.errors import ConfigError, FencedError
from domain.operator.notices import NoticeKind
from infra.operator.delivery import ChannelClosedError, NotDeliveredError
from infra.operator.notices.carrier import Carrier
from infra.operator.notices.channels import Channels
from infra.operator.notices.heartbeat import Heartbeat
from infra.operator.notices.services import ServiceSender
from infra.settings import load_settings
from infra.store.journal import JournalStore
from tests.operator.notices.helpers import (
    ALL,
    T_MS,
    carried,
    journals_in,
    notice,
    outbox_in,
    statuses,
)

ROOT = Path(__file__).resolve().parents[3]


class Remembers:
    """A place that takes everything, once it is let."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.failures: list[Exception] = []
        self.is_open = threading.Event()
        self.is_open.set()
        self.changed = threading.Condition()

    def send(self, text: str, _kind: NoticeKind) -> None:
        assert self.is_open.wait(30)
        if self.failures:
            raise self.failures.pop(0)
        with self.changed:
            self.texts.append(text)
            self.changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.texts) >= count, 30)


@pytest.fixture
def journals(tmp_path: Path) -> JournalStore:
    return journals_in(tmp_path)


def test_a_place_that_hangs_delays_nobody_and_gets_all_in_order_at_last(
    journals: JournalStore,
) -> None:
    place = Remembers()
    place.is_open.clear()

    with carried(journals, place) as (_, outbox):
        for number in range(50):
            outbox.put(notice(f"{number:02}"))  # returns, though nobody takes anything
        place.is_open.set()
        place.wait_for(50)

    assert [text[6:8] for text in place.texts] == [f"{number:02}" for number in range(50)]


def test_the_oldest_routine_notices_are_dropped_and_counted_but_never_a_sure_one(
    journals: JournalStore,
) -> None:
    with outbox_in(journals, {"telegram": ALL}, max_waiting=3) as outbox:
        outbox.put(notice("exit"))
        for number in range(5):
            outbox.put(notice(f"regime {number}", NoticeKind.REGIME))
        outbox.put(notice("risk", NoticeKind.RISK))
        outbox.put(notice("entry", NoticeKind.ENTRY))
        outbox.put(notice("exit 2"))
    place = Remembers()

    with carried(journals, place):
        place.wait_for(4)

    assert [text.splitlines()[0] for text in place.texts] == [
        "title risk",
        "title exit",
        "title entry",
        "title exit 2",
    ]
    assert place.texts[0].endswith("5 routine notices before it were dropped")
    assert not [text for text in place.texts[1:] if "dropped" in text]
    assert statuses(journals, "DROPPED") == 0


def test_each_kind_goes_where_the_settings_send_it(journals: JournalStore) -> None:
    kinds = {"telegram": frozenset({NoticeKind.RISK}), "email": frozenset({NoticeKind.EXIT})}
    with outbox_in(journals, kinds) as outbox:
        outbox.put(notice("a", NoticeKind.RISK))
        outbox.put(notice("b", NoticeKind.EXIT))
        outbox.put(notice("c", NoticeKind.REGIME))

    assert statuses(journals, "WAITING") == 1


def test_what_was_held_back_is_counted_and_not_sent(journals: JournalStore) -> None:
    with outbox_in(journals, {"telegram": ALL}) as outbox:
        outbox.put(notice("a", NoticeKind.REGIME, t_ms=T_MS))
        outbox.hold_back(notice("b", NoticeKind.REGIME, t_ms=T_MS + 1))
        outbox.hold_back(notice("c", NoticeKind.REGIME, t_ms=T_MS + 2))
        before = outbox.before(notice("d", NoticeKind.REGIME))

    assert before is not None
    assert (before.told_ms, before.held_back) == (T_MS, 2)
    assert statuses(journals, "WAITING") == 1


@pytest.mark.parametrize("kind", [NoticeKind.REGIME, NoticeKind.REFUSED, NoticeKind.COOLDOWN])
@pytest.mark.parametrize("kinds", [{}, {"email": frozenset({NoticeKind.RISK})}, {"telegram": ALL}])
def test_what_no_channel_takes_is_in_the_log_of_a_default_run(
    journals: JournalStore, kind: NoticeKind, kinds: dict[str, frozenset[NoticeKind]]
) -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, level="INFO", format="{message}")
    with outbox_in(journals, kinds) as outbox:
        outbox.put(notice("a", kind))
        outbox.hold_back(notice("b", kind))
        outbox.hold_back(notice("b", kind))
    logger.remove(sink)

    is_shown = "telegram" not in kinds
    assert lines == (["title a; body a\n", "title b; body b\n"] if is_shown else [])


def test_only_the_newest_holder_of_the_outbox_can_write(journals: JournalStore) -> None:
    with outbox_in(journals, {}) as old, outbox_in(journals, {}), pytest.raises(FencedError):
        old.put(notice("a"))


def test_a_place_that_fails_oddly_is_tried_again(journals: JournalStore) -> None:
    place = Remembers()
    place.failures = [ValueError("odd"), NotDeliveredError("down", may_have_arrived=False)]

    with carried(journals, place) as (_, outbox):
        outbox.put(notice("a"))
        place.wait_for(1)

    assert place.texts == ["title a\nbody a\n(again: it may have arrived before)"]


def test_an_outage_that_stays_is_told_once_and_so_is_its_end(journals: JournalStore) -> None:
    place, told = Remembers(), []
    place.failures = [NotDeliveredError("down", may_have_arrived=False) for _ in range(10)]

    with carried(journals, place) as (carrier, outbox):
        carrier._on_trouble = lambda *what: told.append((*what, len(place.failures)))
        outbox.put(notice("a"))
        place.wait_for(1)

    assert told == [("telegram", "down", 2), ("telegram", None, 0)]


def test_a_short_outage_is_not_told(journals: JournalStore) -> None:
    place, told = Remembers(), []
    place.failures = [NotDeliveredError("down", may_have_arrived=False) for _ in range(7)]

    with carried(journals, place) as (carrier, outbox):
        carrier._on_trouble = lambda *what: told.append(what)
        outbox.put(notice("a"))
        outbox.put(notice("b"))
        place.wait_for(2)

    assert told == []


def test_a_channel_that_waits_for_its_next_try_starts_over_at_once(
    journals: JournalStore,
) -> None:
    place, failed = Remembers(), threading.Event()
    place.failures = [ChannelClosedError("refused")]
    carrier = Carrier(
        "telegram",
        place,
        journals,
        rng=Random(1),
        first_pause_s=600,
        on_trouble=lambda *_: failed.set(),
    )
    with outbox_in(journals, {"telegram": ALL}, carrier=carrier) as outbox:
        carrier.start()
        outbox.put(notice("a"))
        assert failed.wait(30)
        carrier.start_over()
        place.wait_for(1)
        carrier.close(10)

    assert carrier.trouble is None


_KILLED = """
    import sys, time
    from pathlib import Path
    from random import Random
    from infra.operator.notices.carrier import Carrier
    from tests.operator.notices.helpers import ALL, journals_in, notice, outbox_in

    class Place:
        def send(self, text, kind):
            print(text.splitlines()[0], flush=True)
            if "2" in text:
                time.sleep(600)

    journals = journals_in(Path(sys.argv[1]))
    carrier = Carrier("telegram", Place(), journals, rng=Random(1))
    with outbox_in(journals, {"telegram": ALL}, carrier=carrier) as outbox:
        for number in range(5):
            outbox.put(notice(str(number)))
        carrier.start()
        time.sleep(600)
"""


def test_a_process_that_is_killed_while_it_sends_loses_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_KILLED), str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    before = [process.stdout.readline().strip() for _ in range(3)]
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    process.stdout.close()
    place = Remembers()

    with carried(journals_in(tmp_path), place):
        place.wait_for(3)

    assert before == ["title 0", "title 1", "title 2"]
    assert place.texts == [
        "title 2\nbody 2\n(again: it may have arrived before)",
        "title 3\nbody 3",
        "title 4\nbody 4",
    ]


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.bodies.append(body.decode())
        code = self.server.codes.pop(0) if self.server.codes else 200
        self.send_response(code)
        self.end_headers()
        with self.server.changed:
            self.server.changed.notify_all()

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running_hook(*codes: int) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hook)
    server.daemon_threads = True
    server.bodies, server.codes, server.changed = [], list(codes), threading.Condition()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_service_gets_title_and_body_and_is_tried_again(journals: JournalStore) -> None:
    with running_hook(500) as hook:
        sender = ServiceSender("test", f"json://127.0.0.1:{hook.server_port}/")
        with carried(journals, sender) as (_, outbox):
            outbox.put(notice("a <b>&", text="🟢 <b>&\nbody"))
            with hook.changed:
                assert hook.changed.wait_for(lambda: len(hook.bodies) == 2, 30)

    assert '"title": "\\ud83d\\udfe2 <b>&"' in hook.bodies[1]
    assert "body" in hook.bodies[1]


@pytest.mark.parametrize(
    ("kind", "title", "kind_of_service"),
    [
        (NoticeKind.RISK, "🚨 PANIC", "failure"),
        (NoticeKind.RISK, "🟢 Halt ended: trading again", "success"),
        (NoticeKind.EXIT, "🔴 BTC: SHORT closed, LOSS", "warning"),
        (NoticeKind.EXIT, "🟢 BTC: SHORT closed, PROFIT", "success"),
        (NoticeKind.ACTOR, "⚠️ notifier crashed, is back", "warning"),
        (NoticeKind.REGIME, "🔴 BTC: not favorable for shorting", "info"),
        (NoticeKind.SYSTEM, "🚀 Started: sim", "info"),
    ],
)
def test_a_service_marks_a_notice_as_what_it_is(
    kind: NoticeKind, title: str, kind_of_service: str
) -> None:
    with running_hook() as hook:
        sender = ServiceSender("test", f"json://127.0.0.1:{hook.server_port}/")
        sender.send(f"[sim] {title}\nbody", kind)

    assert json.loads(hook.bodies[0])["type"] == kind_of_service


def test_critical_notices_overtake_the_others_and_each_severity_keeps_its_order(
    journals: JournalStore,
) -> None:
    kinds = [
        NoticeKind.REGIME,
        NoticeKind.EXIT,
        NoticeKind.RISK,
        NoticeKind.CONNECTION,
        NoticeKind.SYSTEM,
        NoticeKind.RISK,
    ]
    place = Remembers()
    with outbox_in(journals, {"telegram": ALL}) as outbox:
        for number, kind in enumerate(kinds):
            outbox.put(notice(str(number), kind))

    with carried(journals, place):
        place.wait_for(len(kinds))

    assert [text[6] for text in place.texts] == ["2", "5", "1", "4", "0", "3"]


def test_an_address_that_no_service_has_is_one_clear_error_without_it(tmp_path: Path) -> None:
    environ = {"DISCORD_URL": "no-such-service://s3cret"}
    settings = load_settings(None, environ=environ, dotenv=None).notifications

    with pytest.raises(ConfigError, match=r"notifications\.discord_url") as caught:
        Channels(
            settings,
            journals_in(tmp_path),
            mode="sim",
            rng=Random(1),
            is_well=lambda: True,
            on_system=lambda *_: None,
        )

    assert "s3cret" not in str(caught.value)


def test_the_heartbeat_beats_only_while_all_is_well() -> None:
    asked = threading.Semaphore(0)
    answers = iter([False, False, True])

    def is_well() -> bool:
        asked.release()
        return next(answers, False)

    with running_hook() as hook:
        beat = Heartbeat(f"http://127.0.0.1:{hook.server_port}/x", is_well, every_s=0.01)
        beat.start()
        for _ in range(5):
            assert asked.acquire(timeout=30)
        beat.close()

    assert len(hook.bodies) == 1


@pytest.mark.parametrize(
    ("answer", "answer_s", "why"),
    [
        (None, 0.2, "TimeoutError"),
        (b"", 30, "RemoteDisconnected|ConnectionResetError"),
        (b"garbage\r\n\r\n", 30, "BadStatusLine"),
    ],
    ids=["hangs", "cut", "garbled"],
)
def test_the_heartbeat_outlives_every_answer_and_never_shows_its_address(
    answer: bytes | None, answer_s: float, why: str
) -> None:
    told: list[str] = []
    sink = logger.add(told.append, level=0)
    with ExitStack() as held:
        place = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        place.settimeout(30)
        url = f"http://127.0.0.1:{place.getsockname()[1]}/s3cret"
        beat = Heartbeat(url, lambda: True, every_s=0.01, answer_s=answer_s)
        beat.start()
        for _ in range(3):
            caller = held.enter_context(place.accept()[0])
            if answer is not None:
                caller.recv(1024)
                caller.sendall(answer)
                caller.close()
        beat.close()
    # Closed or refused by now; what it still logs must not reach the next test.
    beat._thread.join(30)
    logger.remove(sink)

    assert re.search(f"not accepted: ({why})$", told[0], re.MULTILINE)
    assert "s3cret" not in "".join(told)


def test_a_carrier_that_is_closed_leaves_what_waits_for_the_next_run(
    journals: JournalStore,
) -> None:
    place = Remembers()
    carrier = Carrier("telegram", place, journals, rng=Random(1), first_pause_s=60)
    with outbox_in(journals, {"telegram": ALL}) as outbox:
        outbox.put(notice("a"))
        place.failures = [NotDeliveredError("down", may_have_arrived=False)]
        carrier.start()
        carrier.close(0.5)
        carrier._thread.join(20)

    assert statuses(journals, "WAITING") == 1
