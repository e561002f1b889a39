"""The documentation is built, without a link that leads nowhere and without another host."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LOADED = re.compile(
    r"""<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=["']?(https?://[^"' >]+)"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_in_the_navigation_and_built(site: Path) -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = {name for entry in yaml.safe_load(text)["nav"] for name in entry.values()}

    assert listed == {page.name for page in (ROOT / "docs").glob("*.md")}
    assert {file.stem for file in site.glob("*.html")} >= {name[:-3] for name in listed}


def test_the_pages_load_nothing_from_another_host(site: Path) -> None:
    pages = [file.read_text(encoding="utf-8") for file in site.rglob("*.html")]

    assert [found for page in pages for found in LOADED.findall(page)] == []


def test_every_block_of_code_is_one_on_its_page(site: Path) -> None:
    pages = [page for page in (ROOT / "docs").glob("*.md") if "```" in page.read_text("utf-8")]
    blocks = {page.stem: len(re.findall(r"(?m)^ *```", page.read_text("utf-8"))) for page in pages}

    built = {name: (site / f"{name}.html").read_text("utf-8").count("<pre") for name in blocks}
    assert built == {name: marks / 2 for name, marks in blocks.items()}


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_the_help_of_docs_fits_into_80_columns(option: str) -> None:
    done = subprocess.run(
        [ROOT / "bin" / "docs", option], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: bin/docs ")
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_wrong_word_of_docs_is_one_line_and_sets_nothing_up() -> None:
    done = subprocess.run(
        [ROOT / "bin" / "docs", "bulid"], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "docs: expected build, serve or configuration, found bulid\n"
