"""Every fact is published at least once and in order, whatever fails between."""

import json
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from domain.errors import JournalError
from domain.operator.commands import OperatorCommand
from infra.operator.delivery import ChannelClosedError, NotDeliveredError
from infra.operator.events import publisher as publisher_module
from infra.operator.events.publisher import Publisher, Target
from infra.store.events import FactFeed
from infra.store.journal import JournalStore
from tests.operator.events.facts import T_MS, Remembers, fact_ids, recorded_journal

ROOT = Path(__file__).resolve().parents[3]
KINDS = (
    *("asset", "candle", "decision", "equity_sample"),
    *("execution", "intent", "order_update", "trade"),
)
COMMAND = OperatorCommand(
    command="pause", arguments="all", operator="test", result="", is_done=True, ts_ms=T_MS
)


@pytest.fixture
def journals(tmp_path: Path) -> JournalStore:
    return recorded_journal(tmp_path)


@contextmanager
def publishing(journals: JournalStore, target: Target, **options: object) -> Iterator[Publisher]:
    publisher = Publisher(
        "redis",
        target,
        journals,
        source="sim",
        rng=Random(1),
        first_pause_s=0.01,
        **options,  # type: ignore[arg-type]
    )
    publisher.start()
    try:
        yield publisher
    finally:
        publisher.close(20.0)


def wait_until_idle(publisher: Publisher) -> None:
    with publisher._changed:
        assert publisher._changed.wait_for(lambda: publisher._is_idle, 30)


def read_through(journals: JournalStore) -> int:
    with journals.connected():
        return FactFeed(journals, "redis").read_through()


def test_every_fact_of_every_kind_becomes_an_event_of_the_standard(
    journals: JournalStore, tmp_path: Path
) -> None:
    target = Remembers()

    with publishing(journals, target):
        pass  # what is stored is sent before it is closed

    events = [json.loads(event.body) for event in target.events]
    assert [event["factid"] for event in events] == fact_ids(tmp_path / "journal.sqlite")
    for event in events:
        assert event["specversion"] == "1.0"
        assert event["source"] == "/trading/sim"
        assert event["id"].startswith(f"{event['factid']}-")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])
        assert event["data"]
        assert not {"fact_id", "place"} & event["data"].keys()
    by_kind = {event["type"]: event for event in events}
    assert {f"trading.{kind}" for kind in KINDS} <= by_kind.keys()
    execution = by_kind["trading.execution"]
    assert execution["subject"] == execution["data"]["asset"]
    assert isinstance(execution["data"]["price"], str)
    assert by_kind["trading.intent"]["data"]["reduce_only"] in (True, False)
    decisions = [event["data"] for event in events if event["type"] == "trading.decision"]
    assert {"asset", "qty", "price", "values"} <= next(
        approval for decision in decisions for approval in decision["approvals"]
    ).keys()


def test_a_new_fact_is_sent_without_anybody_saying_so(journals: JournalStore) -> None:
    target = Remembers()

    with publishing(journals, target) as publisher:
        wait_until_idle(publisher)
        writer = journals.open("test", lambda: None)
        (fact_id,) = writer.append(COMMAND)
        target.wait_for(fact_id)
        writer.close()

    newest = json.loads(target.events[-1].body)
    assert newest["id"] == f"{fact_id}-{T_MS}"
    assert newest["type"] == "trading.operator_command"
    assert newest["data"]["is_done"] is True
    assert read_through(journals) == fact_id


def test_what_was_stored_just_before_a_stop_is_sent_before_it(
    journals: JournalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "_LOOK_EVERY_S", 3600.0)
    target = Remembers()

    with publishing(journals, target) as publisher:
        wait_until_idle(publisher)
        writer = journals.open("test", lambda: None)
        (fact_id,) = writer.append(COMMAND)
        writer.close()

    assert target.events[-1].fact_id == fact_id


def test_what_fails_is_tried_again_and_nothing_is_passed_over(
    journals: JournalStore, tmp_path: Path
) -> None:
    target, told = Remembers(), []
    target.failures = [
        NotDeliveredError("down", may_have_arrived=True),
        ValueError("odd"),
        ChannelClosedError("no such password"),
        ChannelClosedError("no such password"),
    ]

    with publishing(journals, target, on_trouble=lambda *what: told.append(what)):
        target.wait_for(1)

    assert [event.fact_id for event in target.events] == fact_ids(tmp_path / "journal.sqlite")
    assert told == [("redis", "no such password"), ("redis", None)]


def test_a_journal_that_stores_no_place_stops_no_event(
    journals: JournalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_key: str, _value: str) -> None:
        raise JournalError("the disk is full")

    monkeypatch.setattr(journals, "write_meta", refuse)
    target = Remembers()

    with publishing(journals, target):
        pass

    assert [event.fact_id for event in target.events] == fact_ids(tmp_path / "journal.sqlite")
    assert read_through(journals) == 0


def test_whoever_is_killed_goes_on_where_it_was_and_passes_nothing_over(tmp_path: Path) -> None:
    recorded_journal(tmp_path)
    journal, taken = tmp_path / "journal.sqlite", tmp_path / "taken"
    program = textwrap.dedent(
        """
        import os, signal, sys, threading
        from pathlib import Path
        from random import Random
        from infra.operator.events.publisher import Publisher
        from infra.store.opening import open_store

        class File:
            most = 7

            def send(self, events):
                with open(sys.argv[2], "a") as file:
                    file.write("".join(f"{event.fact_id}\\n" for event in events))
                if events[-1].fact_id >= int(sys.argv[3]):
                    os.kill(os.getpid(), signal.SIGKILL)  # taken, and not noted

            def close(self): pass

        journals = open_store(Path(sys.argv[1]), lambda: 0, busy_timeout_ms=5000)
        publisher = Publisher("redis", File(), journals, source="sim", rng=Random())
        publisher.start()
        publisher.close(60.0)
        """
    )
    wanted = fact_ids(journal)
    ends = [100, 101, len(wanted) // 2, wanted[-1] + 1]

    codes = [
        subprocess.run(
            [sys.executable, "-c", program, journal, taken, str(end)],
            cwd=ROOT,
            check=False,
            timeout=90,
        ).returncode
        for end in ends
    ]

    assert codes == [-signal.SIGKILL, -signal.SIGKILL, -signal.SIGKILL, 0]
    found = [int(line) for line in taken.read_text().split()]
    assert list(dict.fromkeys(found)) == wanted  # each, in order of its first arrival
    assert 0 < len(found) - len(wanted) <= 3 * 7  # only what was not noted comes again


def test_a_place_of_its_own_for_each_target(journals: JournalStore) -> None:
    with journals.connected():
        FactFeed(journals, "redis").read_on(5)

        assert FactFeed(journals, "webhook").read_through() == 0
        assert FactFeed(journals, "redis").read_through() == 5
