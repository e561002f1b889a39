"""bin/setup: its questions in pipes and in a real terminal, and the two files that it writes."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.settings import load_settings
from tests.command.test_run_actors import environment
from tests.programs import run_program

PATIENCE_S = 60
SECRET = "made-up-and-never-shown"


def setup(folder: Path, answers: str, *options: str) -> subprocess.CompletedProcess[str]:
    words = ("bin.setup", "--env", ".env", *options)
    return run_program(*words, cwd=folder, env=environment(), stdin=answers)


def test_the_defaults_make_settings_that_are_checked_and_start_nothing(tmp_path: Path) -> None:
    done = setup(tmp_path, "\n" * 5)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Start it: bin/run-actors --mode sim --settings my.yaml" in done.stdout
    assert "ok   settings                 BTC, ETH, SOL; my.yaml" in done.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["my.yaml"]
    made = load_settings(tmp_path / "my.yaml", environ={}, dotenv=None)
    assert made == load_settings(None, environ={}, dotenv=None).model_copy(
        update={"portfolio": made.portfolio, "instruments": made.instruments}
    )


def test_a_wrong_answer_is_asked_for_again_and_says_what_is_allowed(tmp_path: Path) -> None:
    wrong_mode, wrong_pair = "real\nsim\n", "BTCUSDT,NOPEUSDT\nbtcusdt, linkusdt\n"
    done = setup(tmp_path, f"{wrong_mode}confirmed_trend_long\n{wrong_pair}0\n500\n\n")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "expected one of sim, paper, testnet, demo, live, found real" in done.stdout
    assert "found NOPEUSDT" in done.stdout
    assert "expected all, or a number of USDT above 1, found 0" in done.stdout
    made = load_settings(tmp_path / "my.yaml", environ={}, dotenv=None).portfolio
    assert [asset.symbol for asset in made.assets] == ["BTCUSDT", "LINKUSDT"]
    assert {asset.strategy for asset in made.assets} == {"confirmed_trend_long"}
    assert (str(made.total_allocation_pct), str(made.total_capital)) == ("0.10", "500")


def test_keys_go_into_a_file_for_the_owner_alone_whose_other_lines_stay(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# mine\nBYBIT_API_KEY=old\nLOG_LEVEL=DEBUG\n")
    (tmp_path / ".env").chmod(0o644)
    answers = f"testnet\n\n\n\nkey\n{SECRET}\n\n"

    done = setup(tmp_path, answers, "--settings", "new.yaml", "--no-check")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".env").read_text() == (
        f"# mine\nBYBIT_API_KEY=key\nLOG_LEVEL=DEBUG\nBYBIT_API_SECRET={SECRET}\n"
    )
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert SECRET not in done.stdout + done.stderr + (tmp_path / "new.yaml").read_text()


def test_answers_that_end_too_early_write_nothing(tmp_path: Path) -> None:
    done = setup(tmp_path, "sim\n")

    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert done.stderr.count("\n") == 1
    assert "the answers ended before the questions; nothing was written" in done.stderr


def test_a_settings_file_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("# mine\n")

    done = setup(tmp_path, "\n" * 5)

    assert (done.returncode, (tmp_path / "my.yaml").read_text()) == (2, "# mine\n")
    assert done.stderr == "my.yaml: already exists; name another --settings, or use --force\n"


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    done = setup(tmp_path, "\n" * 5, "--settings", "missing/my.yaml")

    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert done.stderr.count("\n") == 1
    assert "cannot be written: No such file or directory" in done.stderr


@pytest.mark.parametrize("ending", [b"\x03", b"\x04"], ids=["ctrl-c", "ctrl-d"])
def test_a_terminal_hides_the_secret_and_may_stop_before_anything_is_written(
    tmp_path: Path, ending: bytes
) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        # Tests that a shell runs in the background ignore it, and so would what they start.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execve(
            sys.executable, [sys.executable, "-m", "bin.setup", "--env", ".env"], environment()
        )
    shown = ""
    for awaited, typed in (
        ("Mode", b"demo\n"),
        ("Strategy", b"\n"),
        ("Pairs", b"\n"),
        ("Capital in USDT", b"\n"),
        ("BYBIT_API_KEY: ", b"key\n"),
        ("BYBIT_API_SECRET: ", f"{SECRET}\n".encode()),
        ("Telegram bot", ending),
        ("nothing was written", b""),
    ):
        ends_s = time.monotonic() + PATIENCE_S
        while awaited not in shown:
            assert time.monotonic() < ends_s, shown
            if select.select([terminal], [], [], 1)[0]:
                shown += os.read(terminal, 4096).decode()
        os.write(terminal, typed)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == (130 if ending == b"\x03" else 2)
    assert SECRET not in shown
    assert list(tmp_path.iterdir()) == []
