"""A fact as an event in the JSON format of CloudEvents 1.0."""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import orjson

from infra.store.events import StoredFact
from infra.store.trace_ids import id_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event to send."""

    fact_id: int
    event_id: str
    """Id: the same for the same fact, whenever it is sent."""
    kind: str
    body: bytes
    """The whole event as JSON."""


def event_of(fact: StoredFact, source: str) -> Event:
    """Return the event of a fact.

    Args:
        fact: as it is stored.
        source: name of the system that stored it.
    """
    # With its time: a restored journal continues from an older number.
    event_id = f"{fact.fact_id}-{fact.recorded_ms}"
    kind = f"trading.{fact.kind}"
    content = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/trading/{quote(source, safe='')}",
        "type": kind,
        "time": _time(fact.recorded_ms),
        **({} if fact.asset is None else {"subject": fact.asset}),
        "datacontenttype": "application/json",
        "factid": fact.fact_id,
        **({} if fact.trace_id is None else {"traceid": id_text(fact.trace_id)}),
        "data": fact.data,
    }
    return Event(fact_id=fact.fact_id, event_id=event_id, kind=kind, body=orjson.dumps(content))


def _time(recorded_ms: int) -> str:
    moment = datetime.fromtimestamp(recorded_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{recorded_ms % 1000:03}Z"
