"""The command `why`: the causal trace of an order or trade in ten lines."""

from collections.abc import Callable, Sequence
from pathlib import Path

from domain.operator.replies import Reply, ReplyCode
from infra.store.location import Location
from infra.store.reader import FactReader
from infra.trace.query.chain import Step
from infra.trace.query.closes import CLOSE
from infra.trace.query.story import story_of
from infra.trace.reader import TraceReader
from infra.trace.recording import trace_directory

_LINES = 10
_LEAST: tuple[Callable[[Step], bool], ...] = (
    lambda step: step.text.startswith("kept "),
    lambda step: step.name == "wish",
    lambda step: step.name == "answer",
    lambda step: step.name == "candle",
)
"""Links left out of a long story, the least important first: others imply them."""


def tell_why(journal: Location, directory: Path, wanted: str) -> Reply:
    """Return the story of an order, a denied entry, a trade or a message.

    Raises:
        ConfigError: nothing has this id.
    """
    facts = FactReader(journal)
    try:
        story = story_of(wanted, facts, TraceReader(trace_directory(directory)))
    finally:
        facts.close()
    # For a close every condition is part of the answer.
    is_close = wanted.startswith(CLOSE)
    lines = map(_line, story.steps) if is_close else _lines(_shortened(story.steps), wanted)
    return Reply(
        code=ReplyCode.DONE,
        title=story.title,
        lines=tuple(lines),
        data={"title": story.title, "steps": [_line(step) for step in story.steps]},
    )


def _shortened(steps: Sequence[Step]) -> list[Step]:
    left = list(steps)
    for is_least in _LEAST:
        if len(left) > _LINES:
            left = [step for step in left if not is_least(step)]
    return left


def _lines(steps: Sequence[Step], wanted: str) -> list[str]:
    """Return the beginning and the end, if it is still too long."""
    lines, half = [_line(step) for step in steps], _LINES // 2
    if len(lines) <= _LINES:
        return lines
    left_out = len(lines) - _LINES + 1
    note = f"... {left_out} more: bin/trace why {wanted}"
    return [*lines[:half], note, *lines[half + left_out :]]


def _line(step: Step) -> str:
    return f"{step.name}: {step.text}" if step.name else f"  {step.text}"
