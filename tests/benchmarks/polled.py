"""What a client of the control interface costs the way from a candle to its order."""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bin.bootstrap.operator_ways import open_office
from bin.bootstrap.run import Run
from infra.operator.control.token import own_token, read_address
from infra.operator.health.metrics import MetricsPage
from infra.operator.health.pages import Pages
from infra.operator.reload import Reload
from infra.process.processor import on_any_processor
from infra.settings import Settings
from infra.store.settings_record import SettingsRecord
from tests.benchmarks.close import best, one_run, shown
from tests.operator.health.made import figures

PAIRS = 3
PER_SECOND = 10
PATHS = ("status", "positions", "metrics", "risk", "health", "regimes", "actors", "balance")
_ROOT = Path(__file__).resolve().parents[2]


def measure(_candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the times without the client and with it, one after the other in turns."""
    answers: list[str] = []

    @contextmanager
    def polled(run: Run, settings: Settings, folder: Path) -> Iterator[None]:
        pages = Pages(
            why_sick=lambda: None,
            why_not_ready=tuple,
            why_degraded=tuple,
            metrics=MetricsPage(figures),
        )
        journals, now_ms = run.ports.journals, run.ports.clock.now_ms
        reload = Reload(settings, None, SettingsRecord(journals), lambda _: None, now_ms)
        with open_office(run, settings, reload, folder, pages.routes()):
            client = _client(folder)
            try:
                yield
            finally:
                answers.append(client.communicate()[0].strip())

    alone, beside = [], []
    for _ in range(PAIRS):
        alone.append(one_run())
        beside.append(one_run(polled))
    what = f"candle close to order beside a client that asks {PER_SECOND} times a second"
    yield f"{what}, best of {PAIRS} runs", shown(best(beside)[0].taken_ms()), "as without it"
    yield "- without it, in turns with these", shown(best(alone)[0].taken_ms()), ""
    yield "- the client's own waits", answers[-1], ""


def _client(folder: Path) -> subprocess.Popen[str]:
    """Start the client as a process of its own, which asks until its input ends."""
    while (address := read_address(folder)) is None:
        time.sleep(0.01)
    given = json.dumps({"host": address.host, "port": address.port, "token": own_token(folder)})
    with on_any_processor():
        return subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.polled", given],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def main() -> None:
    """Ask one page after the other at an even pace, and print how long the answers took."""
    given = json.loads(sys.argv[1])
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    line = http.client.HTTPConnection(given["host"], given["port"], timeout=30)
    took_ms: list[float] = []
    due_s = time.monotonic()
    while not ended.wait(max(0.0, due_s - time.monotonic())):
        due_s += 1 / PER_SECOND
        began_s = time.perf_counter()
        path = PATHS[len(took_ms) % len(PATHS)]
        line.request("GET", f"/{path}", headers={"Authorization": f"Bearer {given['token']}"})
        answer = line.getresponse()
        answer.read()
        took_ms.append((time.perf_counter() - began_s) * 1000)
        assert answer.status == http.HTTPStatus.OK, (path, answer.status)
    took_ms.sort()
    print(f"p50 {median(took_ms):.1f} ms, longest {took_ms[-1]:.1f} ms of {len(took_ms)}")


if __name__ == "__main__":
    main()
