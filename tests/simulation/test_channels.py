"""Channels of notices that fail: nothing is lost on the way, and nothing waits for them."""

from collections import Counter

import pytest

from infra.operator.notices.carrier import Carrier
from infra.store.deliveries import Deliveries
from tests.simulation.faults import CHANNEL_FATES
from tests.simulation.pace import settings_of
from tests.simulation.plan import Chances, Plan
from tests.simulation.world import Outcome, play

SEEDS = range(3)


def played(seed: int) -> Outcome:
    return play(seed, settings_of(0), 20.0, Plan(chances=Chances(channel=0.6, crash=0.01)))


def test_channels_fail_in_every_way_and_each_notice_arrives_or_is_refused_for_ever() -> None:
    outcomes = [played(seed) for seed in SEEDS]

    met = Counter[str]()
    for outcome in outcomes:
        met += outcome.hits

    assert [outcome.problems for outcome in outcomes] == [[]] * len(SEEDS)
    for fate in CHANNEL_FATES:
        assert any(name.startswith("channel ") and name.endswith(fate) for name in met), fate


def test_a_notice_that_comes_twice_and_does_not_say_so_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Deliveries, "mark_sending", lambda _self, _delivery: None)

    problems = [problem for seed in SEEDS for problem in played(seed).problems]

    assert any("times by" in problem and "did not say so" in problem for problem in problems)


def test_a_notice_that_is_marked_before_it_arrives_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deliver = Carrier._deliver_next

    def marked_first(carrier: Carrier) -> bool:
        waiting = carrier._deliveries.next()
        if waiting is not None:
            carrier._deliveries.mark_delivered(waiting)
            carrier._deliveries.next = lambda: waiting  # type: ignore[method-assign]
        try:
            return deliver(carrier)
        finally:
            vars(carrier._deliveries).pop("next", None)

    monkeypatch.setattr(Carrier, "_deliver_next", marked_first)

    problems = [problem for seed in SEEDS for problem in played(seed).problems]

    assert any("never arrived" in problem for problem in problems)
