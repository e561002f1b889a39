"""A hang in a trace: told, shown, left out of replays, and stepped into; an exit like a crash."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest
from typer.testing import CliRunner

import bin.trace
from actors.core.system import Moment
from actors.reruns.incarnations import HUNG, rerun
from bin.bootstrap.recorded import build_replay
from bin.bootstrap.reruns import trace_codec
from bin.trace import app
from domain.errors import BadDataError
from infra.candles.files import read_candles
from infra.process.times import read_time
from infra.settings import load_settings
from infra.store.trace_ids import id_text
from infra.trace.query.crashes import crashes_in
from infra.trace.reader import TraceReader
from tests.replay.runs import finish
from tests.trace.debugging import debug

LATE = 60
SETTINGS = "strategy: {warmup_candles: 700}\nsupervision: {hang_seconds: 8}\n"


@dataclass
class HangAndExit:
    """Keeps one actor busy with one message until it is let go, and ends another's thread."""

    moments: Counter[tuple[str, Moment]] = field(default_factory=Counter)
    let_go: Event = field(default_factory=Event)

    def __call__(self, address: str, moment: Moment) -> None:
        self.moments[address, moment] += 1
        if self.moments[address, moment] != LATE:
            return
        if (address, moment) == ("asset/ETH", Moment.AFTER_FACTS):
            self.let_go.wait(120)
        if (address, moment) == ("portfolio", Moment.AFTER_TELLS):
            raise SystemExit("called by a library")


@pytest.fixture(scope="module")
def hung(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Path]:
    """Play half a day of real candles in which an actor hangs once."""
    folder = tmp_path_factory.mktemp("hung")
    file = folder / "settings.yaml"
    file.write_text(SETTINGS)
    settings = load_settings(file, environ={}, dotenv=None)
    rules = settings.trading_rules()
    series = read_candles(
        shared_data / "market" / "bybit_perp_2025-04_2025-07",
        [asset.instrument.symbol for asset in rules.assets],
        candle_ms=rules.candles.candle_ms,
        from_ms=None,
        to_ms=read_time("--to", "2025-04-06T15:00"),
    )
    candles = {asset.asset: series[asset.instrument.symbol] for asset in rules.assets}
    drill = HangAndExit()
    run, lockstep = build_replay(settings, candles, folder, make_probe=lambda _: drill)
    try:
        finish(run, lockstep)
        yield folder
    finally:
        drill.let_go.set()


def hung_id(folder: Path) -> str:
    (crash,) = crashes_in(TraceReader(folder / "trace").read(keys=["asset/ETH"]))
    assert crash.found.handling.outcome == "hung"
    return id_text(crash.found.handling.message_id)


def command(folder: Path, *arguments: str) -> str:
    bin.trace.screen.file = None  # whatever the runner has made of stdout
    result = CliRunner().invoke(app, ["--run-dir", str(folder), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_all_but_the_message_that_hung_is_run_again_and_is_equal(hung: Path) -> None:
    reader, left_out, steps = TraceReader(hung / "trace"), [], []
    actors = [actor.address for actor in reader.sessions()[-1].actors]

    for actor in actors:
        records = reader.read(keys=[actor])
        steps += rerun(records, trace_codec(), left_out=lambda f, why: left_out.append((f, why)))

    assert [step.difference for step in steps if step.difference is not None] == []
    assert [(id_text(f.handling.message_id), why) for f, why in left_out] == [(hung_id(hung), HUNG)]
    assert len(steps) + 1 == sum(1 for f in reader.read() if f.handling.generation)


def test_an_exit_is_run_again_to_the_same_exit(hung: Path) -> None:
    text = command(hung, "replay", "portfolio")

    assert "all equal" in text
    assert re.search(r"crashed again in the same way: 1\.\d+ SystemExit: called by a library", text)


def test_an_actor_whose_module_has_moved_is_run_again(hung: Path) -> None:
    records = list(TraceReader(hung / "trace").read(keys=["account", "asset/BTC"]))
    for described in records[0].session.actors:
        described.actor = f"moved.{described.actor}"

    steps = list(rerun(records, trace_codec()))

    assert len(steps) > 50
    assert [step.difference for step in steps if step.difference is not None] == []


@pytest.mark.parametrize("lost", ["actor", "message"])
def test_a_trace_of_another_version_is_one_clear_error(hung: Path, lost: str) -> None:
    records = list(TraceReader(hung / "trace").read(keys=["asset/BTC"]))
    if lost == "actor":
        for described in records[0].session.actors:
            described.actor = "actors.asset:AssetActorOfOld"
    else:
        records[3].handling.kind = "MessageOfOld"

    with pytest.raises(BadDataError, match="written by another version"):
        list(rerun(records, trace_codec()))


def test_what_is_left_out_is_said_with_what_can_be_done(hung: Path) -> None:
    text = command(hung, "replay", "asset/ETH")

    assert f"not run: {hung_id(hung)} " in text
    assert f"step into it by --until {hung_id(hung)} --pdb" in text
    assert "all equal" in text


def test_the_debugger_stops_before_the_message_that_hung(hung: Path) -> None:
    by_id = debug(hung, "replay", "asset/ETH", "--until", hung_id(hung), typed="c\n")
    by_default = debug(hung, "replay", "asset/ETH", typed="c\n")

    for text in (by_id, by_default):
        assert "work_on" in text
        assert "(Pdb)" in text


def test_a_hang_shows_where_the_actor_stood(hung: Path) -> None:
    text = command(hung, "crash", hung_id(hung))

    assert "where it stood" in text
    assert "self.let_go.wait(120)" in text
    assert "its last 20 messages" in text
    assert "recovery: incarnation 2" in text
