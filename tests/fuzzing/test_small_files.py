"""Files that a run keeps, or that people write: read, or refused in a line, whatever they hold."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from domain.errors import BadDataError, ConfigError
from domain.operator.commands import Command, UnknownCommandError, parse
from infra.candles.funding import read_funding
from infra.operator.control.token import read_address, read_token
from infra.settings import load_settings
from infra.venues.paper.account import PaperAccount, paper_balance
from infra.venues.paper.memory import Memory
from infra.venues.simulator.core import Simulator
from infra.venues.simulator.faults.reading import read_file
from infra.venues.simulator.keys import own_keys
from tests.fuzzing.campaign import examples
from tests.fuzzing.mutations import as_json, damaged, mutated
from tests.venues.paper.test_account import PRICE, RULES, order
from tests.venues.simulator.clients import options, running

_LONGEST = 50_000
START_MS = 1_743_465_600_000


@dataclass(frozen=True)
class Kind:
    """A file: its name, how to make a good one, and who reads it."""

    name: str
    make: Callable[[Path], None]
    read: Callable[[Path], Any]
    is_lines: bool = False


def make_paper(file: Path) -> None:
    account = PaperAccount(RULES, Memory(file))
    account.submit(order(1), PRICE, 1_000)
    account.settle("BTC", PRICE, Decimal("0.0001"), 2_000)


def read_paper(file: Path) -> None:
    account = PaperAccount(RULES, Memory(file))
    assert account.engine.wallet.is_finite()
    assert account.engine.wallet == paper_balance(RULES, file)
    assert all(position.qty > 0 for position in account.engine.positions.values())


def make_state(file: Path) -> None:
    with running(speed=None, history=60, start_ms=START_MS, state=file) as client:
        client.short()
        client.control("transfer", amount="5")
        client.control("advance", candles=3)


def read_state(file: Path) -> None:
    made = Simulator(options(speed=None, history=60, start_ms=START_MS, state=file))
    made.wire._socket.close()
    made.state.close()


def make_funding(file: Path) -> None:
    columns = {"time_ms": pa.array([300_000, 600_000]), "rate": pa.array([0.0001, -0.0002])}
    parquet.write_table(pa.table(columns), file)


KINDS = {
    "paper account": Kind("paper.state", make_paper, read_paper, is_lines=True),
    "simulator's state": Kind("sim.state", make_state, read_state, is_lines=True),
    "address of the control interface": Kind(
        "control.json",
        lambda file: file.write_text('{"host": "127.0.0.1", "port": 4000, "pid": 7}'),
        lambda file: (found := read_address(file.parent)) and found.url,
    ),
    "token of the control interface": Kind(
        "control.token",
        lambda file: file.write_text("a" * 43),
        lambda file: read_token(file.parent).encode("ascii"),
    ),
    "key of the simulated account": Kind(
        "sim-keys.json",
        lambda file: file.write_text('["key", "secret"]'),
        lambda file: own_keys(file, is_ours=True),
    ),
    "faults": Kind(
        "faults.yaml",
        lambda file: file.write_text('[{"kind": "mute", "for_s": 3, "topic": "kline"}]'),
        read_file,
    ),
    "funding": Kind(
        "BTCUSDT.funding.parquet",
        make_funding,
        lambda file: read_funding(file.parent, "BTCUSDT", candle_ms=300_000),
    ),
    "settings": Kind(
        "settings.yaml",
        lambda file: file.write_text('{"risk": {"stop_loss_pct": 0.02}, "feed": {}}'),
        lambda file: load_settings(file, environ={}, dotenv=None),
    ),
    "variables": Kind(
        ".env",
        lambda file: file.write_text("LOG_LEVEL=DEBUG\nDISCORD_URL='discord://a/b'\n"),
        lambda file: load_settings(None, environ={}, dotenv=file),
    ),
}


@cache
def whole(name: str) -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / KINDS[name].name
        KINDS[name].make(file)
        return file.read_bytes()


@st.composite
def line_mutated(draw, content: bytes) -> bytes:
    """Return JSON lines of which one was changed, lost or doubled."""
    lines = content.splitlines()
    place = draw(st.integers(0, len(lines) - 1))
    changed = as_json(draw(mutated(orjson.loads(lines[place]))))
    instead = draw(st.sampled_from([[changed], [changed], [], [lines[place]] * 2]))
    return b"\n".join([*lines[:place], *instead, *lines[place + 1 :], b""])


@pytest.mark.parametrize("name", KINDS)
def test_a_good_file_is_read(tmp_path, name):
    file = tmp_path / KINDS[name].name
    file.write_bytes(whole(name))

    KINDS[name].read(file)


@pytest.mark.parametrize("name", KINDS)
@examples(40)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_a_line(tmp_path, name, data):
    kind, content = KINDS[name], whole(name)
    ways = [damaged(content)]
    if kind.is_lines:
        ways.append(line_mutated(content))
    elif kind.name.endswith((".json", ".yaml")):
        ways.append(mutated(orjson.loads(content)).map(as_json))
    file = tmp_path / kind.name
    # PyYAML takes minutes over what is nested a hundred thousand times.
    file.write_bytes(data.draw(st.one_of(ways).filter(lambda content: len(content) < _LONGEST)))

    with suppress(ConfigError, BadDataError):
        kind.read(file)


@examples(200)
@given(
    st.text(max_size=40)
    | st.lists(
        st.sampled_from(
            ["/pause", "CLOSE", "all", "panic@bot", "trades", "9" * 5000, "-1", "²", "x"]
        )
    ).map(" ".join)
)
def test_what_people_write_is_a_command_or_is_refused_in_a_line(text):
    found: Any = None
    try:
        found = parse(text)
    except UnknownCommandError as error:
        found = str(error)
    assert isinstance(found, Command) or 0 < len(found) < 200
