"""From a closed candle to the order, without a page, with one, and with ten browsers at it.

A browser here is what costs the system something: its socket, and what its charts ask for. Beside
them one that is logged in asks as fast as it is answered.
"""

import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from websockets.sync.client import connect

from bin.bootstrap.run import Run
from domain.operator.acts import PageAct
from domain.operator.replies import Reply, ReplyCode
from infra.operator.control.page_routes import page_routes
from infra.operator.control.server import ControlServer
from infra.process.processor import on_any_processor
from infra.settings import Settings
from tests.benchmarks.close import RUNS, best, one_run, shown
from tests.operator.web.made import Desk, Page, start_page

BROWSERS = 10
_FRESH_S = 0.3
_CHARTS = ("equity", "trades", "orders", "chart?asset=BTC", "correlations", "messages", "audit")


def measure(_candles: Path) -> Iterator[tuple[str, str, str]]:
    """Yield what the orders take; the ways take turns, so that a busy machine meets all alike."""
    ways = {
        "no page": None,
        "a page that nobody looks at": partial(_page, 0),
        f"{BROWSERS} browsers": partial(_page, BROWSERS),
        f"{BROWSERS} browsers that ask without a pause": partial(_page, -BROWSERS),
    }
    found = {name: [] for name in ways}  # type: ignore[var-annotated]
    for _ in range(RUNS):
        for name, beside in ways.items():
            found[name].append(one_run(beside))
    for name, runs in found.items():
        watch, cores = best(runs)
        goal = "" if name == "no page" else "as without, within noise"
        yield f"candle close in to order request, {name}", shown(watch.taken_ms()), goal
        yield "- processor of the system", f"{cores:.2f} cores", ""


@contextmanager
def _page(browsers: int, run: Run, settings: Settings, folder: Path) -> Iterator[None]:
    def refuse(_act: PageAct) -> Reply:
        return Reply(code=ReplyCode.REFUSED, title="nothing is pressed here")

    routes = page_routes(lambda: run.inspector.snapshot(_FRESH_S, _FRESH_S), refuse)
    done = Reply(code=ReplyCode.DONE, title="")
    server = ControlServer(settings.control, folder, lambda *_: done, lambda *_: None, routes)
    with on_any_processor():
        process = start_page(folder)
        page = Page(folder, Desk(), process)
        clients = None
        if browsers:
            words = [page.address.url, page.by_link().cookie, str(browsers)]
            clients = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.web", *words])
    try:
        yield
    finally:
        for each in (clients, process):
            if each is not None:
                each.terminate()
                each.wait(30)
        server.close()


def _browse(url: str, cookie: str, pause_s: float) -> None:
    """Be one browser: follow what is told, and ask for a chart after the other."""
    with connect(
        f"{url.replace('http', 'ws', 1)}/live", origin=url, additional_headers={"Cookie": cookie}
    ) as socket:
        threading.Thread(target=lambda: [None for _ in socket], daemon=True).start()
        while True:
            for question in _CHARTS:
                with suppress(OSError, http.client.HTTPException):
                    _ask(url, cookie, question)
                time.sleep(pause_s)


def _ask(url: str, cookie: str, question: str) -> None:
    line = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    try:
        line.request("GET", f"/api/{question}", headers={"Cookie": cookie})
        line.getresponse().read()
    finally:
        line.close()


def main(url: str, cookie: str, count: str) -> None:
    """Be some browsers; a count below 0: those that never pause."""
    wanted = int(count)
    threads = [
        threading.Thread(target=_browse, args=(url, cookie, 1.0 if wanted > 0 else 0.0))
        for _ in range(abs(wanted))
    ]
    for thread in threads:
        thread.start()


if __name__ == "__main__":
    main(*sys.argv[1:])
