"""How it came to a broken promise, as `bin/trace why` tells it, of a world that is traced."""

import platform
import re
import time
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path

from actors.core.supervisor import Supervisor
from domain.errors import ConfigError
from infra.operator.terminal.screen import Screen
from infra.store.reader import FactReader
from infra.store.trace_ids import id_text
from infra.trace.encode import Handling
from infra.trace.names import FORMAT
from infra.trace.query.story import story_of, story_view
from infra.trace.reader import TraceReader
from infra.trace.recorder import TraceRecorder, TraceRules
from infra.trace.recording import describe, trace_directory
from infra.trace.records import Session

_ORDER = re.compile(r"\b\w+-\d{9,}-[a-z_]+-\d+\b")
_ASSET = re.compile(r"\b([A-Z0-9]{2,})(?:USDT)?\b")
_WIDTH = 120
_WHOLE = TraceRules(
    ring=1,
    flush_s=0.01,
    segment_bytes=1 << 30,
    segment_s=1e9,
    kept_bytes=1 << 30,
    kept_s=1e9,
    tick_every=1,
    crash_files=0,
)


class Traces:
    """The traces of all lives of one world, in a folder as a run has them."""

    def __init__(self, folder: Path, mode: str) -> None:
        self._folder = folder
        self._mode = mode
        self._lives: dict[int, TraceRecorder] = {}
        self._supervisors: dict[int, Supervisor] = {}
        self._newest_id: int | None = None

    def take(self, life: int, supervisor: Supervisor | None, handling: Handling) -> None:
        """Note what an actor has done."""
        if life not in self._lives:
            self._lives[life] = TraceRecorder(
                trace_directory(self._folder), self._session(life), _WHOLE
            )
        if supervisor is not None:
            self._supervisors[life] = supervisor
        self._lives[life](handling)
        self._newest_id = handling.envelope.message_id

    def story(self, journal: Path, problems: Sequence[str]) -> list[str]:
        """Return the lines of what led to the first of some problems that has a cause."""
        for life, recorder in self._lives.items():
            children = self._supervisors[life].children() if life in self._supervisors else []
            recorder.start(describe(child.spec for child in children))
            recorder.close()
        facts, reader = FactReader(journal), TraceReader(trace_directory(self._folder))
        try:
            for wanted in self._wanted(facts, " ".join(problems)):
                told = _told(wanted, facts, reader)
                if told:
                    return told
        finally:
            facts.close()
        return []

    def _wanted(self, facts: FactReader, problems: str) -> Iterator[str]:
        """Yield ids that the problems name, then orders of the assets they name, then any."""
        yield from _ORDER.findall(problems)
        orders = [order.client_order_id for order in facts.orders()][::-1]
        named = {asset.removesuffix("USDT") for asset in _ASSET.findall(problems)}
        yield from (order for order in orders if order.partition("-")[0] in named)
        yield from orders[:1]
        if self._newest_id is not None:
            yield id_text(self._newest_id)

    def _session(self, life: int) -> Session:
        return Session(
            number=life,
            mode=self._mode,
            began_ms=time.time_ns() // 1_000_000,
            began_ns=time.perf_counter_ns(),
            python=platform.python_version(),
            actors=[],
            format=FORMAT,
        )


def _told(wanted: str, facts: FactReader, reader: TraceReader) -> list[str]:
    try:
        story = story_of(wanted, facts, reader)
    except ConfigError:
        return []
    written = StringIO()
    Screen(file=written, width=_WIDTH, soft_wrap=True).print(story_view(story))
    return [f"trace why {wanted}", *written.getvalue().rstrip().splitlines()]
