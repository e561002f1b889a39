"""What a seed stands for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.drills.reading import DrillReader
from domain.errors import ConfigError
from infra.drills.kill_points import POINTS
from infra.drills.process import read_process_drills
from infra.process.times import read_time
from infra.venues.simulator.faults.reading import read_specs
from tests.chaos.harness.plan import ACTOR_DRILLS, FAULTS, PROCESS_DRILLS, make_plan, read_faults


@given(seed=st.integers(0, 10**9))
def test_a_seed_always_makes_the_same_plan(seed: int) -> None:
    assert make_plan(seed) == make_plan(seed)


def test_consecutive_seeds_meet_every_kill_point_and_every_fault() -> None:
    met = {name for seed in range(40) for name in make_plan(seed).names()}

    assert set(FAULTS) <= met
    assert {f"kill {point}" for point in POINTS} <= met


@given(seed=st.integers(0, 10**6))
def test_only_the_chosen_faults_are_ever_in_a_plan(seed: int) -> None:
    lives = make_plan(seed, ["cut", "adl"]).lives

    assert {name for life in lives for name, _ in life.faults} <= {"cut", "adl"}


def test_the_exchange_understands_every_fault() -> None:
    specs = [read_specs({**spec, "after_s": 1.5}, name) for name, spec in FAULTS.items()]

    assert len(specs) == len(FAULTS)


def test_names_of_a_command_line_are_checked() -> None:
    assert read_faults("all") is None
    assert read_faults("none") == []
    assert read_faults("cut,adl") == ["cut", "adl"]
    with pytest.raises(ConfigError, match="found cot; allowed: all, none"):
        read_faults("cot,adl")


def test_a_kill_at_a_moved_stop_comes_with_a_stop_to_move() -> None:
    lives = [life for seed in range(100) for life in make_plan(seed).lives]
    moved = [life for life in lives if (life.kill_point or "").startswith("stop_moved")]

    assert moved
    assert all("stop_removed" in dict(life.faults) for life in moved)


def test_what_must_be_flat_after_a_panic_was_opened_before_it() -> None:
    lives = [life for seed in range(400) for life in make_plan(seed).lives]
    flattened = [life for life in lives if life.is_full_to_the_end and life.panic_s is not None]

    assert flattened
    assert all(
        opened_s < (life.panic_s or 0.0)
        for life in flattened
        for name, opened_s in life.faults
        if name == "position_opened"
    )


@pytest.mark.parametrize(
    "name", sorted({*ACTOR_DRILLS, *PROCESS_DRILLS, "poison", "locked", "panic"})
)
def test_every_drill_is_planned_within_two_hundred_seeds(name: str) -> None:
    planned = {found for seed in range(200) for found in make_plan(seed).names()}

    assert name.partition("=")[0] in planned


@given(seed=st.integers(0, 10**9))
def test_the_system_understands_every_drill_of_a_plan(seed: int) -> None:
    for life in make_plan(seed).lives:
        _, others = read_process_drills(life.drills)
        DrillReader(assets=["BTC", "ETH", "SOL"], seed=seed, read_time=read_time).of_simulation(
            others
        )
