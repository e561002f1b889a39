"""The newest messages between actors, from the trace on disk; the system is not queried."""

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from domain.errors import BadDataError, ConfigError
from domain.text import plain
from infra.operator.web.facts import NoFactsError
from infra.store.trace_ids import id_text
from infra.trace.query.text import duration_text, fields_of, outcome_text, payload_text
from infra.trace.reader import Found, TraceReader
from infra.trace.recording import trace_directory

_KEPT = 3000
_SENT = 200
"""Most messages per request, and so per second for a browser that asks every second."""
_FIRST_BYTES = 300_000
_LOOK = "Describe"
"""Queries that pages and terminals send to actors all the time."""


class MessageTail:
    """Follows one run's trace. For one thread at a time."""

    def __init__(self, directory: Path) -> None:
        """Remember the run; nothing is read yet."""
        self._traces = trace_directory(directory)
        self._reader: TraceReader | None = None
        self._kept: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._number = 0

    def newest(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return the messages after `after` that fit the filters, oldest first.

        Raises:
            NoFactsError: there is no trace, or it cannot be read.
        """
        try:
            self._follow()
        except (ConfigError, BadDataError, OSError) as error:
            raise NoFactsError(str(error)) from error
        after = int(query.get("after", "0"))
        found = [each for each in self._kept if each["number"] > after and _fits(each, query)]
        return {
            "last": self._number,
            "left_out": max(0, len(found) - _SENT),
            "messages": found[-_SENT:],
        }

    def _follow(self) -> None:
        if self._reader is None:
            reader = TraceReader(self._traces)
            reader.skip_to_end(self._traces, _FIRST_BYTES)
            self._reader = reader
        found = sorted(self._reader.follow(self._traces), key=lambda each: each.handling.done_ns)
        for each in found:
            self._number += 1
            self._kept.append(_message(self._number, each))


def _message(number: int, found: Found) -> dict[str, Any]:
    stored = found.handling
    return {
        "number": number,
        "id": id_text(stored.message_id),
        "time": stored.now_ms,
        "sender": plain(stored.sender),
        "receiver": plain(stored.receiver),
        "kind": plain(stored.kind),
        "text": payload_text(fields_of(stored.payload)),
        "outcome": plain(outcome_text(stored)),
        "is_well": stored.outcome in ("done", "conflated"),
        "waited": duration_text(stored.waited_us) if stored.taken_ns else "",
        "is_tick": stored.is_tick or stored.kind == _LOOK,
    }


def _fits(message: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    actor, kind, words = (query.get(name, "").lower() for name in ("actor", "kind", "words"))
    return (
        (query.get("ticks") == "1" or not message["is_tick"])
        and (not actor or actor in f"{message['sender']} {message['receiver']}".lower())
        and (not kind or kind in message["kind"].lower())
        and (not words or words in f"{message['text']} {message['outcome']}".lower())
    )
