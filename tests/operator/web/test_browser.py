"""The page in a real browser, beside a real run at the simulated exchange."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from infra.operator.web.files import LINK_FILE, read_address
from tests.actors.test_dead_letters import REJECTED
from tests.actors.test_kept_dead_letters import crash_over
from tests.command.test_sim_run import QUICK, SimRun, journal
from tests.operator.web.made import start_page

ARTIFACTS = Path(__file__).resolve().parents[3] / "var" / "test-artifacts" / "web"
PATIENCE_MS = 90_000
WEB = "web: {port: 0}\n"
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "wide": (1440, 900)}
LOOKS = [(size, scheme) for size in SIZES for scheme in ("light", "dark")]
PAGES = [
    "",
    "asset/BTC",
    "compare",
    "risk",
    "trades",
    "orders",
    "actors",
    "messages",
    "health",
    "audit",
    "backtest",
]
CHARTS = {"": "#equity", "asset/BTC": "#candles", "risk": "#heat", "compare": "#prices"}
SERIOUS = {"serious", "critical"}


class Watched:
    """A browser's page, with what it complained of and what it asked for elsewhere."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        near = (url, url.replace("http", "ws", 1), "data:", "blob:")
        self.page.on("console", lambda told: self.complaints.append(told.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "request",
            lambda asked: None if asked.url.startswith(near) else self.elsewhere.append(asked.url),
        )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        reason = "no chromium on this machine (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def begin(folder: Path) -> SimRun:
    return SimRun(folder, WEB, QUICK, environ={"WEB_ENABLED": "true"})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[SimRun]:  # noqa: ARG001 (skips where there is none)
    folder = tmp_path_factory.mktemp("web")
    crash_over(folder / "run", REJECTED)
    run = begin(folder)
    run.wait_for(lambda line: "Started: sim" in line)
    yield run
    run.process.kill()
    run.process.wait(60)
    run.out.close()
    end_page(run)


def end_page(run: SimRun) -> None:
    """End the page that outlives a system that was killed."""
    address = read_address(run.run_dir)
    if address is not None and Path(f"/proc/{address.pid}").exists():
        os.kill(address.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def logged_in(run: SimRun, browser: Browser) -> Iterator[BrowserContext]:
    """Come by the link that lies beside the run, once."""
    context = browser.new_context(color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto((run.run_dir / LINK_FILE).read_text().strip())
    expect(page.locator("#banner .state.RUNNING")).to_be_visible(timeout=PATIENCE_MS)
    assert not (run.run_dir / LINK_FILE).exists()
    page.close()
    yield context
    context.close()


@pytest.fixture
def watched(run: SimRun, logged_in: BrowserContext) -> Iterator[Watched]:
    found = Watched(logged_in, url_of(run))
    found.page.goto(url_of(run))
    yield found
    found.page.close()


def url_of(run: SimRun) -> str:
    address = read_address(run.run_dir)
    assert address is not None
    return address.url


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "looks",
    [
        pytest.param([("wide", "light"), ("tablet", "light"), ("phone", "dark")], id="each size"),
        pytest.param(LOOKS, marks=pytest.mark.complete, id="all looks"),
    ],
)
def test_each_page_is_drawn_and_fits_its_screen(
    run: SimRun, watched: Watched, looks: list[tuple[str, str]]
) -> None:
    page = watched.page
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    run.wait_for(lambda line: "SHORT opened" in line)
    for path in PAGES:
        where = page.locator(f'#nav a[href="/{path}"]')
        where.click()
        expect(where).to_have_attribute("aria-current", "page")
        page.locator("#page .card").first.wait_for()
        if path in CHARTS:
            page.locator(f"{CHARTS[path]} .main-svg").first.wait_for()
        for size, scheme in looks:
            width, height = SIZES[size]
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            name = path.replace("/", "-") or "portfolio"
            page.screenshot(path=ARTIFACTS / f"{name}-{size}-{scheme}.png")
            assert fits(page), f"{path} is wider than a {size}"

    assert watched.complaints == []
    assert watched.elsewhere == []


def fits(page: Page) -> bool:
    """Tell whether nothing has to be looked for beside the screen, or beside a table's place.

    Tables that compare their rows keep them as rows, and their first column in sight.
    """
    is_wider = "(e => e.scrollWidth > e.clientWidth)"
    return not page.evaluate(
        f"[document.documentElement, ...document.querySelectorAll('.stacks')].some({is_wider})"
    )


@pytest.mark.timeout(240)
@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.complete)])
def test_each_page_can_be_used_by_all_people(watched: Watched, scheme: str) -> None:
    page = watched.page
    page.emulate_media(color_scheme=scheme)
    found = {}
    for path in PAGES:
        page.locator(f'#nav a[href="/{path}"]').click()
        page.locator("#page .card").first.wait_for()
        violations = Axe().run(page).response["violations"]
        found[path] = [
            f"{each['id']}: {node['html'][:200]}"
            for each in violations
            if each["impact"] in SERIOUS
            for node in each["nodes"][:3]
        ]

    assert {path: each for path, each in found.items() if each} == {}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("size", SIZES)
def test_no_link_moves_when_the_first_figures_come(
    run: SimRun, logged_in: BrowserContext, size: str
) -> None:
    width, height = SIZES[size]
    page = logged_in.new_page()
    page.set_viewport_size({"width": width, "height": height})
    page.route_web_socket("**/live*", lambda _socket: None)
    page.goto(url_of(run))
    page.locator('#nav a[href="/risk"]').wait_for()
    before = places_of_links(page)
    page.close()

    page = logged_in.new_page()
    page.set_viewport_size({"width": width, "height": height})
    page.goto(url_of(run))
    page.locator('#nav a[href="/asset/BTC"]').wait_for()
    after = places_of_links(page)
    page.close()

    assert before == {path: place for path, place in after.items() if path in before}
    assert len(after) > len(before)


def places_of_links(page: Page) -> dict[str, list[float]]:
    """Return where each link of the navigation is, by its address."""
    found = page.evaluate(
        "[...document.querySelectorAll('#nav a')].map(a => [a.getAttribute('href'),"
        " [a.getBoundingClientRect().x, a.getBoundingClientRect().y]])"
    )
    return dict(found)


@pytest.mark.timeout(240)
def test_a_trade_appears_without_a_reload(run: SimRun, watched: Watched) -> None:
    page = watched.page
    page.evaluate("window.isSame = true")
    page.locator('#nav a[href="/trades"]').click()
    run.wait_for(lambda line: "SHORT closed" in line)

    page.locator("#page tbody tr").first.wait_for()
    page.get_by_role("button", name="Why").first.click()
    page.locator("#why .sequence li").nth(5).wait_for()
    page.screenshot(path=ARTIFACTS / "why-wide-light.png")

    assert page.evaluate("window.isSame") is True
    chain = page.locator("#why .sequence b").all_inner_texts()
    assert [name.strip() for name in chain][:2] == ["candle", "indicators"]
    assert {"order", "fill", "trade"} <= {name.strip() for name in chain}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("address", ["portfolio", "asset/BTC", "execution/BTC"])
def test_an_actor_s_state_is_what_the_facts_would_rebuild(watched: Watched, address: str) -> None:
    page = watched.page
    page.locator('#nav a[href="/actors"]').click()
    page.get_by_role("button", name=f"Look at {address}").click()

    page.locator("#looked tbody tr").first.wait_for()
    # A message may be on its way while both are read.
    different = page.locator("#looked tbody tr:has(.alarm)")
    expect(different).to_have_text([], timeout=PATIENCE_MS)  # unlike a count it is told which
    page.screenshot(path=ARTIFACTS / f"looked-{address.replace('/', '-')}.png")


@pytest.mark.timeout(240)
def test_a_crash_is_shown_with_the_command_that_replays_it_and_its_message_dropped(
    watched: Watched,
) -> None:
    page = watched.page
    page.locator('#nav a[href="/actors"]').click()
    crash = page.get_by_role("region", name="Crashes").locator("tbody tr").first
    crash.locator("summary").click()

    expect(crash).to_contain_text("poison with secret-token")
    expect(crash).to_contain_text("replay asset/BTC --pdb")
    page.get_by_role("button", name="Drop").click()
    page.locator("#confirm").click()
    expect(page.locator("#page")).to_contain_text("None is set aside", timeout=PATIENCE_MS)


@pytest.mark.timeout(240)
def test_the_health_is_shown_against_its_limits(watched: Watched) -> None:
    page = watched.page
    page.locator('#nav a[href="/health"]').click()

    figures = page.get_by_role("region", name="Health")
    expect(figures.locator("tr", has_text="disk")).to_contain_text("90% full")
    expect(page.get_by_text("Log level: INFO")).to_be_visible()
    page.get_by_role("button", name="DEBUG").click()
    page.locator("#confirm").click()
    expect(page.get_by_text("Log level: DEBUG")).to_be_visible(timeout=PATIENCE_MS)
    page.set_viewport_size({"width": SIZES["tablet"][0], "height": SIZES["tablet"][1]})
    cells = "e => e.scrollWidth > e.clientWidth ? [...e.querySelectorAll('td')] : []"
    assert figures.evaluate(f"e => ({cells})(e).map(cell => cell.innerText)") == []


@pytest.mark.timeout(240)
def test_the_audit_trail_is_filtered_on_the_page(run: SimRun, watched: Watched) -> None:
    page = watched.page
    run.wait_for(lambda line: "SHORT closed" in line)
    page.locator('#nav a[href="/audit"]').click()
    kinds = page.get_by_role("region", name="Audit trail").locator("tbody td:nth-child(2)")
    kinds.nth(5).wait_for()

    page.locator("#filter-kind").select_option("trade")
    page.locator("#filter-words").fill("pnl")

    expect(kinds.filter(has_not_text="trade")).to_have_count(0, timeout=PATIENCE_MS)
    expect(kinds.first).to_have_text("trade")
    expect(page.get_by_role("region", name="Accesses")).to_contain_text("by link")
    assert watched.complaints == []


@pytest.mark.timeout(240)
def test_what_was_opened_in_a_row_stays_open_when_a_row_comes_above_it(watched: Watched) -> None:
    page = watched.page
    page.locator('#nav a[href="/orders"]').click()
    rows = page.get_by_role("region", name="Decisions").locator("tbody tr")
    name = rows.first.get_attribute("id")
    assert name is not None
    page.locator(f'[id="{name}"] summary').click()

    expect(rows.first).not_to_have_id(name, timeout=PATIENCE_MS)

    opened = page.locator("#page tr:has(details[open])")
    expect(opened).to_have_count(1)
    expect(opened).to_have_id(name)


@pytest.mark.timeout(240)
def test_two_reports_of_the_run_are_made_by_the_page_and_compared(watched: Watched) -> None:
    page = watched.page
    page.locator('#nav a[href="/backtest"]').click()
    for _ in range(2):
        page.get_by_role("button", name="Start").click()

    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open").first.click()
    report = opened.value
    report.set_default_timeout(PATIENCE_MS)
    report.locator(".js-plotly-plot .main-svg").first.wait_for()

    assert "Beside the backtest of the same candles" in report.content()
    report.close()
    for _ in range(2):
        page.get_by_role("button", name="Choose:").first.click()
    page.locator("#curves .main-svg").first.wait_for()
    page.screenshot(path=ARTIFACTS / "compared-wide-light.png")
    assert watched.complaints == []


@pytest.mark.timeout(240)
def test_a_pause_holds_and_is_stored_with_who_asked(run: SimRun, watched: Watched) -> None:
    page = watched.page
    page.get_by_role("button", name="Pause all").click()
    page.locator("#confirm").click()
    expect(page.locator("#banner .state.PAUSED")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Resume all").click()
    page.locator("#confirm").click()
    expect(page.locator("#banner .state.PAUSED")).to_be_hidden(timeout=PATIENCE_MS)

    stored = journal(
        run.run_dir,
        "SELECT command, operator FROM operator_command WHERE command IN ('pause', 'resume')",
    )
    assert {("pause", "web/owner"), ("resume", "web/owner")} <= set(stored)


@pytest.mark.timeout(240)
def test_a_page_and_a_system_that_were_killed_come_back_by_themselves(
    run: SimRun,
    watched: Watched,
    browser: Browser,
) -> None:
    page = watched.page
    run.wait_for(lambda line: "SHORT closed" in line)
    expect(page.locator("#banner .state.RUNNING")).to_be_visible(timeout=PATIENCE_MS)
    address = read_address(run.run_dir)
    assert address is not None

    os.kill(address.pid, signal.SIGKILL)
    expect(page.locator("#banner .DOWN")).to_contain_text("the page does not answer")
    expect(page.locator("#banner .DOWN")).to_be_hidden(timeout=PATIENCE_MS)

    run.process.kill()
    run.process.wait(60)
    expect(page.locator("#banner .DOWN")).to_contain_text("it is not running", timeout=PATIENCE_MS)
    page.screenshot(path=ARTIFACTS / "down-wide-light.png")
    look_at_ended(run, browser)
    again = begin(run.run_dir.parent)
    try:
        expect(page.locator("#banner .DOWN")).to_be_hidden(timeout=PATIENCE_MS)
    finally:
        run.out.close()
        vars(run).update(vars(again))
    assert url_of(run) == address.url
    # The page of the killed run may see the new one before it makes room for that one's page.
    page.wait_for_function(
        "() => fetch('/api/me').then(it => it.json()).then(me => me.user).catch(() => '')"
        ".then(user => user === 'owner')",
        timeout=PATIENCE_MS,
    )


def look_at_ended(run: SimRun, browser: Browser) -> None:
    """Look at what a run has left behind, beside itself, by a page that has never seen it alive."""
    left = run.run_dir.parent / "left"
    shutil.copytree(run.run_dir, left, ignore=shutil.ignore_patterns("web.*"))
    process = start_page(left, "--run-dir", str(run.run_dir))
    try:
        page = browser.new_context().new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto((left / LINK_FILE).read_text().strip())
        expect(page.locator("#banner .DOWN")).to_contain_text(
            "from the journal", timeout=PATIENCE_MS
        )
        page.locator('#nav a[href="/asset/BTC"]').click()
        page.locator("#candles .main-svg").first.wait_for()
        page.locator('#nav a[href="/trades"]').click()
        page.locator("#page tbody tr").first.wait_for()
        page.locator('#nav a[href="/compare"]').click()
        runs = page.get_by_role("region", name="Runs side by side").locator("tbody td:first-child")
        expect(runs).to_have_text(["left", "run"], timeout=PATIENCE_MS)
        page.locator("#runs .main-svg").first.wait_for()
        page.screenshot(path=ARTIFACTS / "runs-wide-light.png")
        page.context.close()
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.timeout(240)
def test_a_panic_by_the_page_ends_flat_and_latched(run: SimRun, watched: Watched) -> None:
    page = watched.page
    expect(page.locator("#banner .DOWN")).to_be_hidden(timeout=PATIENCE_MS)

    page.get_by_role("button", name="PANIC").click()
    expect(page.locator("#dialog")).to_contain_text("closes every position")
    page.locator("#confirm").click()

    expect(page.locator("#banner .state.PANIC")).to_contain_text(
        "all flat at the exchange", timeout=PATIENCE_MS
    )
    page.screenshot(path=ARTIFACTS / "panic-wide-light.png")
    positions = run.exchange("/sim/state")["positions"]
    assert [each for each in positions if float(each["size"])] == []
