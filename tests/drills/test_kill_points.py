"""Where the process can be made to die, tried on a real process."""

import subprocess
import sys
from pathlib import Path

import pytest

from domain.errors import ConfigError
from infra.drills.kill_points import POINTS, Killer, KillPoint, Step, read_kill_point
from infra.drills.ports import DrilledJournals
from infra.store.opening import open_store

ROOT = Path(__file__).resolve().parents[2]


def test_a_point_is_read_with_its_occurrence() -> None:
    assert read_kill_point("order_sent.after@3") == KillPoint(point="order_sent.after", nth=3)
    assert read_kill_point("fill_seen.before").nth == 1


@pytest.mark.parametrize(
    "text", ["", "order_sent", "order_sent.during", "x.after", "fill_seen.after@0"]
)
def test_what_is_no_point_is_refused_with_all_that_are(text: str) -> None:
    with pytest.raises(ConfigError, match=r"stop_moved\.after"):
        read_kill_point(text)


@pytest.mark.parametrize("point", POINTS)
def test_each_point_is_passed_once_on_its_side_of_its_step(point: str) -> None:
    log: list[str] = []
    killer = Killer(KillPoint(point=point), kill=lambda: log.append("killed"))
    step, _, side = point.partition(".")

    with killer.around(Step(step)):
        log.append("step")

    assert log == (["killed", "step"] if side == "before" else ["step", "killed"])


def test_only_the_chosen_occurrence_kills() -> None:
    log: list[str] = []
    point = KillPoint(point="stop_moved.after", nth=2)
    killer = Killer(point, kill=lambda: log.append("killed"))
    for turn in range(4):
        with killer.around(Step.STOP_MOVED):
            log.append(f"moved {turn}")

    assert log == ["moved 0", "moved 1", "killed", "moved 2", "moved 3"]


def test_the_process_dies_between_a_request_and_its_answer(tmp_path: Path) -> None:
    """The server has seen the request; the client never reads the answer."""
    script = """
import http.server, threading, http.client, sys
from infra.drills.kill_points import Killer, KillPoint, Step
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("served", flush=True)
        self.send_response(200); self.end_headers()
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
thread = threading.Thread(target=server.serve_forever, daemon=True); thread.start()
killer = Killer(KillPoint(point=sys.argv[1])); killer.watch_requests()
client = http.client.HTTPConnection("127.0.0.1", server.server_port)
with killer.sending(Step.ORDER_SENT):
    client.request("GET", "/")
    client.getresponse()
print("answered", flush=True)
"""
    found = {
        point: subprocess.run(
            [sys.executable, "-c", script, point],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        for point in ("order_sent.after", "answer_received.before", "close_sent.after")
    }

    assert found["order_sent.after"].returncode == -9
    assert "answered" not in found["order_sent.after"].stdout
    assert found["answer_received.before"].returncode == -9
    assert "served" in found["answer_received.before"].stdout
    assert found["close_sent.after"].returncode == 0
    assert "answered" in found["close_sent.after"].stdout


def test_an_append_of_nothing_is_no_step(tmp_path: Path) -> None:
    passed: list[str] = []
    killer = Killer(KillPoint(point="facts_committed.before"), kill=lambda: passed.append("killed"))
    journals = open_store(tmp_path / "journal.sqlite", lambda: 0, busy_timeout_ms=1000)
    writer = DrilledJournals(journals, killer).open("asset/BTC", lambda: None)

    ids = writer.append()
    writer.close()

    assert ids == passed == []
