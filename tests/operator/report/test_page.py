"""The report in a real browser: it opens offline, draws every plot and complains of nothing."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[3]
ARTIFACTS = ROOT / "var" / "test-artifacts"
SOFTWARE_GL = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PATIENCE_MS = 110_000
"""Beside other work, software draws a page with eight megabytes in more than half a minute."""
PLOTS = 14
"""Equity, holding, rolling, exposure, three markets, months, reasons, trades, excursions, assets,
risk, correlations."""


@pytest.fixture(scope="module")
def report(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(shared_data, tmp_path_factory)


@pytest.fixture(scope="module")
def swept(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of a sweep with a walk forward over some weeks."""
    more = ("--sweep", "strategy.ema_short_period=120,240,risk.stop_loss_pct=0.01,0.015")
    span = ("--to", "2025-05-10", "--walk-forward", "12:6")
    return write(shared_data, tmp_path_factory, *more, *span)


def write(shared_data: Path, tmp_path_factory: pytest.TempPathFactory, *more: str) -> Path:
    file = tmp_path_factory.mktemp("report") / "report.html"
    candles = shared_data / "market" / "bybit_perp_2025-04_2025-07"
    subprocess.run(
        [sys.executable, "-m", "bin.backtest", "--candles", candles, "--report", file, *more],
        cwd=file.parent,
        env={"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "PATH": os.environ["PATH"]},
        capture_output=True,
        timeout=300,
        check=True,
    )
    return file


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        reason = "no chromium on this machine (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=SOFTWARE_GL)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    yield page
    page.close()


@dataclass
class Drawn:
    """The page with all plots, for tests that change nothing on it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def drawn(browser: Browser, report: Path) -> Iterator[Drawn]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    found = Drawn(page)
    page.on("console", lambda message: found.complaints.append(message.text))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("request", lambda request: found.requests.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_function(
        f"document.querySelectorAll('.js-plotly-plot .main-svg').length >= {3 * PLOTS}"
    )
    yield found
    page.close()


def test_the_page_draws_every_plot_offline_and_without_a_complaint(drawn: Drawn) -> None:
    plots = drawn.page.evaluate(
        "[...document.querySelectorAll('.js-plotly-plot')].map("
        "plot => [plot.layout.meta.title, plot.data.length, plot.clientHeight])"
    )
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    picture = ARTIFACTS / "report.png"
    drawn.page.screenshot(path=picture, full_page=True)

    assert drawn.complaints == []
    assert [url for url in drawn.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert len(plots) == PLOTS
    assert all(title and traces and height > 100 for title, traces, height in plots)
    assert picture.stat().st_size > 100_000


def test_every_trade_is_marked_and_tells_its_details(drawn: Drawn) -> None:
    told = drawn.page.evaluate(
        "[...document.querySelectorAll('.js-plotly-plot')].flatMap(plot => plot.data)"
        ".filter(trace => trace.name === 'exit').flatMap(trace => [...trace.text])"
    )

    assert len(told) == 177
    assert all("PnL" in text and "held" in text and " short</b>" in text for text in told)


def test_the_page_names_its_data_and_parameters(report: Path) -> None:
    text = report.read_text()

    assert "BTCUSDT.parquet" in text
    assert "<td>terms: strategy: parameters: ema short period</td><td>240</td>" in text
    assert "<td>emergency cooldown</td><td>4h</td>" in text
    assert "<td>drawdown halt</td><td>20 %</td>" in text
    assert not re.search(r"<td>[^<]*(_ms|_fraction)</td>", text)
    assert "2025-04-03 17:05 UTC to 2025-07-02 17:00 UTC" in text, "as the terminal says it"
    assert "77,757 candles of BTC, ETH, SOL" in text
    assert "8,341.58" in text


def test_axes_of_time_stand_under_each_other(drawn: Drawn) -> None:
    axes = drawn.page.evaluate(
        "[...document.querySelectorAll('.js-plotly-plot')].slice(0, 7).map(plot => {"
        "const axis = plot._fullLayout.xaxis;"
        "return [axis._offset, axis._length, ...axis.range]})"
    )

    assert len({tuple(axis) for axis in axes}) == 1, axes


def test_no_line_of_an_asset_lies_under_its_legend_and_no_color_means_two_things(
    drawn: Drawn,
) -> None:
    found = drawn.page.evaluate(
        """async () => {
        const plots = [...document.querySelectorAll('.js-plotly-plot')];
        const plot = plots.find(plot => plot.layout.meta.title === 'Contribution of each asset');
        const box = name => [...plot.querySelectorAll(name)].map(e => e.getBoundingClientRect());
        const below = Math.max(...box('.cartesianlayer .plot').map(r => r.bottom));
        const colors = plot.data.map(trace => (trace.marker || {}).color || trace.line.color);
        return [below, box('.legend, .legend2').map(r => [r.top, r.width]), colors];
    }"""
    )
    below, legends, colors = found

    assert len(legends) == 2
    assert all(top >= below and width > 0 for top, width in legends)
    assert len(set(colors)) == len(colors) == 6


def test_zooming_in_shows_every_close_and_near_enough_every_candle(
    page: Page, report: Path
) -> None:
    page.goto(report.as_uri())
    page.wait_for_function(
        f"document.querySelectorAll('.js-plotly-plot .main-svg').length >= {3 * PLOTS}"
    )
    points = """async ([from, to]) => {
        const plot = [...document.querySelectorAll('.js-plotly-plot')]
            .find(plot => plot.layout.meta.title.startsWith('BTC: price'));
        const redrawn = new Promise(done => plot.once('plotly_update', done));
        Plotly.relayout(plot, {'xaxis.range': [from, to]});
        await redrawn;
        const close = plot.data.find(trace => trace.name === 'close'), x = close.x;
        const candles = plot.data.find(trace => trace.name === 'candles');
        const [low, high] = plot._fullLayout.yaxis.range;
        const values = [...close.y, ...candles.high, ...candles.low];
        return [x.length, candles.x.length, plot._fullLayout.xaxis.type,
            (Math.max(...values) - Math.min(...values)) / (high - low),
            candles.high.every((high, i) => high >= candles.open[i] && high >= candles.close[i])
            && candles.low.every((low, i) => low <= candles.open[i] && low <= candles.close[i]),
            plot.querySelectorAll('.boxlayer path.box').length];
    }"""

    a_day = page.evaluate(points, ["2025-05-01 00:00", "2025-05-02 00:00"])
    picture = ARTIFACTS / "report-candles.png"
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    page.locator(".js-plotly-plot").nth(4).screenshot(path=picture)
    a_week = page.evaluate(points, ["2025-05-01 00:00", "2025-05-08 00:00"])
    all_of_it = page.evaluate(points, ["2025-04-01 00:00", "2025-07-10 00:00"])

    assert a_day[:2] == [0, 289]
    assert a_day[5] == 289
    assert 1_900 < a_week[0] <= 7 * 288 + 1
    assert a_week[1] == 0
    assert 1_000 < all_of_it[0] <= 3_000
    assert all_of_it[1] == 0
    for _, _, axis, filled, is_whole, _ in (a_day, a_week, all_of_it):
        assert axis == "date"
        assert is_whole
        assert 0.5 < filled < 1, "the height fits what is in sight"


def test_a_sweeps_page_draws_its_heat_maps_with_a_number_in_each_cell(
    page: Page, swept: Path
) -> None:
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(swept.as_uri())
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot .hm').length >= 5")

    maps = page.evaluate(
        "[...document.querySelectorAll('.js-plotly-plot')].slice(1, 3).map(plot => "
        "[plot.layout.meta.title, plot.layout.xaxis.title.text, plot.layout.yaxis.title.text,"
        "[...plot.querySelectorAll('.heatmap-label')].map(cell => cell.textContent)])"
    )
    picture = ARTIFACTS / "sweep-report.png"
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=picture, full_page=True)

    assert complaints == []
    for (title, x, y, cells), sample in zip(maps, ("in sample", "out of sample"), strict=True):
        assert title.startswith(f"sharpe {sample}")
        assert (x, y) == ("strategy.ema_short_period", "risk.stop_loss_pct")
        assert len(cells) == 4
        assert all(float(cell.replace("\u2212", "-")) for cell in cells)
    assert picture.stat().st_size > 100_000
