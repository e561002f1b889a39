"""A change of keys that is killed anywhere: the directory opens under it, or goes on to it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from infra.run.rekeying import rekey
from infra.secrets.cipher import STATE, cipher_of
from infra.secrets.sources import write_new_key
from infra.secrets.vault import new_vault, vault_of
from infra.store.copying import sums
from infra.store.reading import open_reading
from tests.store.killing import killed_at_each_change
from tests.store.test_copying import filled

LINE = b'{"a":1}'


@pytest.fixture
def sources(tmp_path: Path) -> list[str]:
    for name in ("one", "two", "three"):
        write_new_key(tmp_path / name)
    return [f"file:{tmp_path / name}" for name in ("one", "two", "three")]


@pytest.fixture
def copies(tmp_path: Path, sources: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield run directories that are under the first key, and the same."""
    made = tmp_path / "made"
    made.mkdir()
    new_vault(made, sources[:1]).write()
    filled(made / "journal.sqlite")
    (made / "paper.state").write_bytes(cipher_of(made, STATE).line(LINE) + b"\n")
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a killed process needs none
    return (shutil.copytree(made, tmp_path / f"{number}") for number in count())


def content(folder: Path) -> tuple[object, ...]:
    with closing(open_reading(folder / "journal.sqlite")) as reading:
        journal = tuple(sums(reading))
    stored = (folder / "paper.state").read_bytes().strip()
    return journal, cipher_of(folder, STATE).read_line(stored)


def killed(copies: Iterator[Path], to: list[str]) -> Iterator[Path]:
    """Yield directories whose change to some keys was killed, each before another change."""
    made: list[Path] = []

    def call() -> Callable[[], object]:
        made.append(next(copies))
        return lambda: rekey(made[-1], to)

    for _ in killed_at_each_change(call):
        yield made[-1]


@pytest.mark.complete
def test_the_same_again_finishes_a_change_of_keys_that_was_killed_anywhere(
    copies: Iterator[Path], sources: list[str]
) -> None:
    before = content(next(copies))

    for folder in killed(copies, sources[1:2]):
        rekey(folder, sources[1:2])

        found = vault_of(folder)
        assert found is not None
        assert found.sources == sources[1:2]
        assert content(folder) == before


def test_other_keys_than_those_of_the_change_that_was_killed_open_it_alone_afterwards(
    copies: Iterator[Path], sources: list[str]
) -> None:
    before = content(next(copies))

    for folder in killed(copies, sources[1:2]):
        rekey(folder, sources[2:])

        found = vault_of(folder)
        assert found is not None
        assert found.sources == sources[2:]
        assert content(folder) == before


@pytest.mark.parametrize("to", [pytest.param(0, marks=pytest.mark.complete), 1])
def test_a_decryption_that_was_killed_anywhere_goes_on_either_way(
    copies: Iterator[Path], sources: list[str], to: int
) -> None:
    before = content(next(copies))

    for folder in killed(copies, []):
        rekey(folder, sources[:to])

        assert (vault_of(folder) is not None) == bool(to)
        assert content(folder) == before
