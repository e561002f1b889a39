"""The result of replaying an actor's recorded messages."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from actors.reruns.incarnations import Codec, Step, rerun


@dataclass(slots=True)
class RerunResult:
    """What was replayed, up to the first difference."""

    messages: int = 0
    outputs: int = 0
    crashed: list[Any] = field(default_factory=list)
    """Records that crashed again in the same way."""
    left_out: list[tuple[Any, str]] = field(default_factory=list)
    """Records that could not be run, with the reasons."""
    unshared: set[str] = field(default_factory=set)
    """Fields that only one of the two versions has."""
    different: Step | None = None
    """The message that ended differently."""


def rerun_from(
    records: Iterable[Any],
    codec: Codec,
    *,
    from_id: int | None,
    stop_id: int | None,
    watch: Callable[..., Any],
) -> RerunResult:
    """Replay messages until one ends differently.

    Args:
        records: of one address, in order.
        codec: for its types.
        from_id: earlier messages are run, but not counted; None: all count.
        stop_id: the last message, run under `watch`; None: all are run, without it.
        watch: called with the work and its arguments.
    """
    result = RerunResult()
    is_counting = from_id is None
    for step in rerun(
        records,
        codec,
        watch_id=stop_id,
        watch=watch,
        left_out=lambda found, why: result.left_out.append((found, why)),
    ):
        stored = step.found.handling
        is_counting = is_counting or stored.message_id == from_id
        if not is_counting:
            continue
        result.messages += 1
        result.outputs += step.outputs
        result.unshared |= step.unshared
        if step.difference is not None:
            result.different = step
            break
        if stored.raised is not None:
            result.crashed.append(step.found)
        if stored.message_id == stop_id:
            break
    return result
