"""Threads that hand over to each other stay on one processor, other processes do not."""

import os
import subprocess
import sys
import threading

from infra.process.processor import on_any_processor, on_one_processor

ASK = "import os; print(sorted(os.sched_getaffinity(0)))"


def asked_in_a_thread() -> set[int]:
    found: list[set[int]] = []
    thread = threading.Thread(target=lambda: found.append(os.sched_getaffinity(0)))
    thread.start()
    thread.join(20)
    return found[0]


def asked_of_a_child() -> str:
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_threads_share_one_processor_and_another_process_may_use_them_all():
    before = os.sched_getaffinity(0)

    with on_one_processor():
        (mine,) = os.sched_getaffinity(0)
        assert asked_in_a_thread() == {mine}
        with on_any_processor():
            assert asked_of_a_child() == str(sorted(before))
        assert os.sched_getaffinity(0) == {mine}

    assert os.sched_getaffinity(0) == before
    assert asked_in_a_thread() == before


def test_the_processor_is_one_that_fewer_others_are_bound_to():
    allowed = os.sched_getaffinity(0)
    with on_one_processor():
        (taken,) = os.sched_getaffinity(0)
    stay = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); print(flush=True); input()"
    several = [
        subprocess.Popen(
            [sys.executable, "-c", stay, str(taken)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(6)
    ]
    try:
        for child in several:
            assert child.stdout is not None
            child.stdout.readline()
        with on_one_processor():
            (other,) = os.sched_getaffinity(0)
        assert other != taken or len(allowed) == 1
    finally:
        for child in several:
            child.kill()
            child.wait()
            child.stdin.close()
            child.stdout.close()
