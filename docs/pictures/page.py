# ruff: noqa: INP001 (a script, and no package)
"""Draws docs/pictures/page.png: the page of a real simulated run, once it has traded for a while.

PYTHONPATH=. .venv-dev/bin/python docs/pictures/page.py     # needs Chromium
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from playwright.sync_api import sync_playwright

SPEED, TRADES, CLOSES, PATIENCE_S = 120, 1, 14, 1_800
WIDTH, HEIGHT = 1280, 970
PICTURE = Path(__file__).with_suffix(".png")
MOST_BYTES = 200_000


def wait_for_trades(folder: Path) -> None:
    """Wait until a position was closed, and there are closes for a curve; another is still open."""
    ends_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends_s:
        time.sleep(1)
        if (folder / "web.link").exists():
            trades, closes = counts_of(folder)
            if trades >= TRADES and closes >= CLOSES:
                return
    raise SystemExit(f"expected {TRADES} trade and {CLOSES} closes within {PATIENCE_S} s")


def counts_of(folder: Path) -> tuple[int, int]:
    """Return how many trades and equity samples the journal holds."""
    query = "SELECT (SELECT count(*) FROM trade), (SELECT count(*) FROM equity_sample)"
    try:
        with closing(sqlite3.connect(folder / "journal.sqlite")) as journal:
            trades, closes = journal.execute(query).fetchone()
    except sqlite3.OperationalError:
        return 0, 0
    return int(trades), int(closes)


def draw(link: str) -> None:
    """Draw the page as a browser shows it after a login by its link."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT},
            color_scheme="light",
            reduced_motion="reduce",
        )
        page.goto(link)
        page.locator("#banner .state.RUNNING").wait_for()
        page.locator("#equity .main-svg").first.wait_for()
        page.screenshot(path=PICTURE)
        browser.close()


def main() -> None:
    """Draw what a run shows, and end it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = folder / "settings.yaml"
        settings.write_text(json.dumps({"simulation": {"speed": SPEED}, "web": {"port": 0}}))
        words = ("-m", "bin.run_actors", "--run-dir", str(folder / "run"), "--settings")
        with (folder / "out").open("w") as out:
            run = subprocess.Popen(  # noqa: S603 (our own command)
                [sys.executable, *words, str(settings)],
                env=os.environ | {"WEB_ENABLED": "true"},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
            try:
                wait_for_trades(folder / "run")
                draw((folder / "run" / "web.link").read_text().strip())
            finally:
                run.terminate()
                run.wait(60)
    found = PICTURE.stat().st_size
    if found > MOST_BYTES:
        raise SystemExit(f"{PICTURE}: expected at most {MOST_BYTES} bytes, found {found}")


if __name__ == "__main__":
    main()
