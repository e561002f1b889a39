"""A chain of causes, link by link."""

from dataclasses import dataclass, field

from domain.text import plain
from infra.store.trace_ids import id_text
from infra.trace.reader import Found


@dataclass(slots=True, kw_only=True)
class Step:
    """One link of the chain."""

    name: str
    text: str
    at_ms: int
    message: str | None = None
    """Id of the message in the trace; None where only the journal knows of it."""


@dataclass(slots=True, kw_only=True)
class Story:
    """A chain, and the parts of it that could not be found."""

    title: str
    steps: list[Step] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def add(self, name: str, text: str, at_ms: int, found: Found | None = None) -> None:
        """Add the next link."""
        self.steps.append(_step(name, text, at_ms, found))

    def add_in_time(self, name: str, text: str, at_ms: int, found: Found) -> None:
        """Insert a link by its time, but never between a link and its details."""
        earlier = (index for index, step in enumerate(self.steps) if step.at_ms <= at_ms)
        index = max(earlier, default=-1) + 1
        while index < len(self.steps) and not self.steps[index].name:
            index += 1
        self.steps.insert(index, _step(name, text, at_ms, found))


def _step(name: str, text: str, at_ms: int, found: Found | None) -> Step:
    message = None if found is None else id_text(found.handling.message_id)
    return Step(name=name, text=plain(text), at_ms=at_ms, message=message)
