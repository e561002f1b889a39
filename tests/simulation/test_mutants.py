"""Deliberate defects: a simulation that finds none of them would prove nothing."""

from pathlib import Path

import pytest

from tests.simulation.mutants import MUTANTS, ROOT, Mutant, copied, found_by

FOUND = (
    "intent after send",
    "close sent before its intent is stored",
    "approval told before it is stored",
    "entry sent again however old",
    "fill booked twice",
    "fill not booked where its order is not known",
    "funding not booked",
    "trade not stored",
    "stop sent without its level",
    "missing stop not set again",
    "stop move not stored",
    "executions that were missed are not asked for",
    "orders under way are not looked up",
    "candles that were missed are not fetched",
    "crashed actor not started again",
    "hang not noticed",
    "close is not reduce-only",
    "commands forgotten by a restart",
    "facts that were refused are dropped",
    "what protects is not kept in the reserve",
    "reserve forgotten by a restart",
    "intent not synced",
    "command not synced",
)
"""Each by one of the first few seeds."""
SEEDS = 100


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    copied(folder)
    return folder


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_deliberate_defect_fits_the_program_as_it_is(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.old) == 1


@pytest.mark.complete
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FOUND)
def test_a_deliberate_defect_is_found(program: Path, name: str) -> None:
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)

    found = found_by(mutant, program, 1, SEEDS)

    assert found is not None
