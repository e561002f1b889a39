"""Drills of actors, from the command line to what they do."""

import pytest

from actors.core.system import Moment
from actors.drills.probes import DrillError
from actors.drills.reading import DrillReader
from domain.errors import ConfigError
from infra.process.times import read_time

READER = DrillReader(assets=["BTC", "ETH"], seed=1, read_time=read_time)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("crash=0.999999", DrillError),
        ("exit=0.999999", SystemExit),
        ("interrupt=0.999999", KeyboardInterrupt),
    ],
)
def test_each_drill_fails_in_its_own_way(text: str, error: type[BaseException]) -> None:
    probe = READER.of_simulation([text]).make_probe(lambda: 0)

    assert probe is not None
    with pytest.raises(error, match=text.partition("=")[0]):
        probe("asset/BTC", Moment.START)


def test_poison_begins_so_long_after_the_start() -> None:
    now = READER.of_simulation(["poison=execution/ETH@0s"]).make_probe(lambda: 0)
    later = READER.of_simulation(["poison=execution/ETH@3600s"]).make_probe(lambda: 0)

    assert now is not None
    assert later is not None
    later("execution/ETH", Moment.BEFORE_WORK)
    now("asset/ETH", Moment.BEFORE_WORK)
    with pytest.raises(DrillError, match="poison"):
        now("execution/ETH", Moment.BEFORE_WORK)


@pytest.mark.parametrize("text", ["poison=XRP@5s", "poison=BTC@s", "poison=BTC@-5s", "poison=5s"])
def test_what_is_no_poison_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"--drill {text}"):
        READER.of_simulation([text])


def test_a_replay_has_no_real_time_to_wait() -> None:
    with pytest.raises(ConfigError, match="not an ISO time"):
        READER.of_replay(["poison=BTC@5s"])
