"""Run directories as an older program left them."""

import lzma
from pathlib import Path

import pytest

RECORDED = Path(__file__).parent / "recorded"


def unpack(name: str, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(lzma.decompress((RECORDED / f"{name}.xz").read_bytes()))
    return file


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A replay of made-up candles, with its trace."""
    unpack("made.trace", tmp_path / "made" / "trace" / "000001-000001.trace")
    return unpack("made.sqlite", tmp_path / "made" / "journal.sqlite").parent


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """A replay of real candles; its trace would hold them, and is not kept."""
    return unpack("market.sqlite", tmp_path / "market" / "journal.sqlite").parent


@pytest.fixture
def sim(tmp_path: Path) -> Path:
    """A simulation that was stopped with a position open."""
    unpack("sim-exchange.state", tmp_path / "sim" / "sim-exchange.state")
    return unpack("sim.sqlite", tmp_path / "sim" / "journal.sqlite").parent
