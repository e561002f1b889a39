"""Downloads from the simulated exchange, broken off in every way, and from a small one of ours."""

import fcntl
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bin.candles import app
from domain.errors import UnavailableError
from domain.market.instruments import Candle
from infra.candles.files import read_candles
from infra.candles.history_files import held
from infra.process.times import read_time, show_time
from infra.venues.bybit import patient
from infra.venues.bybit.download import Download, Wanted
from infra.venues.bybit.http.client import PATIENCE
from tests.programs import run_program
from tests.venues.simulator.clients import BTC, eventually, running

ROOT = Path(__file__).resolve().parents[3]
MINUTES_5 = 300_000
HOURS_8 = 28_800_000
START_MS = read_time("", "2026-03-01T00:02:30")
FIRST_MS = START_MS // MINUTES_5 * MINUTES_5
NEVER_S = 600


@pytest.fixture(scope="module")
def exchange():
    """Yield a client of an exchange whose clock stands still, inside a candle."""
    with running(speed=None, start_ms=START_MS, history=12_500) as client:
        yield client


def words(client, folder, *more, symbols=BTC, days=44):
    begin = show_time(FIRST_MS - days * 86_400_000).replace(" ", "T")
    return [
        *("download", "--url", client.sim.base_url, "--symbols", symbols),
        *("--from", begin, *more, str(folder)),
    ]


def process(arguments):
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-m", "bin.candles", *arguments],
        cwd=ROOT,
        env=kept | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(arguments) -> SimpleNamespace:
    end = run_program("bin.candles", *arguments, env={"PYTHONPATH": str(ROOT)})
    return SimpleNamespace(code=end.returncode, out=end.stdout, err=end.stderr)


def rows(file: Path) -> list[tuple]:
    table = pq.read_table(file)
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def klines(client, first_ms: int, last_ms: int) -> list[tuple]:
    """Return the exchange's closed candles, asked in pages of our own."""
    found = {}
    for start_ms in range(first_ms, last_ms + 1, 500 * MINUTES_5):
        page = client.public(
            "/v5/market/kline",
            symbol=BTC,
            interval="5",
            start=start_ms,
            end=min(start_ms + 500 * MINUTES_5 - 1, last_ms),
            limit=1000,
        )
        found |= {int(row[0]): tuple(map(float, row[1:6])) for row in page["result"]["list"]}
    return [(time_ms, *found[time_ms]) for time_ms in sorted(found)]


def test_the_files_hold_what_the_exchange_has_and_no_open_candle(exchange, tmp_path):
    end = done(words(exchange, tmp_path, symbols="BTCUSDT,ETHUSDT", days=5))
    checked = done(["verify", str(tmp_path)])

    assert (end.code, end.err) == (0, "")
    assert checked.code == 0, checked.out
    found = rows(tmp_path / "BTCUSDT.parquet")
    assert found == klines(exchange, FIRST_MS - 5 * 86_400_000, FIRST_MS - 1)
    assert found[-1][0] == FIRST_MS - MINUTES_5
    funding = rows(tmp_path / "BTCUSDT.funding.parquet")
    assert [time_ms for time_ms, _ in funding] == list(
        range(FIRST_MS - 5 * 86_400_000, START_MS + 1, HOURS_8)
    )
    assert {rate for _, rate in funding} == {0.0001}
    read = read_candles(tmp_path, ["BTCUSDT", "ETHUSDT"], candle_ms=MINUTES_5)
    assert [len(series) for series in read.values()] == [5 * 288] * 2


def test_a_time_in_the_future_is_told_how_far_the_files_came(exchange, tmp_path):
    end = done(words(exchange, tmp_path, "--to", "2126-01-01", days=1))

    newest = show_time(FIRST_MS)
    assert end.code == 0
    assert end.err == (
        f"--to 2126-01-01 00:00 is in the future: the newest closed candle ended {newest} UTC\n"
    )
    assert rows(tmp_path / "BTCUSDT.parquet")[-1][0] == FIRST_MS - MINUTES_5


def test_funding_under_other_names_is_added_to(exchange, tmp_path):
    first_ms = FIRST_MS - 2 * 86_400_000
    file = tmp_path / "BTCUSDT.funding.parquet"
    theirs = {"open_time": [first_ms], "funding_rate": [0.0002]}
    pq.write_table(pa.table(theirs), file)

    end = done(words(exchange, tmp_path, days=2))

    assert end.code == 0, end.err
    assert pq.read_table(file).schema.names == ["time_ms", "rate"]
    assert rows(file)[:2] == [(first_ms, 0.0002), (first_ms + HOURS_8, 0.0001)]


def test_a_killed_download_goes_on_without_gap_or_duplicate(exchange, tmp_path):
    exchange.control("faults", kind="answer_late", path="/v5/market/kline", seconds=0, times=10)
    exchange.control("faults", kind="answer_late", path="/v5/market/kline", seconds=NEVER_S)
    file = tmp_path / "BTCUSDT.parquet"
    with process(words(exchange, tmp_path, days=40)) as killed:
        try:
            eventually(file.exists)
        finally:
            killed.send_signal(signal.SIGKILL)
    exchange.session.delete(f"{exchange.sim.base_url}/sim/faults", timeout=10)
    before = rows(file)
    (tmp_path / ".BTCUSDT.parquet.tmp").write_bytes(b"half a file")

    end = done(words(exchange, tmp_path, days=40))

    assert end.code == 0, end.err
    assert len(before) == 10_000
    assert rows(file) == klines(exchange, FIRST_MS - 40 * 86_400_000, FIRST_MS - 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "BTCUSDT.funding.parquet",
        "BTCUSDT.parquet",
    ]


# In this process.


def invoke(*arguments):
    return CliRunner().invoke(app, [str(word) for word in arguments])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--symbols", "btc-usdt"], "expected perpetuals as the exchange names them"),
        (["--symbols", ","], "expected perpetuals"),
        (["--from", "yesterday"], "--from yesterday: not an ISO time"),
        (["--interval", "7"], "--interval 7: expected minutes: 1, 3, 5"),
        (["--url", "api.bybit.com"], "--url api.bybit.com: expected an address"),
        (["--symbols", "NOPEUSDT"], "--symbols NOPEUSDT: the exchange does not list it"),
        (["--from", "2030-01-01"], "expected a time that holds a closed candle, found 2030-01-01"),
        (["--to", "2000-01-01"], "expected a time that holds a closed candle"),
    ],
    ids=str,
)
def test_wrong_words_are_told_in_a_line(exchange, tmp_path, more, told):
    end = invoke(*words(exchange, tmp_path)[:-1], *more, tmp_path)

    assert end.exit_code == 2
    assert told in end.stderr
    assert end.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("BTCUSDT.csv", b"", "found BTCUSDT.csv; candles are read from one file"),
        ("BTCUSDT.parquet", b"PAR1 no", "BTCUSDT.parquet: found damaged data"),
        ("BTCUSDT.funding.parquet", b"", "BTCUSDT.funding.parquet: found damaged data"),
    ],
)
def test_a_file_that_cannot_be_added_to_stays_as_it_is(exchange, tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)

    end = invoke(*words(exchange, tmp_path, days=1))

    assert (end.exit_code, end.stderr.count("\n")) == (2, 1)
    assert told in end.stderr
    assert (tmp_path / name).read_bytes() == content


def test_candles_of_another_length_are_not_mixed(exchange, tmp_path):
    assert invoke(*words(exchange, tmp_path, "--interval", 15, days=1)).exit_code == 0

    end = invoke(*words(exchange, tmp_path, days=2))

    assert end.exit_code == 2
    assert "found candles of 15 minutes, expected 5" in end.stderr
    assert (
        np.diff([row[0] for row in rows(tmp_path / "BTCUSDT.parquet")]).tolist() == [900_000] * 95
    )


def test_a_folder_takes_one_download_at_a_time(exchange, tmp_path):
    with held(tmp_path):
        end = invoke(*words(exchange, tmp_path, days=1))

    assert end.exit_code == 2
    assert "another download writes there" in end.stderr
    with (tmp_path / "free").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert invoke(*words(exchange, tmp_path, days=1)).exit_code == 0


def test_time_before_the_exchange_had_candles_is_told(exchange, tmp_path):
    end = invoke(
        *words(exchange, tmp_path)[:-3], "--from", "2025-01-01", "--to", "2025-01-02", tmp_path
    )

    assert end.exit_code == 1
    assert "BTCUSDT candles: the exchange has none from 2025-01-01 00:00" in end.stderr


def test_a_silent_exchange_is_told_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(patient, "_PATIENCE", replace(PATIENCE, read_budget_s=0.1))
    url = "http://127.0.0.1:1"

    end = invoke("download", "--symbols", BTC, "--from", "2025-01-01", "--url", url, tmp_path)

    assert (end.exit_code, end.stderr.count("\n")) == (1, 1)
    assert "Connection refused" in end.stderr
    assert "run the same command again to continue" in end.stderr


# Whatever the exchange has, and whenever it falls silent.


class SmallExchange:
    """Has candles and settlements at some times, and is silent from some request on."""

    def __init__(self, opens, settled) -> None:
        self.opens, self.settled, self.answers = opens, settled, 10**9
        self.now_ms = FIRST_MS

    def server_time(self):
        return self.now_ms

    def instruments(self, symbols):
        listing = SimpleNamespace(launch_ms=None, funding_interval_ms=HOURS_8 // 20)
        return dict.fromkeys(symbols, listing)

    def _count(self) -> None:
        self.answers -= 1
        if self.answers < 0:
            raise UnavailableError("silent")

    def kline(self, _symbol, start_ms, end_ms, *, candle_ms):
        self._count()
        assert end_ms - start_ms < 1000 * candle_ms
        prices = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 0.0}
        return tuple(
            Candle(open_time_ms=t, close_time_ms=t + candle_ms, **prices)
            for t in self.opens
            if start_ms <= t <= end_ms
        )

    def funding_rates(self, _symbol, start_ms, end_ms):
        self._count()
        return {t: Decimal("0.0001") for t in self.settled if start_ms <= t <= end_ms}


SPAN = 5_000
"""Candles in the property's world."""
PLACES = st.integers(0, SPAN // 100).map(lambda hundreds: hundreds * 100)


@st.composite
def worlds(draw):
    lost = draw(st.sets(st.integers(0, SPAN - 1), max_size=4))
    begin_ms = FIRST_MS - SPAN * MINUTES_5
    opens = [begin_ms + i * MINUTES_5 for i in range(SPAN) if i not in lost]
    settled = [t for t in opens if t % HOURS_8 == 0]
    spans = st.lists(PLACES, min_size=2, max_size=2, unique=True).map(sorted)
    silences = st.integers(0, 8)
    tries = draw(st.lists(st.tuples(spans, silences), min_size=2, max_size=4))
    return SmallExchange(opens, settled), begin_ms, tries


@contextmanager
def folder():
    with TemporaryDirectory() as made:
        yield Path(made)


@settings(max_examples=40, deadline=None)
@given(worlds())
def test_whatever_breaks_off_files_have_no_hole_of_ours_and_are_whole_in_the_end(world):
    exchange, begin_ms, tries = world
    known = {"BTCUSDT.parquet": exchange.opens, "BTCUSDT.funding.parquet": exchange.settled}

    with folder() as directory:
        for (first, last), answers in tries:
            span = (begin_ms + first * MINUTES_5, begin_ms + last * MINUTES_5)
            exchange.answers = answers
            _download(exchange, directory, span)
            for name, times in known.items():
                assert _without_hole(directory / name, times)
            exchange.answers = 10**9
            _download(exchange, directory, span)
            for name, times in known.items():
                assert _without_hole(directory / name, times)
                found = _times(directory / name)
                end_ms = span[1] - (MINUTES_5 if name == "BTCUSDT.parquet" else 0)
                assert {t for t in times if span[0] <= t <= end_ms} <= set(found)


def test_what_is_there_is_not_asked_for_again(tmp_path):
    opens = range(FIRST_MS - SPAN * MINUTES_5, FIRST_MS, MINUTES_5)
    exchange = SmallExchange(opens, [t for t in opens if t % HOURS_8 == 0])
    asked = []
    for candles_back in (1000, 3000, 3000):
        exchange.answers = 1000
        _download(exchange, tmp_path, (FIRST_MS - candles_back * MINUTES_5, FIRST_MS))
        asked.append(1000 - exchange.answers)

    # Candles, and funding at both ends, where no grid tells that nothing is missing.
    assert asked == [1 + 2, 2 + 4, 0 + 2]


def _download(exchange, directory, span) -> None:
    wanted = Wanted(symbols=["BTCUSDT"], from_ms=span[0], to_ms=span[1], candle_ms=MINUTES_5)
    try:
        for part in Download(exchange, directory, wanted).parts():
            part.run(lambda: None)
    except UnavailableError:
        pass


def _times(file: Path) -> list[int]:
    return [row[0] for row in rows(file)] if file.exists() else []


def _without_hole(file: Path, times) -> bool:
    found = _times(file)
    return not found or found == [t for t in times if found[0] <= t <= found[-1]]
