"""The floors of the house: who may import whom."""

import ast
import re
from functools import cache
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


@cache
def imports_of(file: Path) -> frozenset[str]:
    """Return every module that a file imports, hidden under TYPE_CHECKING or not."""
    found = set[str]()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


@cache
def our_imports() -> dict[str, set[str]]:
    """Return which of our modules each of our modules imports."""
    names = {module_name(file) for file in FILES}
    graph = {}
    for file in FILES:
        found = imports_of(file)
        ours = {name if name in names else name.rpartition(".")[0] for name in found}
        graph[module_name(file)] = (ours & names) - {module_name(file)}
    return graph


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_a_floor_imports_only_what_lies_below_it(file: Path) -> None:
    floor = file.relative_to(ROOT).parts[0]

    imported = {name.partition(".")[0] for name in imports_of(file)}

    assert imported & set(MAY_IMPORT) <= MAY_IMPORT[floor]


def test_bootstrap_alone_knows_both_wings() -> None:
    wings = {"actors", "infra"}

    knowing = [
        name
        for name, found in our_imports().items()
        if wings <= {other.partition(".")[0] for other in found}
    ]

    assert all(name.startswith("bin.bootstrap.") for name in knowing)


MOST_LINES_OF_BIN = 3_000


def test_bin_is_thin() -> None:
    """A command parses, calls, prints and returns its code; what is more belongs elsewhere."""
    files = (file for file in FILES if file.is_relative_to(ROOT / "bin"))

    lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)

    assert 0 < lines <= MOST_LINES_OF_BIN


def reached_from(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += graph[name]
    return seen


def test_there_are_no_circles() -> None:
    graph = our_imports()

    assert [name for name in graph if name in reached_from(graph, name)] == []


def nodes_between(graph: dict[str, set[str]], folder: tuple[str, ...]) -> dict[str, set[str]]:
    """Return what the files and folders directly in a folder import of one another."""
    depth = len(folder)

    def node(name: str) -> str | None:
        parts = name.split(".")
        inside = tuple(parts[:depth]) == folder and len(parts) > depth
        return parts[depth] if inside else None

    found: dict[str, set[str]] = {}
    for name, others in graph.items():
        here = node(name)
        if here is not None:
            there = {other for other in map(node, others) if other not in (None, here)}
            found.setdefault(here, set()).update(there)
    return found


def test_no_folder_imports_itself_by_way_of_another() -> None:
    graph = our_imports()
    folders = {
        tuple(name.split(".")[:depth]) for name in graph for depth in range(name.count(".") + 1)
    }

    circles = []
    for folder in sorted(folders):
        nodes = nodes_between(graph, folder)
        circles += [(folder, node) for node in nodes if node in reached_from(nodes, node)]

    assert circles == []


def test_no_file_imports_its_own_package_by_its_face() -> None:
    offenders = [
        name
        for name, found in our_imports().items()
        for other in found
        if name.startswith(f"{other}.")
        and (ROOT / other.replace(".", "/") / "__init__.py").exists()
    ]

    assert offenders == []


DOMAIN_LAYERS = ("market", "strategies", "rules", "trading", "portfolio", "backtesting")


def test_inside_the_domain_imports_go_downwards_only() -> None:
    for name, found in our_imports().items():
        layers = [DOMAIN_LAYERS.index(n.split(".")[1]) for n in (name, *found) if is_layered(n)]
        if is_layered(name):
            assert max(layers) == layers[0], name


def is_layered(name: str) -> bool:
    parts = name.split(".")
    return len(parts) > 1 and parts[0] == "domain" and parts[1] in DOMAIN_LAYERS


def test_the_supervision_core_knows_nothing_of_trading() -> None:
    core = {name: found for name, found in our_imports().items() if name.startswith("actors.core")}

    assert len(core) > 5
    assert all(other.startswith("actors.core") for found in core.values() for other in found)


def test_the_domain_has_no_clock_no_chance_no_threads_and_no_files() -> None:
    banned = {"time", "datetime", "random", "threading", "os", "pathlib", "socket", "logging"}

    for file in (ROOT / "domain").rglob("*.py"):
        found = {name.partition(".")[0] for name in imports_of(file)}
        assert found & banned == set(), file


INDICATORS = re.compile(
    r"(?<![A-Za-z])([Ee]ma|EMA|[Mm]acd|MACD|[Rr]si|RSI|[Bb]ollinger|BOLLINGER)(?![a-z])"
    r"|\b(cross|crosses|crossed_|cross_ms|bearish|bullish)(?=\b|_)"
)
KNOW_INDICATORS = (
    "domain/strategies/",
    "domain/market/indicators.py",
    "domain/market/averages.py",
    "domain/backtesting/market.py",
    "infra/settings/",
    "infra/store/schema.py",
    "infra/store/codec.py",
    "infra/trace/names.py",
    "infra/trace/old_rules.py",
    "infra/venues/",
)
"""The strategies, what they compute with (a sweep: for all pairs at once), their own sections, the
history of tables, the names of older programs, and venues, where an order crosses the book."""


def test_nobody_but_a_strategy_and_its_settings_knows_its_indicators() -> None:
    others = [f for f in FILES if not str(f.relative_to(ROOT)).startswith(KNOW_INDICATORS)]

    knowing = {f: found for f in others if (found := INDICATORS.search(f.read_text("utf-8")))}

    assert knowing == {}


DATABASES = {"peewee", "sqlite3", "sqlcipher3", "psycopg"}


def test_nobody_but_the_store_opens_a_database() -> None:
    """One drill breaks a database on purpose, and `version` names SQLite's; neither opens one."""
    opening = [
        str(file.relative_to(ROOT))
        for file in FILES
        if DATABASES & {n.partition(".")[0] for n in imports_of(file)}
    ]

    others = {name for name in opening if not name.startswith("infra/store/")}
    assert others == {"infra/drills/broken_database.py", "actors/operator/views.py"}
