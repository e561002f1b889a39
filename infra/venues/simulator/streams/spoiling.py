"""Spoils messages as faults demand."""

from typing import Any

import orjson

from infra.venues.simulator.faults.book import FaultBook
from infra.venues.simulator.faults.kinds import Kind


def spoiled(faults: FaultBook, topic: str, written: bytes) -> bytes:
    """Return the message to send: mostly unchanged."""
    if faults.take(Kind.UNREADABLE_MESSAGE, topic=topic):
        return written[: len(written) // 2]
    if faults.take(Kind.WRONG_TYPES, topic=topic):
        message = orjson.loads(written)
        return orjson.dumps({**message, "data": _of_wrong_types(message["data"])})
    if faults.take(Kind.ODD_MESSAGE, topic=topic):
        return orjson.dumps(faults.with_an_oddity(orjson.loads(written)))
    if faults.take(Kind.UNKNOWN_TOPIC, topic=topic):
        return orjson.dumps({**orjson.loads(written), "topic": f"unknown.{topic}"})
    return written


def _of_wrong_types(data: Any) -> Any:
    if isinstance(data, list):
        return [_of_wrong_types(row) for row in data]
    return {name: [value] for name, value in data.items()} if isinstance(data, dict) else [data]
