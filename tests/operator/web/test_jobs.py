"""Backtests and reports by the page: who may, one at a time, and a report that cannot act."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.operator.web.jobs import Jobs, Kind, Wanted
from infra.operator.web.users import Role, set_password
from tests.operator.web.made import PATIENCE_S, Browser, Page, served, with_timeout

PASSWORD = "correct horse battery"
START_MS = 1_743_465_600_000
BACKTEST = {"kind": "backtest", "candles": "candles"}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("var")
    (folder / "run").mkdir()
    (folder / "candles").mkdir()
    lines = [f"{START_MS + i * 300_000},10,11,9,10,1" for i in range(12)]
    text = "\n".join(["open_time,open,high,low,close,volume", *lines])
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        (folder / "candles" / f"{symbol}.csv").write_text(text)
    set_password(folder / "run", "ann", Role.VIEWER, PASSWORD)
    with served(folder / "run") as made:
        yield made


def jobs(browser: Browser) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(browser.call("GET", "/api/jobs")[2])["jobs"]
    return found


def ended(browser: Browser, job_id: str) -> dict[str, Any]:
    """Wait for the end of a job, in which no two run at once; return it, and how far it was."""
    until_s, seen = time.monotonic() + PATIENCE_S, []
    while True:
        found = jobs(browser)
        assert sum(each["state"] == "running" for each in found) <= 1
        job = next(each for each in found if each["id"] == job_id)
        if job["state"] not in ("waits", "running"):
            return {**job, "seen": seen}
        seen.append(job["progress"])
        assert time.monotonic() < until_s, job
        with_timeout(browser.page.process, 0.05)


def ask(browser: Browser, body: object, **headers: str) -> tuple[int, dict[str, Any]]:
    status, _, text = browser.call("POST", "/api/job", body, **headers)
    return status, json.loads(text)


@pytest.mark.timeout(600)
def test_two_backtests_run_one_after_the_other_and_their_reports_cannot_act(page: Page) -> None:
    operator = page.by_link()

    first = ask(operator, {**BACKTEST, "assets": "BTC", "balance": "5000"})
    second = ask(operator, BACKTEST)

    assert (first[0], second[0]) == (200, 200)
    done = [ended(operator, each[1]["id"]) for each in (first, second)]
    assert [each["state"] for each in done] == ["done", "done"], done
    assert [each["figures"]["final_balance"] for each in done] == [5000.0, 10_000.0]
    assert list(done[0]["figures"]["per_asset"]) == ["BTC"]
    status, headers, text = operator.call("GET", f"/report/{done[0]['id']}")
    assert (status, "<h1>Backtest</h1>" in text) == (200, True)
    # A page of its own origin: with the session's cookie out of its reach.
    assert headers["content-security-policy"].startswith(
        "sandbox allow-scripts; default-src 'none'"
    )
    assert Browser(page).call("GET", f"/report/{done[0]['id']}")[0] == 401
    assert page.accesses()[-1]["what"] == "report"
    assert {"phase": "writing", "done": 0, "total": 0} in done[0]["seen"]
    curve = json.loads(operator.call("GET", f"/api/curve/{done[1]['id']}")[2])
    assert (curve["time"][0], set(curve["growth"])) == (START_MS + 300_000, {0.0})
    assert Browser(page).call("GET", f"/api/curve/{done[1]['id']}")[0] == 401
    assert operator.call("GET", "/api/curve/..")[0] == 404


def test_a_job_that_fails_says_why(page: Page) -> None:
    operator = page.by_link()

    _, said = ask(operator, {"kind": "run"})

    job = ended(operator, said["id"])
    assert job["state"] == "failed"
    assert "journal" in job["words"]
    assert operator.call("GET", f"/report/{said['id']}")[0] == 404


def test_no_report_of_an_encrypted_run_is_left_readable(tmp_path: Path) -> None:
    (tmp_path / "encryption.json").touch()
    jobs = Jobs(tmp_path, {"live": tmp_path})

    with pytest.raises(ValueError, match="live is encrypted"):
        jobs.ask(Wanted(kind=Kind.RUN), "ann", "live")

    assert [file.name for file in tmp_path.iterdir()] == ["encryption.json"]


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "backtest", "candles": "../../etc"},
        {**BACKTEST, "settings": "../settings.yaml"},
        {**BACKTEST, "assets": "BTC --trades /tmp/x"},
        {**BACKTEST, "from_time": "--help"},
        {"kind": "sweep"},
        {**BACKTEST, "scheduler": "tcp://10.0.0.1:1"},
    ],
)
def test_only_what_the_form_offers_is_done(page: Page, body: dict[str, str]) -> None:
    operator = page.by_link()
    before = len(jobs(operator))

    assert ask(operator, body)[0] == 422
    assert len(jobs(operator)) == before


def test_a_viewer_and_a_foreign_page_start_nothing(page: Page) -> None:
    viewer, operator = Browser(page), page.by_link()
    assert viewer.log_in(user="ann", password=PASSWORD) == 200
    before = len(jobs(viewer))

    assert ask(viewer, BACKTEST)[0] == 403
    assert ask(operator, BACKTEST, X_CSRF_Token="guessed")[0] == 403
    assert len(jobs(viewer)) == before


@pytest.mark.parametrize("job_id", ["..", "20260101-000000-00000000", "a/../../users"])
def test_what_is_no_report_is_not_found(page: Page, job_id: str) -> None:
    assert page.by_link().call("GET", f"/report/{job_id}")[0] == 404
