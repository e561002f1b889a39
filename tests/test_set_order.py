"""The order of a set depends on the hash seed: nothing may be done, told or stored in it."""

import ast
import inspect
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from actors.trace_types import PORTS, VALUES, messages

ROOT = Path(__file__).resolve().parents[1]
FILES = [file for floor in ("actors", "domain") for file in sorted((ROOT / floor).rglob("*.py"))]
SETS = ("set", "frozenset", "Set", "AbstractSet")
COMBINE = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)
IN_ORDER = {"list", "tuple", "enumerate", "iter", "next", "zip", "map", "filter", "reversed", "sum",
            "join", "fromkeys", "extend", "chain", "product", "combinations", "dict"}  # fmt: skip
"""Calls whose result depends on the order of what they are given; ties and roundings too."""
ORDERLESS = {"sorted", "any", "all", "len", "min", "max", "set", "frozenset"}


def called(node: ast.expr) -> str | None:
    """Return the last name of what is called."""
    match node:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name
    return None


def is_set_hint(node: ast.expr | None) -> bool:
    match node:
        case ast.Name(id=name):
            return name in SETS
        case ast.Subscript(value=value):
            return is_set_hint(value)
        case ast.Constant(value=str(text)):
            return is_set_hint(ast.parse(text, mode="eval").body)
        case ast.BinOp(left=left, right=right):
            return is_set_hint(left) or is_set_hint(right)
    return False


class Sets:
    """Which names stand for sets: attributes and functions anywhere, variables in their file."""

    def __init__(self, trees: list[ast.Module]) -> None:
        self.everywhere = set[str]()
        """Attributes, and methods that are read like one."""
        self.functions, self.methods = set[str](), set[str]()
        for tree in trees:
            self.everywhere |= set(self._annotated(tree))
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef) and is_set_hint(node.returns):
                    is_method = [argument.arg for argument in node.args.args[:1]] == ["self"]
                    (self.methods if is_method else self.functions).add(node.name)
        self.everywhere |= self.methods
        for tree in trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.Assign) and self.makes_set(node.value, set()):
                    names = [t.attr for t in node.targets if isinstance(t, ast.Attribute)]
                    self.everywhere |= set(names)

    def _annotated(self, tree: ast.Module) -> Iterator[str]:
        for node in ast.walk(tree):
            match node:
                case ast.AnnAssign(target=target, annotation=hint) if is_set_hint(hint):
                    yield target.attr if isinstance(target, ast.Attribute) else ast.unparse(target)

    def variables(self, function: ast.AST) -> set[str]:
        found = {
            node.arg
            for node in ast.walk(function)
            if isinstance(node, ast.arg) and is_set_hint(node.annotation)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and self.makes_set(node.value, found):
                found |= {t.id for t in node.targets if isinstance(t, ast.Name)}
        return found

    def makes_set(self, node: ast.expr, variables: set[str]) -> bool:  # noqa: PLR0911 (a table)
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Name(id=name):
                return name in variables
            case ast.Attribute(attr=name):
                return name in self.everywhere
            case ast.BinOp(left=left, right=right, op=op) if isinstance(op, COMBINE):
                return self.makes_set(left, variables) or self.makes_set(right, variables)
            case ast.IfExp(body=body, orelse=orelse):
                return self.makes_set(body, variables) or self.makes_set(orelse, variables)
            case ast.Call(func=ast.Name(id=name)):
                return name in {"set", "frozenset"} | self.functions
            case ast.Call(func=ast.Attribute(attr=name)):
                return name in self.methods
        return False

    def uses_in_order(self, function: ast.AST) -> Iterator[ast.expr]:
        """Yield each set that is gone through in its own order."""
        variables = self.variables(function)
        orderless = {
            id(argument)
            for node in ast.walk(function)
            if isinstance(node, ast.Call) and called(node) in ORDERLESS
            for argument in node.args
        }
        for node in ast.walk(function):
            for used in self._walked(node, orderless):
                if self.makes_set(used, variables):
                    yield used

    def _walked(self, node: ast.AST, orderless: set[int]) -> Iterator[ast.expr]:
        match node:
            case ast.For(iter=gone_through):
                yield gone_through
            case ast.ListComp() | ast.GeneratorExp() | ast.DictComp() if id(node) not in orderless:
                yield from (part.iter for part in node.generators)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                yield from (part.value for part in parts if isinstance(part, ast.Starred))
            case ast.Call(args=arguments) if called(node) in IN_ORDER:
                yield from arguments
            case ast.YieldFrom(value=value):
                yield value


def found_in(source: str, others: str = "") -> list[str]:
    trees = [ast.parse(source), ast.parse(others)]
    sets = Sets(trees)
    return sorted({ast.unparse(used) for used in sets.uses_in_order(trees[0])})


def test_no_decision_goes_through_a_set_in_its_own_order() -> None:
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}
    sets = Sets(list(trees.values()))

    found = [
        f"{file.relative_to(ROOT)}:{used.lineno}: {ast.unparse(used)}"
        for file, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for used in sets.uses_in_order(node)
    ]

    assert found == []


@pytest.mark.parametrize(
    ("source", "used"),
    [
        ("for x in {1, 2}: pass", ["{1, 2}"]),
        ("a = set()\nlist(a)", ["a"]),
        ("dict.fromkeys(meant - {'BTC'}, 1)", ["meant - {'BTC'}"]),
        ("def f(meant: frozenset[str]):\n    return [x for x in meant]", ["meant"]),
        ("class A:\n    held: set[str]\ndef f(a):\n    return ', '.join(a.held)", ["a.held"]),
        ("a = {1}\nb = (*a, 2)", ["a"]),
        ("for x in sorted({1, 2}): pass", []),
        ("a = {1}\nany(x for x in a)", []),
        ("a = {1}\nb = {x for x in a}", []),
        ("a = [1]\nfor x in a: pass", []),
    ],
)
def test_the_search_finds_what_goes_through_a_set(source: str, used: list[str]) -> None:
    assert found_in(source) == used


def sets_in(kind: Any, path: str, seen: set[Any]) -> Iterator[str]:
    """Yield where a type holds a set, in its fields or theirs."""
    origin = get_origin(kind) or kind
    if isinstance(origin, type) and issubclass(origin, AbstractSet):
        yield path
    for part in get_args(kind):
        yield from sets_in(part, path, seen)
    if is_dataclass(kind) and kind not in seen:
        seen.add(kind)
        hints = get_type_hints(kind)
        for field in fields(kind):
            yield from sets_in(hints[field.name], f"{path}.{field.name}", seen)


def test_no_message_holds_a_set_nor_does_what_an_actor_is_made_with() -> None:
    kinds, seen = messages() | dict(VALUES), set[Any]()

    assert len(kinds) > 40
    assert [path for name, kind in kinds.items() for path in sets_in(kind, name, seen)] == []


def test_no_port_is_given_or_answers_a_set() -> None:
    seen = set[Any]()
    found = [
        path
        for name, port in PORTS.items()
        for method, function in inspect.getmembers(port, inspect.isfunction)
        for part, hint in get_type_hints(function).items()
        for path in sets_in(hint, f"{name}.{method}.{part}", seen)
    ]

    assert found == []
