"""What a page asks beside the live view: one function each."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from infra.operator.web.access import newest_accesses
from infra.operator.web.hub import Hub

Question = Callable[[Hub, Mapping[str, str]], Awaitable[Any]]
"""Takes the run and the query; raises NoFactsError, and ValueError where the query is wrong."""


async def _accesses(hub: Hub, _query: Mapping[str, str]) -> Any:
    return await hub.read(newest_accesses, hub.directory, 200)


QUESTIONS: Mapping[str, Question] = {"accesses": _accesses}
