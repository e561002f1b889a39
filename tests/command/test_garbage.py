"""The garbage collector once a process has started."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = """
import gc, weakref
from infra.process.garbage import spare_the_old

class Node:
    pass

def ring():
    node = Node()
    node.itself = node
    return node

old, dropped = ring(), weakref.ref(ring())
spare_the_old()
later = weakref.ref(ring())
gc.collect()
print(any(found is old for found in gc.get_objects()), dropped() is None, later() is None)
"""


def test_what_is_there_at_the_start_is_not_looked_at_again_and_all_else_is() -> None:
    # A process of its own: what it spares would stay spared for all tests.
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.split() == ["False", "True", "True"]
