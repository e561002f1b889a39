"""The floors of the house: who may import whom."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "domain": {"domain"},
    "actors": {"actors", "domain"},
    "infra": {"infra", "domain"},
    "bin": {"bin", "actors", "infra", "domain"},
}
FILES = [file for floor in MAY_IMPORT for file in sorted((ROOT / floor).rglob("*.py"))]


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: str) -> set[str]:
    """Return every module that a source imports, hidden under TYPE_CHECKING or not."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def our_imports() -> dict[str, set[str]]:
    """Return which of our modules each of our modules imports."""
    names = {module_name(file) for file in FILES}
    graph = {}
    for file in FILES:
        found = imports_of(file.read_text(encoding="utf-8"))
        ours = {name if name in names else name.rpartition(".")[0] for name in found}
        graph[module_name(file)] = (ours & names) - {module_name(file)}
    return graph


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_a_floor_imports_only_what_lies_below_it(file: Path) -> None:
    floor = file.relative_to(ROOT).parts[0]

    imported = {name.partition(".")[0] for name in imports_of(file.read_text(encoding="utf-8"))}

    assert imported & set(MAY_IMPORT) <= MAY_IMPORT[floor]


def test_bootstrap_alone_knows_both_wings() -> None:
    wings = {"actors", "infra"}

    knowing = [
        name
        for name, found in our_imports().items()
        if wings <= {other.partition(".")[0] for other in found}
    ]

    assert all(name.startswith("bin.bootstrap.") for name in knowing)


def test_there_are_no_circles() -> None:
    graph = our_imports()

    def reaches(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = list(graph[start])
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += graph[name]
        return seen

    assert [name for name in graph if name in reaches(name)] == []


def test_the_supervision_core_knows_nothing_of_trading() -> None:
    core = {name: found for name, found in our_imports().items() if name.startswith("actors.core")}

    assert len(core) > 5
    assert all(other.startswith("actors.core") for found in core.values() for other in found)


def test_the_domain_has_no_clock_no_chance_no_threads_and_no_files() -> None:
    banned = {"time", "datetime", "random", "threading", "os", "pathlib", "socket", "logging"}

    for file in (ROOT / "domain").rglob("*.py"):
        found = {name.partition(".")[0] for name in imports_of(file.read_text(encoding="utf-8"))}
        assert found & banned == set(), file
