"""The benchmarks keep what they measure, and hold two runs against each other."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.others import Others, warning
from tests.benchmarks.results import Machine, Results, Row, compared, read_results, this_machine

ROOT = Path(__file__).resolve().parents[2]


def row(what: str, measured: str) -> Row:
    return Row("close", what, measured, "")


def test_two_runs_are_compared_by_the_ratio_of_each_figure_that_has_a_unit():
    old = [
        row("close to order", "p50 4.00 ms, p99 8.0 ms of 172"),
        row("replay", "4,900 asset-candles/s"),
        row("gone", "1 s"),
    ]
    new = [
        row("close to order", "p50 1.00 ms, p99 6.0 ms of 174"),
        row("replay", "9,800 asset-candles/s"),
        row("added", "2 s"),
    ]

    found = {what: ratios for what, _, _, ratios in compared(old, new)}

    assert found == {"close to order": "0.25, 0.75", "replay": "2.00"}


def test_results_are_kept_with_their_machine_and_read_again(tmp_path: Path):
    kept = Results(this_machine(), 1.25, [row("close to order", "p50 4.00 ms")])

    kept.write(tmp_path / "old.json")

    assert read_results(tmp_path / "old.json") == kept
    written = json.loads((tmp_path / "old.json").read_text())
    assert {"cores", "python", "system", "load"} <= set(written["machine"])


@pytest.mark.parametrize("content", ["", "[]", '{"rows": []}', '{"rows": [{"what": 1}]}'])
def test_a_file_of_another_kind_ends_in_one_line_before_anything_is_measured(
    tmp_path: Path, content: str
):
    file = tmp_path / "other.json"
    file.write_text(content)

    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "messages", "--compare", file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode != 0
    assert done.stderr.startswith(f"{file}: expected what `bin/bench --json FILE` has written")
    assert len(done.stderr.splitlines()) == 1


def test_what_other_programs_take_is_noticed_and_our_own_work_is_not():
    others = Others(began_s=0.0, busy_s=0.0, ours_s=0.0)
    others.began_s = Others().began_s - 10.0
    others.busy_s, others.ours_s = Others().busy_s - 15.0, Others().ours_s - 5.0

    assert others.cores() == pytest.approx(1.0, abs=0.1)
    assert "1.0 of 2 cores" in warning(1.0, 2)
    assert warning(0.1, 2) == ""


def test_a_machine_is_told_in_one_line():
    machine = Machine(cores=2, memory_gib=24, system="Linux x86_64", python="3.11.7", load=1.25)

    assert str(machine) == "2 cores, 24 GiB, Linux x86_64, Python 3.11.7, load 1.2"
