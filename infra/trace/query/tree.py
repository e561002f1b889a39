"""The tree of everything that one message led to."""

from collections import defaultdict
from collections.abc import Iterable

from rich.text import Text
from rich.tree import Tree

from domain.errors import ConfigError
from domain.text import counted, plain
from infra.store.trace_ids import id_text
from infra.trace.query.text import duration_text, fields_of, outcome_text, payload_text, time_text
from infra.trace.reader import Found


def trace_tree(records: Iterable[Found], wanted: int) -> Tree:
    """Return a trace as a tree, with the time of each hop.

    Args:
        records: all records of the trace.
        wanted: the id of a trace, or of any message in it.

    Raises:
        ConfigError: there is no such message.
    """
    known = list(records)
    trace_id = next((f.handling.trace_id for f in known if f.handling.message_id == wanted), wanted)
    mine = [found for found in known if found.handling.trace_id == trace_id]
    if not mine:
        raise ConfigError(f"{id_text(wanted)}: no message of this id in the trace")
    ids = {found.handling.message_id for found in mine}
    children = defaultdict(list)
    for found in sorted(mine, key=lambda found: found.handling.sent_ns):
        parent = found.handling.parent_id
        children[parent if parent in ids else None].append(found)
    tree = Tree(f"trace {id_text(trace_id)}, {counted(len(mine), 'message')}")
    began_ns = min(found.handling.sent_ns for found in mine)
    waiting = [(tree, None)]
    seen: set[int | None] = set()
    while waiting:
        branch, parent_id = waiting.pop()
        if parent_id in seen:
            continue
        seen.add(parent_id)
        for found in children[parent_id]:
            node = branch.add(_label(found, began_ns))
            waiting.append((node, found.handling.message_id))  # type: ignore[arg-type]
    return tree


def _label(found: Found, began_ns: int) -> Text:
    stored = found.handling
    after_us = (stored.sent_ns - began_ns) / 1000
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{id_text(stored.message_id)} ", "cyan")
    text.append(f"{plain(stored.sender)} > {plain(stored.receiver)} {stored.kind} ", "bold")
    text.append(f"{payload_text(fields_of(stored.payload))[:60]} ")
    text.append(
        f"{time_text(stored.now_ms)} +{duration_text(after_us)}, "
        f"waited {duration_text(stored.waited_us)}, {outcome_text(stored)}",
        "dim",
    )
    return text
