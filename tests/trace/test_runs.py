"""What a trace of real candles with crashes says: all of it, and the same again."""

import json
import re
import shutil
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

from actors.reruns.incarnations import DAMAGED, rerun
from actors.reruns.state import state_before
from bin.bootstrap.reruns import trace_codec
from domain.errors import ConfigError
from domain.strategies.ema_cross_short import EmaCrossShort
from infra.trace.crash_files import CRASHES
from infra.trace.frames import read_frames
from infra.trace.query.crashes import crashes_in
from infra.trace.query.export import write_otlp, write_perfetto
from infra.trace.query.orders import orders_of
from infra.trace.query.story import story_of
from infra.trace.reader import TraceReader
from tests.trace.conftest import SECRETS, Traced

LAST_DAY_MS = 1_744_848_000_000
"""2025-04-17."""
ACTORS = ("portfolio", "notifier", *(f"{kind}/{asset}" for kind in ("asset", "execution")
          for asset in ("BTC", "ETH", "SOL")))  # fmt: skip


def test_why_gives_a_complete_chain_for_every_order_and_every_refusal(traced: Traced) -> None:
    facts, reader = traced.facts(), traced.reader()

    stories = {row["id"]: story_of(row["id"], facts, reader) for row in orders_of(facts)}

    assert {name: story.missing for name, story in stories.items() if story.missing} == {}
    outcomes = {row["outcome"] for row in orders_of(facts)}
    assert {"FILLED", "REFUSED"} <= outcomes
    for story in stories.values():
        names = [step.name for step in story.steps]
        chain = ("candle", "indicators", "signal", "wish")
        assert all(name in names for name in chain), story.title
        assert names.index("wish") < len(names) - 1
        assert all(step.message for step in story.steps if step.name in chain)
    filled = [row["id"] for row in orders_of(facts) if row["outcome"] == "FILLED"]
    for name in filled:
        names = [step.name for step in stories[name].steps]
        assert all(link in names for link in ("grant", "order", "answer", "fill", "stop")), name


@pytest.mark.parametrize("actor", ACTORS)
def test_every_actor_run_again_asks_and_tells_what_it_did(traced: Traced, actor: str) -> None:
    steps = list(rerun(traced.reader().read(keys=[actor]), trace_codec()))

    assert [step.difference for step in steps if step.difference is not None] == []
    assert sum(step.outputs for step in steps) > 10
    recorded = [f for f in traced.reader().read(keys=[actor]) if f.handling.generation]
    assert len(steps) == len(recorded)


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_life_with_a_damaged_part_is_left_out_and_never_called_different(
    traced: Traced, tmp_path: Path, place: float
) -> None:
    (segment,) = traced.trace.iterdir()
    data = bytearray(segment.read_bytes())
    at = int(len(data) * place)
    data[at : at + 40] = bytes(40)
    (tmp_path / segment.name).write_bytes(data)

    reasons, differences = Counter[str](), []
    for actor in ACTORS:
        records = TraceReader(tmp_path).read(keys=[actor])
        for step in rerun(records, trace_codec(), left_out=lambda _, why: reasons.update([why])):
            differences += [step.difference] if step.difference is not None else []

    assert differences == []
    assert set(reasons) == {DAMAGED}


def test_the_run_crashed_often_enough_to_be_worth_it(traced: Traced) -> None:
    crashes = list(crashes_in(traced.reader().read()))

    assert len(crashes) == traced.restarts > 50
    assert all(crash.recovered_us for crash in crashes)


def test_a_changed_rule_is_found_at_the_first_message_that_it_touches(
    traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = list(traced.reader().read(keys=["asset/ETH"]))
    first = next(
        found.handling.message_id
        for found in records
        if any(told.kind == "ClosePosition" for told in found.handling.told)
    )

    monkeypatch.setattr(EmaCrossShort, "exits_when_inactive", False)
    found = [s for s in rerun(records, trace_codec()) if s.difference is not None]

    assert found[0].found.handling.message_id == first
    assert found[0].difference is not None
    assert found[0].difference.what == "told"
    then, now = found[0].difference.then, found[0].difference.now
    assert then[1]["report"]["strategy_exit"] == "REGIME"
    assert now[1]["report"]["strategy_exit"] is None


def test_a_crash_file_alone_replays_to_the_same_exception(traced: Traced, tmp_path: Path) -> None:
    files = sorted((traced.folder / "crashes").glob(CRASHES))
    assert len(files) == min(100, traced.restarts)
    for kind in ("asset-ETH", "portfolio", "execution"):
        file = next(file for file in files if file.name.startswith(kind))
        alone = Path(shutil.copy(file, tmp_path))
        (session,) = TraceReader(alone).sessions()
        address = next(
            actor.address
            for actor in session.actors
            if file.name.startswith(actor.address.replace("/", "-"))
        )
        crash_id = file.name.removeprefix(address.replace("/", "-") + "-").removesuffix(".crash")

        steps = list(rerun(TraceReader(alone).read(keys=[address]), trace_codec()))

        crashed = [s for s in steps if s.found.handling.raised is not None]
        assert steps[-1] is crashed[-1]
        assert str(crashed[-1].found.handling.message_id).endswith(crash_id.partition(".")[2])
        assert "DrillError: crash drill" in crashed[-1].found.handling.raised.cause
        assert all(step.difference is None for step in steps)


def test_the_state_before_a_crash_is_found_by_running_its_life_again(traced: Traced) -> None:
    crash = next(
        c
        for c in crashes_in(traced.reader().read(keys=["asset/BTC"]))
        if c.found.handling.kind == "CandleClosed"
    )
    message_id = crash.found.handling.message_id

    state = state_before(message_id, traced.reader().read(keys=["asset/BTC"]), trace_codec())

    assert state["_asset"] == "'BTC'"
    assert int(state["_state.strategy.closes_seen"]) > 0


def test_planted_secrets_are_in_no_segment_and_in_no_crash_file(traced: Traced) -> None:
    files = [*traced.trace.iterdir(), *(traced.folder / "crashes").iterdir()]

    payloads = [frame.payload() for file in files for frame in read_frames(file, [])]

    assert len(payloads) > 100
    for secret in SECRETS.values():
        assert not any(secret.encode() in payload for payload in payloads)


def test_a_perfetto_file_is_of_its_schema_and_its_arrows_end_where_they_began(
    traced: Traced, tmp_path: Path
) -> None:
    file = tmp_path / "run.pftrace"

    written = write_perfetto(file, traced.reader().read(from_ms=LAST_DAY_MS))

    trace = Trace()
    assert trace.ParseFromString(file.read_bytes()) == file.stat().st_size
    assert trace.ByteSize() == file.stat().st_size  # no field is unknown to the schema
    tracks = {p.track_descriptor.name for p in trace.packet if p.HasField("track_descriptor")}
    assert tracks == set(ACTORS)
    events = [p.track_event for p in trace.packet if p.HasField("track_event")]
    begins = [event for event in events if event.type == TrackEvent.TYPE_SLICE_BEGIN]
    assert len(begins) == written == len(events) - len(begins)
    (session,) = traced.reader().sessions()
    first_ns = min(p.timestamp for p in trace.packet if p.HasField("track_event"))
    assert 0 < first_ns / 1e6 - session.began_ms < 3_600_000, "of the wall clock"
    sent = {flow for event in begins for flow in event.flow_ids}
    ended = {flow for event in begins for flow in event.terminating_flow_ids}
    assert len(sent & ended) > 500


def as_protobuf(body: str) -> ExportTraceServiceRequest:
    """Return OTLP JSON as its protobuf; OTLP writes ids in hex where protobuf has base64."""
    parsed = json.loads(body)
    for scope in parsed["resourceSpans"][0]["scopeSpans"]:
        for span in scope["spans"]:
            for name in ("traceId", "spanId", "parentSpanId"):
                if name in span:
                    assert len(span[name]) == (32 if name == "traceId" else 16)
                    span[name] = ""
    return json_format.ParseDict(parsed, ExportTraceServiceRequest())


def test_otlp_lines_are_of_their_schema(traced: Traced, tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"

    written = write_otlp(
        str(file), traced.reader().read(from_ms=LAST_DAY_MS), traced.reader().sessions()
    )

    requests = [as_protobuf(line) for line in file.read_text().splitlines()]
    spans = [
        span for r in requests for scope in r.resource_spans[0].scope_spans for span in scope.spans
    ]
    assert len(spans) == written > 1000
    assert all(0 < s.start_time_unix_nano <= s.end_time_unix_nano for s in spans)
    # Runs count alike; a collector that gets two of them must not take their traces for one.
    (session,) = traced.reader().sessions()
    names = re.findall(r'"traceId": "([0-9a-f]{16})', file.read_text())
    assert set(names) == {f"{session.began_ms:016x}"}
    crashed = list(crashes_in(traced.reader().read(from_ms=LAST_DAY_MS)))
    assert sum(span.status.code == 2 for span in spans) == len(crashed) > 5


def test_spans_are_sent_to_a_collector_and_its_refusal_is_one_clear_error(traced: Traced) -> None:
    bodies: list[tuple[str, str]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            bodies.append((self.path, body))
            self.send_response(200 if "v1" in self.path else 404)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            return

    sessions = traced.reader().sessions()
    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        written = write_otlp(url, traced.reader().read(keys=["notifier"]), sessions)
        with pytest.raises(ConfigError, match="answered 404"):
            write_otlp(f"{url}/elsewhere", traced.reader().read(keys=["notifier"]), sessions)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

    taken = [as_protobuf(body) for path, body in bodies if path == "/v1/traces"]
    assert sum(len(r.resource_spans[0].scope_spans[0].spans) for r in taken) == written > 10
