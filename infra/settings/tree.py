"""YAML files as trees of text that remember the line of each value.

Scalars stay text, so that 0.07 becomes Decimal("0.07") without passing through a float.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from yaml.composer import Composer

from infra.files import read_regular
from infra.settings.problems import Key, Place, Problem

EVERY = "*"
"""Stands for every item of a list in a path."""

_DEEPEST = 10
_SURROGATE = re.compile("[\ud800-\udfff]")
_KNOWN_TAG = re.compile(r"tag:yaml\.org,2002:(null|bool|int|float|str|timestamp|value|map|seq)")


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the settings with the place where it was written."""

    content: "str | dict[str, Node] | list[Node] | None"
    place: Place

    def plain(self) -> Any:
        """Return the content without the places."""
        match self.content:
            case dict(entries):
                return {key: node.plain() for key, node in entries.items()}
            case list(items):
                return [node.plain() for node in items]
            case text:
                return text

    def child(self, step: str | int) -> "Node | None":
        """Return the entry of a mapping or the item of a list; None if there is none."""
        match self.content, step:
            case dict(entries), str():
                return entries.get(step)
            case list(items), int() if step < len(items):
                return items[step]
            case _:
                return None

    def nearest(self, key: Key) -> "Node":
        """Return the node at the key, or the last existing one on the way to it."""
        node = self
        for step in key:
            below = node.child(step)
            if below is None:
                break
            node = below
        return node


class UnreadableError(Exception):
    """A file could not be read as settings; `problems` says why."""

    def __init__(self, *problems: Problem) -> None:
        """Keep the problems."""
        super().__init__()
        self.problems = problems


def merge(base: Node, over: Node) -> Node:
    """Return `base` overridden by `over`: mappings key by key, everything else replaced."""
    if not isinstance(base.content, dict) or not isinstance(over.content, dict):
        return over
    merged = dict(base.content)
    for key, node in over.content.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return replace(base, content=merged)


def put(node: Node, key: Key, value: Node) -> Node:
    """Return the tree with the value at the key; unchanged if the path does not exist."""
    if not key:
        return value
    step, rest = key[0], key[1:]
    match node.content:
        case list(items) if step == EVERY:
            return replace(node, content=[put(item, rest, value) for item in items])
        case list(items) if isinstance(step, int) and step < len(items):
            below = put(items[step], rest, value)
            return replace(node, content=[*items[:step], below, *items[step + 1 :]])
        case dict(entries) if not rest or step in entries:
            below = entries.get(str(step), value)
            return replace(node, content=entries | {str(step): put(below, rest, value)})
        case _:
            return node


def read_text(file: Path) -> str:
    """Return a file's text.

    Raises:
        UnreadableError: the file cannot be read, or is not UTF-8.
    """
    try:
        data = read_regular(file)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UnreadableError(_problem(file, 0, f"cannot be read: {why}")) from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableError(_problem(file, 1, "found UTF-16 text; allowed: UTF-8 text"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        text = "found bytes that are not UTF-8 text; allowed: UTF-8 text"
        raise UnreadableError(_problem(file, line, text)) from None


def read_tree(file: Path) -> Node:
    """Return a YAML file's tree.

    Raises:
        UnreadableError: the file is not a YAML mapping, or has a key twice.
    """
    root = compose(file, read_text(file))
    if root is None or root.tag.endswith(":null"):
        raise UnreadableError(_problem(file, 1, "the file is empty; allowed: sections of settings"))
    if not isinstance(root, yaml.MappingNode):
        text = f"found {_kind(root)} at the top; allowed: sections of settings (`portfolio:` ...)"
        raise UnreadableError(_problem(file, _line(root), text))
    reader = _Reader(file)
    tree = reader.node(root, (), _line(root))
    if reader.problems:
        raise UnreadableError(*reader.problems)
    return tree


class _Reader:
    """Converts YAML nodes to ours, and collects uses of unsupported YAML features."""

    def __init__(self, file: Path) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._seen: set[int] = set()

    def node(self, node: yaml.Node, key: Key, line: int) -> Node:
        place = Place(file=str(self._file), line=line)
        if id(node) in self._seen:
            self._refuse(key, line, "found an alias (*name); allowed: the value itself")
            return Node(None, place)
        if len(key) > _DEEPEST:
            self._refuse(key[:1], line, "is nested too deeply")
            return Node(None, place)
        self._seen.add(id(node))
        if isinstance(node, yaml.ScalarNode) and _SURROGATE.search(node.value):
            self._refuse(key, line, "found half a character (a surrogate); allowed: whole ones")
        if not _KNOWN_TAG.fullmatch(node.tag):
            self._refuse(key, line, "found a YAML tag (!name); allowed: the value itself")
        return Node(self._content(node, key), place)

    def _content(self, node: yaml.Node, key: Key) -> str | dict[str, Node] | list[Node] | None:
        if isinstance(node, yaml.MappingNode):
            return self._entries(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self.node(item, (*key, i), _line(item)) for i, item in enumerate(node.value)]
        return None if node.tag.endswith(":null") else str(node.value)

    def _entries(self, node: yaml.MappingNode, key: Key) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for name_node, value in node.value:
            line = _line(name_node)
            if not isinstance(name_node, yaml.ScalarNode) or _SURROGATE.search(name_node.value):
                self._refuse(key, line, f"found {_kind(name_node)} as a key; allowed: a word")
                continue
            name = name_node.value
            if name in entries:
                first = entries[name].place.line
                self._refuse(
                    (*key, name), line, f"found a second time; the first is in line {first}"
                )
            entries[name] = self.node(value, (*key, name), line)
        return entries

    def _refuse(self, key: Key, line: int, text: str) -> None:
        self.problems.append(_problem(self._file, line, text, key=key))


if TYPE_CHECKING or yaml.__with_libyaml__:  # noqa: SIM108 (mypy needs a class)
    _Parser = yaml.CSafeLoader
else:  # PyYAML was built where libyaml was not installed
    _Parser = yaml.SafeLoader


class _Loader(Composer, _Parser):
    """Composes what libyaml parses, several times as fast as the parser in Python.

    libyaml's own composer would overrun the stack where a text is nested deeply.
    """

    def __init__(self, text: str) -> None:
        _Parser.__init__(self, text)
        Composer.__init__(self)


def compose(file: Path, text: str) -> yaml.Node | None:
    """Return the root of a YAML text; None if it is empty.

    Raises:
        UnreadableError: it is not valid YAML.
    """
    with suppress(yaml.YAMLError, RecursionError, ValueError):
        return yaml.compose(text, Loader=_Loader)
    return _compose_with_problems(file, text)


def _compose_with_problems(file: Path, text: str) -> yaml.Node | None:
    """Compose by the parser in Python, which says more clearly what is wrong."""
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        found = f"found the character {error.character:#x}; allowed: printable text"
        raise UnreadableError(_problem(file, line, found)) from None
    except yaml.MarkedYAMLError as error:
        raise UnreadableError(_syntax_problem(file, error)) from None
    except (RecursionError, ValueError, OverflowError) as error:
        # PyYAML lets these escape: errors from deep nesting, and from escapes such as "\UFFFFFFFF".
        why = f"not valid YAML: {type(error).__name__} in PyYAML"
        raise UnreadableError(_problem(file, 0, why)) from None
    return root


def _syntax_problem(file: Path, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem)
    if "undefined" in problem:  # YAML's message would quote what may be a secret
        problem = "text that begins with `*` or `!` needs quotes"
    return _problem(file, mark.line + 1 if mark else 1, f"not valid YAML: {problem}")


def _problem(file: Path, line: int, text: str, *, key: Key = ()) -> Problem:
    return Problem(place=Place(file=str(file), line=line), key=key, text=text)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _kind(node: yaml.Node) -> str:
    match node:
        case yaml.MappingNode():
            return "a mapping"
        case yaml.SequenceNode():
            return "a list"
        case _:
            return "a single value"
