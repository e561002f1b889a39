"""Every error that a user can be told is found in the documentation by its words."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "troubleshooting.md"
ERRORS = {"ConfigError", "JournalError", "JournalFullError", "NotTradableError"} | {
    "LateAnswerError",
    "NoAnswerError",
}
FINDINGS = {"fail", "warn"}
SHORTEST = 12
"""Characters; what is shorter is no words to search for."""
SOURCES = [
    file
    for root in ("bin", "infra")
    for file in sorted((ROOT / root).rglob("*.py"))
    if not {"simulator", "drills"} & set(file.parts) and file.name != "drills.py"
]


def fragments(node: ast.expr, named: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Yield the longest part of each text that an expression stands for, between its values."""
    match node:
        case ast.Name(id=name):
            for value in named.get(name, []):
                if not isinstance(value, ast.Name):
                    yield from fragments(value, named)
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            texts = [one.value for one in values if isinstance(one, ast.Constant)]
            yield max(map(str, texts), key=len, default="")


def assigned(tree: ast.AST) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    return found


def told_in(file: Path) -> Iterator[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    is_check = "preflight" in file.parts or file.name == "check.py"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in ERRORS:
                texts = node.args[:1]
            elif is_check and node.func.id in FINDINGS:
                texts = node.args[3:]
            else:
                continue
            for text in texts:
                yield from fragments(text, assigned(tree))


def plain(text: str) -> str:
    return " ".join(text.replace("`", "").replace("\\|", "|").split()).strip(" :;,.()")


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_error_is_found_by_its_words(file: Path) -> None:
    page = plain(PAGE.read_text(encoding="utf-8"))
    words = {plain(text) for text in told_in(file)}

    assert [text for text in words if len(text) >= SHORTEST and text not in page] == []


def test_errors_are_found_in_the_sources() -> None:
    assert sum(len(list(told_in(file))) for file in SOURCES) > 100
