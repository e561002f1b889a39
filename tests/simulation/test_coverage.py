"""What was met, and where a debugger stops."""

from tests.simulation.coverage import STATES, Pairs, never_met
from tests.simulation.judge import Judge
from tests.simulation.pace import settings_of
from tests.simulation.plan import Plan
from tests.simulation.report import render
from tests.simulation.world import Outcome, World, play


def test_pairs_that_were_not_met_are_named() -> None:
    pairs = Pairs({("append Intent after", state): 1 for state in STATES[1:]})

    assert never_met(pairs) == [("append Intent after", STATES[0])]


def test_a_debugger_sees_the_world_as_it_is_where_a_promise_breaks(monkeypatch) -> None:
    seen: list[tuple[float, list[str]]] = []
    monkeypatch.setattr(Judge, "look", lambda _self, now_s, _alive_s: ["<bad>"] * (now_s > 30.0))

    def look(world: World) -> None:
        seen.append((world.scheduler.now_s(), world.outcome.problems))

    outcome = play(1, settings_of(0), 2.0, Plan(), look)

    assert [problems for _, problems in seen] == [["<bad>"]]
    assert 30.0 < seen[0][0] < 31.0
    assert outcome.problems == ["<bad>"]
    assert outcome.last_events


def test_a_report_shows_what_broke_and_the_command_that_repeats_it() -> None:
    broken = Outcome(seed=7, problems=["<bad>"], last_events=["12.5 kill"])
    broken.pairs["append Intent after", STATES[0]] += 3

    page = render([broken, Outcome(seed=8)], lambda seed: f"bin/simulate --seed {seed}")

    assert "1 of 2 worlds broke a promise" in page
    assert "&lt;bad&gt;" in page
    assert "bin/simulate --seed 7" in page
    assert f"{len(STATES) - 1} pairs of the table were not met" in page
