"""The state of an actor before a recorded message, found by replaying its incarnation."""

from collections.abc import Iterable, Iterator
from typing import Any

from actors.reruns.incarnations import Codec, rerun

_LONGEST = 160
_PLUMBING = frozenset(
    {"incarnation", "name", "_around", "_current", "_origin", "_outbox", "_held", "_has_let_go"}
)


def state_before(message_id: int, records: Iterable[Any], codec: Codec) -> dict[str, str]:
    """Return an actor's state before a message; empty if that cannot be replayed.

    Args:
        message_id: of the message.
        records: of the actor's address, from the beginning.
        codec: for its types.
    """
    state: dict[str, str] = {}

    def look(found: Any, actor: Any) -> None:
        if found.handling.message_id == message_id:
            state.update(state_of(actor))

    for step in rerun(records, codec, before=look):
        if step.found.handling.message_id == message_id:
            break
    return state


def state_of(actor: Any) -> dict[str, str]:
    """Return an actor's state by attribute name."""
    return {
        name: text
        for name, value in sorted(vars(actor).items())
        if name not in _PLUMBING
        and not name.startswith("actor_")
        and not name.endswith("_actor_ref")
        for name, text in _inside(name, value)
    }


def _inside(name: str, value: Any) -> Iterator[tuple[str, str]]:
    module = type(value).__module__
    if module in ("actors.core.calls", "domain.rules") or name == "_actor_ref":
        return
    if module.startswith("domain") and "object at 0x" in repr(value):
        inner = (*getattr(type(value), "__slots__", ()), *getattr(value, "__dict__", ()))
        for attribute in inner:
            if attribute != "_rules":
                yield from _inside(f"{name}.{attribute}", getattr(value, attribute, None))
        return
    text = repr(value)
    yield name, text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
