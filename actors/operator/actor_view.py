"""The current view of one actor: its incarnation, its mailbox, and its state."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import asdict
from typing import Any

from actors.core.supervisor import Child
from actors.operator.tables import table_reply
from actors.runtime import Runtime
from domain.operator.replies import Reply, ReplyCode
from domain.text import plain

_ANSWER_S = 2.0
_ROWS = 200
_LONGEST = 200


def actor_view(runtime: Runtime, address: str) -> Reply:
    """Return what is known about the actor at an address."""
    children = {child.spec.address: child for child in runtime.supervisor.children()}
    if address not in children:
        title = f"no actor {plain(address)}; expected one of {', '.join(children)}"
        return Reply(code=ReplyCode.REFUSED, title=title)
    incarnation, state = _incarnation(runtime, children[address]), _state(runtime, address)
    rows = [*incarnation.items(), *state.items()]
    data = {"actor": address, "life": incarnation, "state": state}
    return table_reply(address, ("what", "now"), rows[:_ROWS], data)


def _incarnation(runtime: Runtime, child: Child) -> dict[str, str]:
    waiting = child.address.mailbox.waiting()
    kinds = Counter(type(envelope.message).__name__ for envelope in waiting)
    oldest_s = (time.perf_counter_ns() - waiting[0].sent_ns) / 1e9 if waiting else 0.0
    found = {
        "status": child.status.value,
        "life": str(child.generation),
        "restarts": str(child.restarts),
        "works on": _work(runtime, child),
        "waiting": ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "nothing",
        "oldest waits, s": f"{oldest_s:.1f}",
    }
    if child.given_up_because is not None:
        found["given up because"] = plain(child.given_up_because)[:_LONGEST]
    if child.reports:
        last = child.reports[-1]
        found["last crash"] = f"{last.crash_id}: {plain(last.cause)[:_LONGEST]}"
    return found


def _work(runtime: Runtime, child: Child) -> str:
    incarnation = child.incarnation
    handling = None if incarnation is None else incarnation.handling
    since_s = None if incarnation is None else incarnation.busy_since_s
    if handling is None or since_s is None:
        return "nothing"
    busy_s = runtime.system.concurrency.now_s() - since_s
    return f"{type(handling.envelope.message).__name__} for {busy_s:.1f} s"


def _state(runtime: Runtime, address: str) -> dict[str, str]:
    """Return the actor's snapshot, one figure per row; empty if it has none, or does not answer."""
    if address not in runtime.describable():
        return {}
    answer = runtime.question(address)
    wait([answer], _ANSWER_S)
    if not answer.done() or answer.exception() is not None:
        return {"state": "does not answer"}
    hide = runtime.system.hide
    return {name: hide(text)[:_LONGEST] for name, text in _flat("", asdict(answer.result()))}


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(f"{prefix}{name}.", value)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            yield f"{prefix}{name}", plain(", ".join(map(str, value)))
        else:
            yield f"{prefix}{name}", "none" if value is None else plain(str(value))
