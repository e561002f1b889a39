"""All who watch a running system see one and the same snapshot of it."""

from collections.abc import Iterator
from functools import partial

import pytest

from bin.bootstrap.watching import surroundings_of
from domain.operator.system import SystemState
from tests.system.floor import Floor, floor
from tests.system.test_health import health_of

FRESH_S = 60.0


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with floor(tmp_path_factory.mktemp("run") / "var") as made:
        health = health_of(made)
        look_around = partial(surroundings_of, made.run, made.connection.market, health)
        made.run.inspector.look_around = look_around
        yield made


def test_who_comes_soon_after_gets_the_same_and_who_wants_it_new_gets_another(here: Floor) -> None:
    first = here.run.inspector.snapshot(5.0)

    assert here.run.inspector.snapshot(5.0, FRESH_S) is first
    assert here.run.inspector.snapshot(5.0) is not first


def test_it_names_the_run_its_feeds_and_what_its_actors_have_handled(here: Floor) -> None:
    seen = here.run.inspector.snapshot(5.0)

    assert seen.mode == here.run.info.mode
    assert seen.state is not SystemState.DOWN
    assert set(seen.feeds) == set(seen.assets) == {rules.asset for rules in here.run.rules.assets}
    portfolio = next(actor for actor in seen.actors if actor.address == "portfolio")
    assert (portfolio.status, portfolio.generation) == ("RUNNING", 1)
    assert portfolio.handled > 0
    assert portfolio.p50_ms is not None
