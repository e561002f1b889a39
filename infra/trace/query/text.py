"""Traces in words: one line per message."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.text import Text

from domain.text import plain
from infra.store.trace_ids import id_text
from infra.trace.reader import Found
from infra.trace.records import StoredHandling

_STYLES = {
    "done": "green",
    "crashed": "bold red",
    "hung": "bold red",
    "dead letter": "red",
    "conflated": "dim",
    "fenced": "yellow",
}
_LONGEST = 110
_LEFT_OUT = ("asset", "judged")
"""Shown elsewhere on the line, or only by `why`."""


def fields_of(payload: bytes | msgspec.Raw) -> Any:
    """Return stored values as plain dicts and lists."""
    return msgspec.msgpack.decode(payload)


def time_text(time_ms: int) -> str:
    """Return a time of the trading clock as text, UTC."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return f"{moment:%m-%d %H:%M:%S}" + (f".{time_ms % 1000:03d}" if time_ms % 1000 else "")


def duration_text(us: float) -> str:
    """Return a duration in the most readable unit."""
    for limit, divisor, unit in ((1_000, 1, "us"), (1_000_000, 1_000, "ms")):
        if us < limit:
            return f"{us / divisor:.3g} {unit}"
    return f"{us / 1_000_000:.3g} s"


def payload_text(fields: Any) -> str:
    """Return a message's values, shortened."""
    text = " ".join(f"{name}={value}" for name, value in _flat(fields) if value is not None)
    text = plain(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def line(found: Found) -> Text:
    """Return one message as a colored line."""
    stored = found.handling
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{time_text(stored.now_ms)} ", "dim")
    text.append(f"{id_text(stored.message_id):>9} ", "cyan")
    text.append(f"{plain(stored.sender)} > {plain(stored.receiver)} ", "bold")
    text.append(f"{stored.kind} ", "magenta")
    text.append(payload_text(fields_of(stored.payload)))
    text.append(f" {outcome_text(stored)}", _STYLES.get(stored.outcome, "red"))
    return text


def outcome_text(stored: StoredHandling) -> str:
    """Return how a message ended and how long that took."""
    if stored.raised is not None:
        return f"{stored.outcome}: {plain(stored.raised.cause)}"
    if not stored.taken_ns:
        return stored.outcome
    return f"{stored.outcome} in {duration_text(stored.worked_us)}"


def assets_in(stored: StoredHandling) -> set[str]:
    """Return the assets that a message is about."""
    named = {address.partition("/")[2] for address in (stored.sender, stored.receiver)}
    inside = {value for name, value in _flat(fields_of(stored.payload)) if name == "asset"}
    return (named | inside) - {""}


def _flat(fields: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    if isinstance(fields, dict):
        for name, value in fields.items():
            if isinstance(value, dict):
                found += _flat(value)
            elif isinstance(value, list) or name in _LEFT_OUT:
                found.append((name, None if name == "judged" else value or None))
            else:
                found.append((name, round(value, 6) if isinstance(value, float) else value))
    return found
