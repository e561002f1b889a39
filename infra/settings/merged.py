"""The individually valid values of the merged settings, for checks between them."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

from domain.strategies.registry import CONFIRMED_TREND_LONG, EMA_CROSS_SHORT
from infra.settings.fields import flag
from infra.settings.problems import Key, Place, Problem, show, show_key
from infra.settings.sections.assets import MAY_BE_NONE
from infra.settings.sections.terms import DEFAULTS
from infra.settings.tree import Node

ASSETS: Key = ("portfolio", "assets")
_SECTIONS = {
    "stop_loss_pct": "risk",
    "take_profit_pct": "risk",
    "max_hold_hours": "strategy",
}
"""Section with the values that an asset does not set, unless it uses confirmed_trend_long."""


@dataclass(frozen=True, slots=True)
class Effective:
    """The value in force for an asset, wherever it is set."""

    key: Key
    text: str | None
    place: Place | None = None
    """Where it was written; None: a built-in default."""

    @property
    def value(self) -> Decimal | None:
        """The value as a number."""
        return None if self.text is None else Decimal(self.text)

    @property
    def named(self) -> str:
        """The value with its key and place, for a message about another setting."""
        where = "the default" if self.place is None else self.place
        return f"{self.name} = {show(self.text or 'null')} ({where})"

    @property
    def name(self) -> str:
        """The key as written in the file, or the name of the variable."""
        return (self.place.setting if self.place else "") or show_key(self.key)


class UnjudgedError(Exception):
    """A check needs a value that is wrong or missing."""


class Facts:
    """The individually valid values, by key."""

    def __init__(self, tree: Node, wrong: Collection[Key]) -> None:
        self._tree = tree
        self._wrong = wrong

    def text(self, key: Key) -> str:
        """Return a text, or raise UnjudgedError."""
        content = self._judged(key).content
        if not isinstance(content, str):
            raise UnjudgedError
        return content

    def number(self, key: Key) -> Decimal:
        """Return a number, or raise UnjudgedError."""
        return Decimal(self.text(key))

    def flag(self, key: Key) -> bool:
        """Return a flag, or raise UnjudgedError."""
        return flag(self.text(key))

    def place_of_text(self, key: Key) -> Place | None:
        """Return where a text was written; None if there is none."""
        found = self._judged(key)
        return found.place if isinstance(found.content, str) else None

    def keys(self, key: Key) -> list[Key]:
        """Return the keys below a list or a mapping."""
        match self._judged(key).content:
            case list(items):
                return [(*key, i) for i in range(len(items))]
            case dict(entries):
                return [(*key, name) for name in entries]
            case _:
                raise UnjudgedError

    def enabled_assets(self) -> list[Key]:
        return [key for key in self.keys(ASSETS) if self.is_enabled(key)]

    def is_enabled(self, asset: Key) -> bool:
        return self.optional((*asset, "enabled")) is None or self.flag((*asset, "enabled"))

    def strategy(self, asset: Key) -> str:
        """Return the name of an asset's strategy."""
        return self.optional((*asset, "strategy")) or EMA_CROSS_SHORT

    def may_trade(self, strategy: str) -> bool:
        """Tell whether a strategy is used by an asset that is not known to be disabled."""
        return any(self._may_be_of(key, strategy) for key in self.keys(ASSETS))

    def _may_be_of(self, asset: Key, strategy: str) -> bool:
        with suppress(UnjudgedError):
            if self.strategy(asset) != strategy:
                return False
            return self.is_enabled(asset)
        return True

    def effective(self, asset: Key, name: str) -> Effective:
        """Return an asset's own value, or else its strategy section's, or else the default."""
        own = (*asset, name)
        if self.optional(own) is not None or (name in MAY_BE_NONE and self.knows(own)):
            return self.said(own)
        is_trend = self.strategy(asset) == CONFIRMED_TREND_LONG
        section = CONFIRMED_TREND_LONG if is_trend else _SECTIONS.get(name)
        if section is not None and self.knows((section, name)):
            return self.said((section, name))
        value = DEFAULTS.get(name)
        return Effective(own, None if value is None else str(value))

    def said(self, key: Key) -> Effective:
        """Return what is written at a key; lists in brackets."""
        node = self._judged(key)
        found = node.plain() if isinstance(node.content, list) else self.optional(key)
        text = f"[{', '.join(map(str, found))}]" if isinstance(found, list) else found
        return Effective(key, text, node.place)

    def optional(self, key: Key) -> str | None:
        """Return a text; None if it is null or missing."""
        above = self._judged(key[:-1])
        if not isinstance(above.content, dict):
            raise UnjudgedError
        if str(key[-1]) not in above.content:
            return None
        content = self._judged(key).content
        if content is not None and not isinstance(content, str):
            raise UnjudgedError
        return content

    def knows(self, key: Key) -> bool:
        """Tell whether something, even null, is written at a key."""
        above = self._judged(key[:-1]).content
        return isinstance(above, dict) and key[-1] in above

    def has_entries(self, key: Key) -> bool:
        """Tell whether a mapping exists and is not empty."""
        above = self._judged(key[:-1]).content
        node = above.get(str(key[-1])) if isinstance(above, dict) else None
        return node is not None and bool(node.content)

    def out_of_order(
        self, rising: Sequence[tuple[Key, Key]], not_falling: Sequence[tuple[Key, Key]]
    ) -> Iterator[Problem]:
        """Find pairs whose first value is not smaller, or is greater, than the second."""
        for small, large in rising:
            with suppress(UnjudgedError):
                if self.number(small) >= self.number(large):
                    yield self.conflict(small, f"below {self.named(large)}")
        for small, large in not_falling:
            with suppress(UnjudgedError):
                if self.number(small) > self.number(large):
                    yield self.conflict(small, f"at most {self.named(large)}")

    def conflict(self, key: Key, allowed: str) -> Problem:
        """Return a problem with an existing value at a key."""
        return self.problem(key, f"found {show(self.text(key))}; allowed: {allowed}")

    def problem(self, key: Key, text: str) -> Problem:
        """Return a problem at a key, or at its nearest existing parent."""
        return Problem(place=self._tree.nearest(key).place, key=key, text=text)

    def named(self, key: Key) -> str:
        """Return a setting with its value and place, for a message about another setting."""
        return Effective(key, self.text(key), self._tree.nearest(key).place).named

    def _judged(self, key: Key) -> Node:
        if any(key[: len(wrong)] == wrong for wrong in self._wrong):
            raise UnjudgedError
        return self._tree.nearest(key)
