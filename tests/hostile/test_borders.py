"""Texts from outside at the doors of real processes and servers, and what their readers print."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given

import bin.ctl
from bin.bootstrap.recorded import build_replay
from domain.operator.commands import OperatorCommand
from infra.operator.notices.authority import Authority
from infra.operator.notices.commands import Answer
from infra.operator.notices.telegram import TelegramBot
from infra.operator.notices.telegram_inbox import TelegramInbox
from infra.operator.terminal.replies import show_reply
from infra.store.opening import open_store
from tests.fuzzing.campaign import examples
from tests.hostile.texts import ESCAPES, hostile, unprintable
from tests.operator.control.house import House, served
from tests.operator.notices.bot_api import TOKEN, running_bot_api
from tests.programs import run_program
from tests.replay.runs import finish, lively_settings, made_up_market

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
ATTACK = "\x1b[2J\x1b[31m\nFAKE\u202e[red]"


def run(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    return run_program(
        *(f"bin.{module}", *words),
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONSAFEPATH": "1",
            "WEB_ENABLED": "false",
        },
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    found = served(tmp_path_factory.mktemp("run"), 1000)
    yield found
    found.server.close()


@examples(60)
@given(text=hostile)
def test_a_path_is_noted_in_printable_words(house: House, text: str) -> None:
    house.commands.noted.clear()
    path = quote(text.encode(errors="surrogatepass"), safe="")

    for token in (None, "wrong"):
        house.call("GET", f"/{path}x/", token=token)

    assert house.commands.noted
    assert all(word.isprintable() for noted in house.commands.noted for word in noted)


@examples(60)
@given(text=hostile)
def test_a_refused_parameter_is_named_in_printable_words(house: House, text: str) -> None:
    quoted = quote(text.encode(errors="surrogatepass"), safe="")

    status, answer = house.call("GET", f"/why?argument={quoted}&{quoted}x=1")

    assert status == 422
    assert answer["title"].isprintable()


def test_a_text_to_the_bot_is_a_command_of_printable_words() -> None:
    asked: list[str] = []

    def handle(_who: str, written: str) -> Answer:
        asked.append(written)
        return Answer(text=f"{ATTACK} {written}")

    with running_bot_api() as api, closing(TelegramBot(TOKEN, api.url)) as bot:
        authority = Authority(chat_id=77, user_ids=frozenset())
        inbox = TelegramInbox(bot, authority, handle, poll_s=1)
        inbox.start()
        for text in ESCAPES:
            api.write(text)
        api.wait_for(lambda: len(api.sent) == len(ESCAPES))
        inbox.close()

    assert all(written.isprintable() for written in asked)
    assert [sent.text for sent in api.sent if unprintable(sent.text)] == []


def test_the_audit_trail_shows_an_attack_in_one_printable_line(tmp_path: Path) -> None:
    journals = open_store(tmp_path / "journal.sqlite", lambda: 1_000, busy_timeout_ms=5_000)
    fact = OperatorCommand(
        command="access",
        arguments=f"GET /{ATTACK}",
        operator=ATTACK,
        result=ATTACK,
        ts_ms=1_000,
        is_done=False,
    )
    with journals.connected():
        journals.open("operator", lambda: None).append(fact)

    found = run("ctl", "--run-dir", str(tmp_path), "audit")

    assert unprintable(found.stdout) == []
    assert len(found.stdout.splitlines()) == 1
    assert r"\x1b[2J" in found.stdout
    assert "[red]" in found.stdout


def test_the_trace_shows_an_attack_in_one_printable_line(tmp_path: Path) -> None:
    replayed, lockstep = build_replay(lively_settings(tmp_path), made_up_market(3, 60), tmp_path)
    replayed.note(f"GET /{ATTACK}", ATTACK, "http/127.0.0.1")
    finish(replayed, lockstep)

    tail = run("trace", "--run-dir", str(tmp_path), "tail", "-n", "0", "--type", "Noted")

    assert unprintable(tail.stdout) == []
    (line,) = tail.stdout.splitlines()
    assert "FAKE" in line
    assert "[red]" in line


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("ctl", ("why", ATTACK)),
        ("trace", ("--run-dir", f"/nowhere/{ATTACK}", "tail")),
        ("run_actors", (f"--{ATTACK}",)),
        ("candles", ("verify", ATTACK)),
    ],
)
def test_an_argument_that_cannot_be_printed_is_refused_in_one_line(
    module: str, words: tuple[str, ...]
) -> None:
    found = run(module, *words)

    assert found.returncode == 2
    assert found.stdout == ""
    assert unprintable(found.stderr) == []
    assert len(found.stderr.splitlines()) == 1
    assert r"\x1b[2J" in found.stderr


def test_names_of_files_are_shown_in_printable_words(tmp_path: Path) -> None:
    (tmp_path / "BTC\x1b[31mUSDT.csv").write_text("open_time,open,high,low,close,volume\n")

    found = run("candles", "verify", str(tmp_path))

    assert unprintable(found.stdout + found.stderr) == []


def test_what_another_program_answers_is_shown_in_printable_words() -> None:
    answer = {"code": "done", "title": ATTACK, "lines": [ATTACK]}
    table = {"columns": [ATTACK], "rows": [[ATTACK]]}

    with bin.ctl.screen.capture() as captured:
        show_reply(answer | {"table": table}, bin.ctl.screen)

    assert unprintable(captured.get()) == []
    assert "[red]" in captured.get()
