"""Translates alternative names of settings in files to the names used here.

Each value keeps its place and its name in the file, so that errors refer to that name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from infra.settings.alias_names import ASSET, FOR_EACH_ASSET, SECTIONS
from infra.settings.problems import Key, Place, Problem, show_key
from infra.settings.tree import EVERY, Node, put

_ASSETS: Key = ("portfolio", "assets")
_QUOTE = "USDT"


@dataclass(frozen=True, slots=True)
class Alias:
    """A value that a file has under an alternative name."""

    place: Place
    """Its `setting` is the name in the file."""
    key: Key
    """The key it is read as."""
    value: str = ""
    """The value it is read as, if that differs from the file's."""

    def __str__(self) -> str:
        """Return a line for the user."""
        place = f"{self.place}: {self.place.setting}"
        return f"{place}: read as {show_key(self.key)}{f' = {self.value}' * bool(self.value)}"


class Translation:
    """A file's tree, translated to the names of `settings.yaml`."""

    def __init__(self, tree: Node) -> None:
        """Translate a file's tree."""
        self.problems: list[Problem] = []
        self._aliases: dict[str, Alias] = {}
        self._for_each_asset: list[tuple[str, Node]] = []
        self._tree = tree
        for section, names in SECTIONS.items():
            self._section(section, names)
        self._assets()
        self.tree = self._tree

    @property
    def aliases(self) -> tuple[Alias, ...]:
        """Values under alternative names, in the order of lines."""
        return tuple(sorted(self._aliases.values(), key=lambda alias: alias.place))

    def finish(self, merged: Node) -> Node:
        """Return the tree of all files with this file's values that are meant for every asset."""
        if self.tree.nearest(_ASSETS).content is merged.nearest(_ASSETS).content:
            return merged
        for name, node in self._for_each_asset:
            merged = put(merged, (*_ASSETS, EVERY, name), node)
        return merged

    def _section(self, section: Key, names: Mapping[str, Key]) -> None:
        for name, node in self._entries(section):
            key: Key = (*section, name)
            if name in FOR_EACH_ASSET.get(section, {}):
                setting = FOR_EACH_ASSET[section][name]
                self._remove(key)
                marked = self._noted(node, key, (*_ASSETS, EVERY, setting))
                self._for_each_asset.append((setting, marked))
            elif name in names:
                self._move(key, node, names[name])

    def _assets(self) -> None:
        found = self._tree.nearest(_ASSETS).content
        if not isinstance(found, list) or self._tree.child("portfolio") is None:
            return
        for index in range(len(found)):
            asset: Key = (*_ASSETS, index)
            for name, node in self._entries(asset):
                if name in ASSET:
                    self._move((*asset, name), node, (*asset, ASSET[name]))
            self._fill(asset)

    def _fill(self, asset: Key) -> None:
        """Give an asset the full name of its pair, and the values meant for every asset."""
        entries = dict(self._entries(asset))
        symbol = entries.get("symbol")
        if symbol is not None and isinstance(symbol.content, str) and _is_base(symbol.content):
            key: Key = (*asset, "symbol")
            whole = symbol.content.removesuffix(_QUOTE).rstrip("/-") + _QUOTE
            marked = self._noted(symbol, key, key, whole)
            self._tree = _set(self._tree, key, replace(marked, content=whole))
        for name, node in self._for_each_asset:
            if entries and name not in entries:
                self._tree = _set(self._tree, (*asset, name), node)

    def _entries(self, key: Key) -> list[tuple[str, Node]]:
        node: Node | None = self._tree
        for step in key:
            node = None if node is None else node.child(step)
        found = None if node is None else node.content
        return list(found.items()) if isinstance(found, dict) else []

    def _move(self, key: Key, node: Node, to: Key) -> None:
        self._remove(key)
        if isinstance(node.content, dict):
            for name, inner in node.content.items():
                self._place((*key, name), inner, (*to, name))
            return
        self._place(key, node, to)

    def _place(self, key: Key, node: Node, to: Key) -> None:
        there = dict(self._entries(to[:-1])).get(str(to[-1]))
        if there is not None:
            name = there.place.setting or show_key(to)
            text = (
                f"found beside {name} ({there.place}), which is the same; allowed: one of the two"
            )
            self.problems.append(Problem(place=node.place, key=key, text=text))
            return
        self._tree = _set(self._tree, to, self._noted(node, key, to))

    def _noted(self, node: Node, key: Key, to: Key, value: str = "") -> Node:
        # A section that was moved as a whole may hold more: keep the file's own name.
        name = node.place.setting or show_key(key)
        place = replace(node.place, setting=name)
        self._aliases[name] = Alias(place, to, value)
        return replace(node, place=place) if key != to else node

    def _remove(self, key: Key) -> None:
        self._tree = _without(self._tree, key)


def _is_base(text: str) -> bool:
    base = text.removesuffix(_QUOTE)
    is_pair = base != text and base[-1:] in {"/", "-"}
    base = base.rstrip("/-") if is_pair else base
    return (is_pair or base == text) and base.isascii() and base.isalnum() and base == base.upper()


def _set(node: Node, key: Key, value: Node) -> Node:
    """Return the tree with a value set at a key, creating mappings on the way."""
    if not key:
        return value
    step, rest = key[0], key[1:]
    if isinstance(node.content, list) and isinstance(step, int):
        items = node.content
        return replace(
            node, content=[*items[:step], _set(items[step], rest, value), *items[step + 1 :]]
        )
    entries = node.content if isinstance(node.content, dict) else {}
    below = entries.get(str(step), Node({}, value.place))
    return replace(node, content=entries | {str(step): _set(below, rest, value)})


def _without(node: Node, key: Key) -> Node:
    step, rest = key[0], key[1:]
    match node.content, step:
        case dict(entries), str() if not rest:
            return replace(node, content={k: v for k, v in entries.items() if k != step})
        case dict(entries), str():
            return replace(node, content=entries | {step: _without(entries[step], rest)})
        case list(items), int():
            inner = _without(items[step], rest)
            return replace(node, content=[*items[:step], inner, *items[step + 1 :]])
        case _:
            return node
