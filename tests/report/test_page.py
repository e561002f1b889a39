"""The report in a real browser: it opens offline, draws every plot and complains of nothing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "var" / "test-artifacts"
SOFTWARE_GL = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PLOTS = 10
"""Equity, three markets, months, reasons, trades, assets, risk, correlations."""


@pytest.fixture(scope="module")
def report(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "report.html"
    candles = shared_data / "market" / "bybit_perp_2025-04_2025-07"
    subprocess.run(
        [sys.executable, "-m", "bin.backtest", "--candles", candles, "--report", file],
        cwd=file.parent,
        env={"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        timeout=100,
        check=True,
    )
    return file


@pytest.fixture
def page() -> Iterator[Page]:
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        reason = "no chromium on this machine (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=SOFTWARE_GL)
        yield browser.new_page(viewport={"width": 1280, "height": 900})
        browser.close()


def test_the_page_draws_every_plot_offline_and_without_a_complaint(
    page: Page, report: Path
) -> None:
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))

    page.goto(report.as_uri())
    page.wait_for_function(
        f"document.querySelectorAll('.js-plotly-plot .main-svg').length >= {3 * PLOTS}"
    )
    drawn = page.evaluate(
        "[...document.querySelectorAll('.js-plotly-plot')].map("
        "plot => [plot.layout.title.text, plot.data.length, plot.clientHeight])"
    )
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    picture = ARTIFACTS / "report.png"
    page.screenshot(path=picture, full_page=True)

    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert len(drawn) == PLOTS
    assert all(title and traces and height > 100 for title, traces, height in drawn)
    assert picture.stat().st_size > 100_000


def test_every_trade_is_marked_and_tells_its_details(page: Page, report: Path) -> None:
    page.goto(report.as_uri())
    page.wait_for_selector(".js-plotly-plot .main-svg")
    told = page.evaluate(
        "[...document.querySelectorAll('.js-plotly-plot')].flatMap(plot => plot.data)"
        ".filter(trace => trace.name === 'exit').flatMap(trace => [...trace.text])"
    )

    assert len(told) == 177
    assert all("PnL" in text and "held" in text for text in told)


def test_the_page_names_its_data_and_parameters(report: Path) -> None:
    text = report.read_text()

    assert "BTCUSDT.parquet" in text
    assert "strategy.ema_short_period" in text
    assert "77,757 candles of BTC, ETH, SOL" in text
    assert "8,341.58" in text


def test_zooming_in_shows_every_close(page: Page, report: Path) -> None:
    page.goto(report.as_uri())
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length > 3")
    points = """async ([from, to]) => {
        const plot = document.querySelectorAll('.js-plotly-plot')[1];
        const redrawn = new Promise(done => plot.once('plotly_update', done));
        Plotly.relayout(plot, {'xaxis.range': [from, to]});
        await redrawn;
        const x = plot.data.find(trace => trace.name === 'close').x;
        return [x.length, plot._fullLayout.xaxis.type, x[0] >= new Date(from + 'Z')];
    }"""

    a_day = page.evaluate(points, ["2025-05-01 00:00", "2025-05-02 00:00"])
    all_of_it = page.evaluate(points, ["2025-04-01 00:00", "2025-07-10 00:00"])

    assert a_day == [289, "date", True]
    assert 1_000 < all_of_it[0] <= 3_000
    assert all_of_it[1:] == ["date", True]
