"""The least trouble that still breaks a promise, how it came to that, and what repeats it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.store.deliveries import Deliveries
from tests.simulation.events import DEEDS
from tests.simulation.plan import Plan
from tests.simulation.shrinking import least, shrink
from tests.simulation.terms import Terms

ONLY_CHANNELS = tuple(
    name for name in Plan.all_names(DEEDS) if name not in ("channel", "crash", "pause", "lost")
)
ITEMS = tuple(map(str, range(24)))


@given(needed=st.sets(st.sampled_from(ITEMS)))
def test_what_is_left_is_always_what_it_takes_and_nothing_else(needed: set[str]) -> None:
    assert set(least(ITEMS, lambda some: needed <= set(some))) == needed


def test_a_broken_promise_is_shown_with_one_event_its_story_and_what_repeats_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Deliveries, "mark_sending", lambda _self, _delivery: None)
    terms = Terms(minutes=8.0, off=ONLY_CHANNELS)
    found = next(o for o in map(terms.play, _with_channels(terms)) if o.problems)

    shrunk = shrink(found, terms)

    least_of_all = shrunk.terms.play(found.seed, is_traced=True)
    (strike,) = least_of_all.strikes
    assert strike.what.endswith(("keeps silent", "is lost"))
    assert len(found.strikes) > 1
    assert any("did not say so" in problem for problem in least_of_all.problems)
    assert least_of_all.why[0].startswith("trace why ")
    assert len(least_of_all.why) > 1
    assert shrunk.terms.command(found.seed).endswith(f'--only "{strike.key}"')
    assert shrunk.terms.play(found.seed).event_hash == least_of_all.event_hash


def _with_channels(terms: Terms) -> Sequence[int]:
    return [seed for seed in range(1, 60) if terms.plan(seed).chances.channel > 0.2]
