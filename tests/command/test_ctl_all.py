"""bin/ctl --all: several systems on one machine are asked at once, whatever state they are in."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bin.ctl import app
from infra.operator.control.token import ADDRESS_FILE
from infra.process.locks import RUN_LOCK
from tests.operator.control.house import PER_SECOND, House, served

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def systems(tmp_path: Path) -> Iterator[dict[str, House]]:
    """Run two systems; a third was killed, and what is beside them is no run."""
    for name in ("first", "killed", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / RUN_LOCK).touch()
    (tmp_path / "logs").mkdir()
    (tmp_path / "file").touch()
    houses: dict[str, House] = {}
    for name in ("first", "second"):
        houses[name] = served(tmp_path / name, PER_SECOND)
        # Each loads what it needs beside its caller: in one process not both at the same time.
        houses[name].call("GET", "/status")
        houses[name].commands.asked.clear()
    yield houses
    for house in houses.values():
        house.server.close()


def ctl(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_each_system_answers_below_its_directory(systems: dict[str, House], tmp_path: Path) -> None:
    found = ctl("--all", "--run-dir", tmp_path, "status")

    assert found.exit_code == 0
    assert found.stdout.split("\n") == [
        *(str(tmp_path / "first"), "did status", ""),
        *(str(tmp_path / "killed"), "nothing runs there", ""),
        *(str(tmp_path / "second"), "did status", ""),
        "",
    ]
    for house in systems.values():
        ((who, command, is_confirmed),) = house.commands.asked
        assert who.startswith("http/ctl-")
        assert (str(command), is_confirmed) == ("status", False)


def test_programs_get_a_list_wherever_the_option_stands(
    systems: dict[str, House], tmp_path: Path
) -> None:
    found = ctl("trades", "3", "--run-dir", tmp_path, "--json", "--all")

    told = json.loads(found.stdout)
    assert [(one["run_dir"], one["code"]) for one in told] == [
        (str(tmp_path / "first"), "done"),
        (str(tmp_path / "killed"), "not_running"),
        (str(tmp_path / "second"), "done"),
    ]
    assert told[2]["title"] == "did trades 3"
    assert len(systems) == 2


def test_one_that_cannot_be_asked_hides_no_other_and_is_told_by_the_exit_code(
    systems: dict[str, House], tmp_path: Path
) -> None:
    (tmp_path / "killed" / ADDRESS_FILE).write_text((tmp_path / "first" / ADDRESS_FILE).read_text())

    found = ctl("--all", "--run-dir", tmp_path, "--json", "status")

    assert [one["code"] for one in json.loads(found.stdout)] == ["done", "failed", "done"]
    assert found.exit_code == 1
    assert all(len(house.commands.asked) == 1 for house in systems.values())


def test_one_that_this_user_may_not_look_into_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / RUN_LOCK).touch()
    (tmp_path / "other").mkdir(mode=0)

    done = as_user("--all", "--run-dir", tmp_path, "--json", "status")

    assert [one["code"] for one in json.loads(done.stdout)] == ["not_running", "failed"]
    assert (done.returncode, done.stderr) == (1, "")


def test_a_panic_of_a_run_that_this_user_may_not_look_into_is_told_to_be_none(
    tmp_path: Path,
) -> None:
    (tmp_path / "other").mkdir(mode=0)

    done = as_user("--run-dir", tmp_path / "other" / "run", "panic", "--yes")

    assert done.returncode == 1
    assert "PANIC cannot be made: Permission denied" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def as_user(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it without root's right to look into everything."""
    held_back = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    return subprocess.run(
        [
            *(held_back if os.geteuid() == 0 else ()),
            *(sys.executable, "-m", "bin.ctl", *words),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "words", [["panic", "--yes"], ["pause", "all"], ["audit"], ["export", "t"]]
)
def test_nothing_is_changed_by_all_at_once(
    systems: dict[str, House], tmp_path: Path, words: list[str]
) -> None:
    found = ctl("--all", "--run-dir", tmp_path, *words)

    assert found.exit_code == 2
    assert "--all" in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert [house.commands.asked for house in systems.values()] == [[], []]


def test_a_list_is_a_question_though_other_words_of_its_command_change_something(
    systems: dict[str, House], tmp_path: Path
) -> None:
    found = ctl("--all", "--run-dir", tmp_path, "pairs", "list")

    assert found.exit_code == 0
    for house in systems.values():
        ((_, command, _),) = house.commands.asked
        assert str(command) == "pairs list"


def test_a_place_without_any_run_is_named(tmp_path: Path) -> None:
    found = ctl("--all", "--run-dir", tmp_path, "status")

    assert found.exit_code == 2
    assert f"no run was ever started in {tmp_path}" in found.stderr.replace("\n", " ")
