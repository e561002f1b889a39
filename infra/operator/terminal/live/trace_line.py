"""The state of the trace, in a line."""

from rich.text import Text

from domain.text import plain
from infra.trace.recorder import TraceRecorder


def trace_line(recorder: TraceRecorder | None) -> Text:
    """Return session and size of the trace, or why there is none."""
    if recorder is None:
        return Text("no trace is written", "dim")
    if recorder.stopped_because is not None:
        why = plain(recorder.stopped_because)
        return Text.assemble(("tracing stopped, trading continues: ", "red"), why)
    size = f"{recorder.bytes_written / 1e6:,.1f} MB"
    return Text(f"trace: session {recorder.session.number}, {size}", "dim")
