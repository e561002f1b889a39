"""A process that one C call keeps from running: it ends itself, and the next start goes on."""

import signal
from pathlib import Path

from tests.command.test_sim_run import SimRun

FREEZE = ("--drill", "freeze=300@3")
QUICK = """
simulation: {speed: 60}
supervision: {freeze_seconds: 2}
"""


def test_a_frozen_process_ends_itself_and_the_next_start_goes_on(tmp_path: Path) -> None:
    frozen = SimRun(tmp_path, quick=QUICK, words=FREEZE)
    code = frozen.process.wait(100)
    frozen.out.close()
    stacks = (frozen.run_dir / "frozen.txt").read_text()

    again = SimRun(tmp_path)
    again.wait_for(lambda line: "commands are accepted at" in line)
    ended = again.end(signal.SIGTERM)
    again.out.close()

    assert code == 1
    assert "Timeout" in stacks
    assert "supervisor.py" in stacks
    assert ended == 0
