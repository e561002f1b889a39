"""The outcome of a request from any entry point: a code, a text, a result, and its limits."""

from typing import Any, NamedTuple

from infra.venues.simulator.shapes.text import Json


class Outcome(NamedTuple):
    """The parts of an answer."""

    result: Any
    extra: Json = {}  # noqa: RUF012 - never changed
    """Contents of retExtInfo: the codes of a batch."""
    code: int = 0
    text: str = "OK"
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    """State of the rate limit."""
