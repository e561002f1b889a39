"""Traces for other tools: the Perfetto viewer, and anything that accepts OpenTelemetry spans."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count
from pathlib import Path
from typing import Any

from domain.errors import ConfigError
from domain.text import counted
from infra.process.times import read_time
from infra.store.trace_ids import id_text, session_of
from infra.trace.perfetto import slice_begin, slice_end, track
from infra.trace.query.text import fields_of, payload_text
from infra.trace.reader import Found, TraceReader
from infra.trace.records import Session

_BATCH = 1_000
_TIMEOUT_S = 10.0
_UNTAKEN = ("conflated", "dead letter", "fenced")
_INTERNAL, _FAILED = 1, 2
_FAILURES = ("crashed", "hung", "dead letter")


def write_trace(
    open_reader: Callable[[], TraceReader],
    perfetto: Path | None,
    otlp: str | None,
    *,
    since: str | None,
    until: str | None,
) -> str:
    """Write a trace for one of the two tools, and return a line that says what was written.

    Args:
        open_reader: returns a reader of the trace.
        perfetto: file for the Perfetto viewer.
        otlp: URL or file for spans.
        since: ISO; from this time on.
        until: ISO; up to this time.

    Raises:
        ConfigError: both tools are named or neither, or a file cannot be read or written.
    """
    if (perfetto is None) == (otlp is None):
        raise ConfigError("export: needs either --perfetto FILE or --otlp URL|FILE")
    from_ms = None if since is None else read_time("--since", since)
    to_ms = None if until is None else read_time("--until", until)
    reader = open_reader()
    records = reader.read(from_ms=from_ms, to_ms=to_ms)
    if perfetto is not None:
        return f"{counted(write_perfetto(perfetto, records), 'message')} in {perfetto}"
    return f"{counted(write_otlp(otlp or '', records, reader.sessions()), 'span')} to {otlp}"


def write_perfetto(file: Path, records: Iterable[Found]) -> int:
    """Write a track for each actor and an arrow for each message; return the number of slices."""
    uuids: dict[str, int] = {}
    numbers, written = count(1), 0
    try:
        with file.open("wb") as out:
            for found in records:
                stored, wall_ns = found.handling, found.session.wall_ns
                if stored.outcome in _UNTAKEN:
                    continue
                uuid = uuids.get(stored.receiver)
                if uuid is None:
                    uuid = uuids[stored.receiver] = next(numbers)
                    out.write(track(uuid, stored.receiver))
                out.write(
                    slice_begin(
                        wall_ns(stored.taken_ns or stored.done_ns),
                        uuid,
                        stored.kind,
                        _notes(found),
                        [told.message_id for told in stored.told],
                        stored.message_id if stored.parent_id is not None else None,
                    )
                )
                out.write(slice_end(wall_ns(stored.done_ns), uuid))
                written += 1
    except OSError as error:
        raise ConfigError(f"--perfetto {file}: cannot be written: {error.strerror}") from error
    return written


def write_otlp(target: str, records: Iterable[Found], sessions: Iterable[Session]) -> int:
    """Send spans to a collector, or write them as lines of OTLP JSON; return their number.

    Args:
        target: http(s)://HOST:PORT, with or without a path, or a file.
        records: the records to send.
        sessions: all processes of the run.

    Raises:
        ConfigError: the collector does not accept them, or the file cannot be written.
    """
    total = 0
    if not target.startswith(("http://", "https://")):
        try:
            with Path(target).open("w", encoding="utf-8") as out:
                for spans in _batches(records, sessions):
                    out.write(json.dumps(_request(spans)) + "\n")
                    total += len(spans)
        except OSError as error:
            raise ConfigError(f"--otlp {target}: cannot be written: {error.strerror}") from error
        return total
    url = target if target.partition("//")[2].count("/") else f"{target}/v1/traces"
    for spans in _batches(records, sessions):
        _post(url, json.dumps(_request(spans)).encode())
        total += len(spans)
    return total


def _notes(found: Found) -> list[tuple[str, str]]:
    stored = found.handling
    notes = [
        ("id", id_text(stored.message_id)),
        ("trace", id_text(stored.trace_id)),
        ("sender", stored.sender),
        ("outcome", stored.outcome),
        ("values", payload_text(fields_of(stored.payload))),
    ]
    if stored.raised is not None:
        notes.append(("cause", stored.raised.cause))
    return notes


def _batches(
    records: Iterable[Found], sessions: Iterable[Session]
) -> Iterator[list[dict[str, Any]]]:
    # Every run numbers its messages from the same start, so its start time tells runs apart.
    began_ms = {session.number: session.began_ms for session in sessions}
    spans = (
        _span(found, began_ms.get(session_of(found.handling.trace_id), 0)) for found in records
    )
    for first in spans:
        rest = (span for _, span in zip(range(_BATCH - 1), spans, strict=False))
        yield list(chain([first], rest))


def _span(found: Found, run_ms: int) -> dict[str, Any]:
    stored, wall_ns = found.handling, found.session.wall_ns
    began_ns = stored.taken_ns or stored.done_ns
    failed = stored.outcome in _FAILURES
    cause = "" if stored.raised is None else stored.raised.cause
    span: dict[str, Any] = {
        "traceId": f"{run_ms:016x}{stored.trace_id:016x}",
        "spanId": f"{stored.message_id:016x}",
        "name": f"{stored.receiver} {stored.kind}",
        "kind": _INTERNAL,
        "startTimeUnixNano": str(wall_ns(began_ns)),
        "endTimeUnixNano": str(wall_ns(stored.done_ns)),
        "attributes": [
            {"key": key, "value": {"stringValue": value}} for key, value in _notes(found)
        ],
        "status": {"code": _FAILED, "message": cause} if failed else {},
    }
    if stored.parent_id is not None:
        span["parentSpanId"] = f"{stored.parent_id:016x}"
    return span


def _request(spans: list[dict[str, Any]]) -> dict[str, Any]:
    service = {"key": "service.name", "value": {"stringValue": "trading"}}
    scope = {"scope": {"name": "bin/trace"}, "spans": spans}
    return {"resourceSpans": [{"resource": {"attributes": [service]}, "scopeSpans": [scope]}]}


def _post(url: str, body: bytes) -> None:
    request = urllib.request.Request(  # noqa: S310 (http and https alone come here)
        url, data=body, headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        raise ConfigError(f"--otlp {url}: the collector answered {error.code}") from error
    except OSError as error:
        raise ConfigError(f"--otlp {url}: the collector does not answer: {error}") from error
