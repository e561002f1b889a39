"""The recorder of a run's trace, as configured."""

import platform
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from infra.secrets.cipher import cipher_of
from infra.settings import Settings
from infra.settings.secrets import secrets_of
from infra.trace.encode import tagged
from infra.trace.frames import TRACE
from infra.trace.names import FORMAT
from infra.trace.recorder import TraceRecorder, TraceRules, next_session
from infra.trace.records import ActorDescription, Session

PORTS = ("feed", "exchange", "clock", "journals", "outboxes", "wallet")
"""Actor arguments that are ports: their answers are recorded, not the objects."""
OPENS = {"journals": {"open": "journal"}, "outboxes": {"open": "outbox"}}
"""Port methods whose result is itself a port."""
_MB = 1_000_000
_DAY_S = 86_400


class Spec(Protocol):
    """What an actor is constructed with; see `actors.core.supervisor.ChildSpec`."""

    @property
    def address(self) -> str:
        """Its address."""

    @property
    def actor(self) -> type:
        """Its class."""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What it is made with."""


def trace_directory(run_dir: Path) -> Path:
    """Return the directory of a run's trace."""
    return run_dir / "trace"


def forget_traces(run_dir: Path) -> None:
    """Delete the trace of an earlier replay."""
    for folder in (trace_directory(run_dir), run_dir / "crashes"):
        shutil.rmtree(folder, ignore_errors=True)


def new_recorder(run_dir: Path, mode: str, whole: Settings) -> TraceRecorder | None:
    """Return the recorder of this process, not started yet; None if tracing is off."""
    settings = whole.trace
    if not settings.enabled:
        return None
    rules = TraceRules(
        ring=settings.ring,
        flush_s=settings.flush_ms / 1000,
        segment_bytes=settings.segment_mb * _MB,
        segment_s=_DAY_S,
        kept_bytes=settings.kept_mb * _MB,
        kept_s=settings.retention_days * _DAY_S,
        tick_every=settings.tick_every,
        crash_files=settings.crash_files,
        secrets=secrets_of(whole),
    )
    session = Session(
        number=next_session(trace_directory(run_dir)),
        mode=mode,
        began_ms=time.time_ns() // 1_000_000,
        began_ns=time.perf_counter_ns(),
        python=platform.python_version(),
        actors=[],
        tick_every=settings.tick_every,
        format=FORMAT,
    )
    cipher = cipher_of(run_dir, TRACE)
    return TraceRecorder(trace_directory(run_dir), session, rules, cipher)


def describe(specs: Iterable[Spec]) -> list[ActorDescription]:
    """Return what actors are constructed with, so that a replay can construct them again."""
    return [
        ActorDescription(
            address=spec.address,
            actor=f"{spec.actor.__module__}:{spec.actor.__qualname__}",
            arguments={
                name: ("port", name) if name in PORTS else ("value", tagged(value))
                for name, value in spec.arguments.items()
            },
        )
        for spec in specs
    ]
