"""What comes of a request, whichever way it came in: a code, words, a result, and its limits."""

from typing import Any, NamedTuple

from infra.venues.simulator.shapes.text import Json


class Outcome(NamedTuple):
    """The parts of an answer."""

    result: Any
    extra: Json = {}  # noqa: RUF012 - never changed
    """What stands under retExtInfo: the codes of a batch."""
    code: int = 0
    text: str = "OK"
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    """Of the rate limit."""
