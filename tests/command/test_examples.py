"""The profiles of `examples/` trade at the simulated exchange as they are."""

import signal
from pathlib import Path

import pytest

from tests.command.test_sim_run import SimRun

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run(tmp_path):
    started = SimRun(tmp_path, quick=(EXAMPLES / "multi_pair.yaml").read_text())
    yield started
    if started.process.poll() is None:
        started.process.kill()
        started.process.wait(60)
    started.out.close()


def test_the_multi_pair_profile_opens_longs_and_closes_them(run):
    opened = run.wait_for(lambda line: "LONG opened" in line)
    closed = run.wait_for(lambda line: "LONG closed" in line)

    assert "Trailing 2.0% behind the best price" in opened
    assert "Reason: " in closed
    assert run.end(signal.SIGINT) == 0
