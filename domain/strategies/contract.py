"""Checks of what any strategy returns: finite, typed, and not from the future."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite
from typing import TypeVar

import numpy as np

from domain.market.instruments import Side
from domain.strategies.base import Evaluation, Signal, Value
from domain.strategies.explanation import Condition, Figure

Plain = TypeVar("Plain", int | float, Figure)

_LONGEST_TEXT = 200
"""Most characters of a name or a note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """The close that a strategy evaluates, and what it returned before."""

    t_ms: int
    candle_ms: int
    closes_after_warmup: int
    """Number of closes whose signals it may keep, this one included; 0 or less in the warm-up."""
    newest_signal_ms: int
    """Close time of the newest signal that it returned before; 0: none."""
    side: Side


def problems(found: object, at: At) -> Iterator[str]:
    """Yield each breach of the contract: what was expected, and what was found."""
    if not isinstance(found, Evaluation):
        yield f"evaluate to return an Evaluation, found {found!r}"
        return
    yield from _condition_problems("regime", found.regime)
    if not found.regime:
        yield "regime to name a condition, found none"
    yield from _condition_problems("entry", found.entry)
    yield from _value_problems(found.values)
    if not _is_text(found.note, least=0):
        yield f"note to be a short text, found {found.note!r}"
    if found.signal is not None:
        yield from _signal_problems(found.signal, at)


def with_plain_numbers(found: Evaluation) -> Evaluation:
    """Return an evaluation without problems in Python's own numbers, which all can store.

    NumPy's floats are floats to a check, but not to every encoder.
    """
    signal = found.signal
    return replace(
        found,
        regime=tuple(_plain_condition(each) for each in found.regime),
        entry=tuple(_plain_condition(each) for each in found.entry),
        values=tuple(replace(each, figure=_plain(each.figure)) for each in found.values),
        signal=None if signal is None else replace(signal, strength=float(signal.strength)),
    )


def is_tuple_of(found: object, kind: type) -> bool:
    """Tell whether something is a tuple, each item of which is of one type."""
    return isinstance(found, tuple) and all(isinstance(each, kind) for each in found)


def show_close(t_ms: int) -> str:
    """Return a time, ms, as text in UTC."""
    return f"{np.datetime64(t_ms // 1000, 's')}Z"


def _condition_problems(where: str, found: object) -> Iterator[str]:
    if not (isinstance(found, tuple) and is_tuple_of(found, Condition)):
        yield f"{where} to be a tuple of Condition, found {found!r}"
        return
    for each in found:
        if not _is_text(each.name):
            yield f"{where}: a short name, found {each.name!r}"
        if not isinstance(each.holds, bool):
            yield f"{where}: holds of {each.name} to be True or False, found {each.holds!r}"
        for figure in (each.figure, each.limit):
            if not (_is_figure(figure) or _is_text(figure)):
                yield f"{where}: {each.name} to be a finite number or a text, found {figure!r}"


def _value_problems(found: object) -> Iterator[str]:
    if not (isinstance(found, tuple) and is_tuple_of(found, Value)):
        yield f"values to be a tuple of Value, found {found!r}"
        return
    for each in found:
        if not (_is_text(each.name) and _is_text(each.label)):
            yield f"name and label of a value to be short texts, found {each!r}"
        if not _is_figure(each.figure):
            yield (
                f"{each.name} to be a finite number, found {each.figure!r}; leave a value out "
                "until it is known"
            )
    names = [each.name for each in found]
    if len(set(names)) != len(names):
        yield f"each value once, found {', '.join(names)}"


def _signal_problems(found: object, at: At) -> Iterator[str]:
    if not isinstance(found, Signal):
        yield f"signal to be a Signal, found {found!r}"
        return
    if found.side is not at.side:
        yield f"signals of side {at.side}, found {found.side!r}"
    if not _is_text(found.kinds):
        yield f"kinds to be a short text, found {found.kinds!r}"
    if not _is_figure(found.strength):
        yield f"strength to be a finite number, found {found.strength!r}"
    if not (_is_whole(found.max_age_ms) and found.max_age_ms >= 0):
        yield f"max_age_ms to be whole milliseconds, 0 or more, found {found.max_age_ms!r}"
    if not _is_whole(found.signal_ms):
        yield f"signal_ms to be whole milliseconds, found {found.signal_ms!r}"
        return
    yield from _time_problems(found.signal_ms, at)


def _time_problems(signal_ms: int, at: At) -> Iterator[str]:
    age, rest = divmod(at.t_ms - signal_ms, at.candle_ms)
    if rest or age < 0:
        yield f"signal_ms to be the close time of a candle up to this one, found {signal_ms}"
    elif age >= at.closes_after_warmup:
        yield (
            f"no signal of the warm-up, found one of {show_close(signal_ms)}; record signals "
            "while self.is_warm"
        )
    if signal_ms < at.newest_signal_ms:
        yield f"the newest signal, found the one of {show_close(signal_ms)} after a newer one"


def _plain_condition(found: Condition) -> Condition:
    return found._replace(figure=_plain(found.figure), limit=_plain(found.limit))


def _plain(found: Plain) -> Plain:
    return float(found) if isinstance(found, float) else found


def _is_figure(found: object) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool) and isfinite(found)


def _is_whole(found: object) -> bool:
    return isinstance(found, int) and not isinstance(found, bool)


def _is_text(found: object, least: int = 1) -> bool:
    return isinstance(found, str) and least <= len(found) <= _LONGEST_TEXT and found.isprintable()
