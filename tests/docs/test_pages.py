"""The documentation: its links lead somewhere, and the commands it shows exist."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from infra.settings import load_settings
from tests.command.commands import wrong_in

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md"))
    if not page.is_symlink()
)
FENCE = re.compile(r"(?ms)^ *```(\w*)\n(.*?)^ *```")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
LINES_OF_THE_README = 120


def named(pages: list[Path]) -> dict[str, Any]:
    return {"argvalues": pages, "ids": [str(page.relative_to(ROOT)) for page in pages]}


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MkDocs make them."""
    heads = re.findall(r"(?m)^#+ (.+)$", FENCE.sub("", text_of(page)))
    plain = (re.sub(r"[^\w\- ]", "", head.lower()) for head in heads)
    return {re.sub(r" ", "-", head.strip()) for head in plain}


@pytest.mark.parametrize("page", **named(PAGES))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    links = [link for link in LINK.findall(FENCE.sub("", text_of(page))) if ":" not in link]
    wrong = []
    for link in links:
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)

    assert wrong == []


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    readme = text_of(ROOT / "README.md")
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in LINK.findall(readme)}

    assert len(readme.splitlines()) <= LINES_OF_THE_README
    pages = {page.resolve() for page in ROOT.glob("docs/*.md")}
    assert pages - {ROOT / "docs" / "index.md"} <= linked


def shown(page: Path) -> Iterator[list[str]]:
    """Yield the words of each command of bin/ that a page shows, in a block or in a line."""
    text = text_of(page)
    blocks = [body for kind, body in FENCE.findall(text) if kind in {"", "bash", "console"}]
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]*(?:\n[^`\n]+)?)`", FENCE.sub("", text))
    for line in (*lines, *(" ".join(found.split()) for found in inline)):
        if match := re.match(r"(?:[A-Z_]+=\S+ )*((?:/\S+/)?bin/[a-z][a-z-]*(?: .*)?)$", line):
            yield shlex.split(match[1], comments=True)


@pytest.mark.parametrize("page", **named(PAGES))
def test_every_command_that_is_shown_exists_with_its_options(page: Path) -> None:
    wrong = [(" ".join(words), *wrong_in(words)) for words in shown(page)]

    assert [found for found in wrong if len(found) > 1] == []


def test_commands_are_found_and_wrong_ones_are_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`bin/nothing`, `bin/ctl stats`,\n```\nLIVE_TRADING=yes bin/check --mod live  # --x\n"
        "bin/trace tail --asset ETH --to x\n```\n"
    )

    found = [list(wrong_in(words)) for words in shown(page)]

    assert sorted(found) == [
        ["no command bin/nothing"],
        ["no command stats in ctl"],
        ["no option --mod of check"],
        ["no option --to of trace tail"],
    ]


@pytest.mark.parametrize("page", **named(PAGES))
def test_every_settings_block_is_accepted(page: Path, tmp_path: Path) -> None:
    blocks = [body for kind, body in FENCE.findall(text_of(page)) if kind == "yaml"]
    for number, block in enumerate(blocks):
        file = tmp_path / f"{number}.yaml"
        file.write_text(block)
        load_settings(file, environ={}, dotenv=None)
