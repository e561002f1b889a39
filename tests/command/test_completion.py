"""Completion of the commands, in real shells."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bin.completion import _OTHERS
from tests.command.commands import OTHERS, every, options
from tests.command.test_run_actors import environment

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30
GLOBAL = ["--run-dir", "--mode", "--all", "--json"]
"""Options of all commands of bin/ctl."""
ASK = """source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bin_words
printf "%s\\n" "${COMPREPLY[@]}"
"""


def made(shell: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bin.completion", shell],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    done = made("bash")
    assert done.returncode == 0, done.stderr
    file = tmp_path_factory.mktemp("completion") / "script"
    file.write_text(done.stdout)
    return file


def completed(script: Path, *words: str) -> list[str]:
    """Return what bash proposes for the last of the words."""
    done = subprocess.run(
        ["bash", "-c", ASK, "bash", script, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "proposed"),
    [
        ("bin/ctl pau", ["pause"]),
        ("./bin/ctl pause ", ["all", "BTC", "ETH", "SOL", *GLOBAL]),
        ("bin/ctl --mode li", ["live"]),
        ("bin/ctl status --mode li", ["live"]),
        ("bin/ctl portfolio s", ["summary"]),
        ("bin/ctl restart asset/B", ["asset/BTC"]),
        ("bin/run-actors --mode ", ["sim", "replay", "paper", "testnet", "demo", "live"]),
        ("bin/run-actors --can", ["--candles"]),
        ("bin/trace tail --a", ["--actor", "--asset"]),
        ("bin/docs b", ["build"]),
        ("bin/completion ", ["bash", "zsh"]),
    ],
)
def test_bash_proposes_commands_options_and_words(
    script: Path, line: str, proposed: list[str]
) -> None:
    found = completed(script, *line.split(" "))

    assert [word for word in found if word not in {"--help", "--yes"}] == proposed


def test_a_file_is_left_to_the_shell(script: Path) -> None:
    assert completed(script, "bin/check", "--settings", "my") == []


@pytest.mark.parametrize("words", list(every()), ids=" ".join)
def test_every_option_of_every_command_is_proposed(script: Path, words: tuple[str, ...]) -> None:
    name, *inside = words

    assert options(*words) <= set(completed(script, f"bin/{name}", *inside, "-"))


def test_the_commands_that_are_no_python_have_their_options() -> None:
    for name in ("bench", "docs"):
        assert set(_OTHERS[name].options) == OTHERS[name] | options(name)


def typed(words: list[str], start: str, keys: str, awaited: str, folder: Path) -> str:
    """Return what a shell shows in a terminal, once it shows what is awaited."""
    terminal, its_end = pty.openpty()
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb", "PS1": "$ "}
    shell = subprocess.Popen(
        words,
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        cwd=ROOT,
        env=env,
        start_new_session=True,
    )
    os.close(its_end)
    shown, ends_s = "", time.monotonic() + PATIENCE_S
    try:
        os.write(terminal, f"{start}; echo rea''dy\n".encode())
        for wanted, then in (("ready", keys), (awaited, "")):
            while wanted not in shown:
                assert time.monotonic() < ends_s, shown
                if select.select([terminal], [], [], 1)[0]:
                    shown += os.read(terminal, 4096).decode(errors="replace")
            os.write(terminal, then.encode())
        return shown
    finally:
        shell.kill()
        shell.wait(10)
        os.close(terminal)


def test_a_tab_in_a_terminal_completes_in_bash(script: Path, tmp_path: Path) -> None:
    bash = ["bash", "--norc", "--noprofile", "-i"]

    typed(bash, f"source {script}", "bin/ctl liq\t", "bin/ctl liquidate", tmp_path)


@pytest.mark.skipif(
    shutil.which("zsh") is None and os.environ.get("CI") != "true", reason="zsh is not installed"
)
def test_a_tab_in_a_terminal_completes_in_zsh(tmp_path: Path) -> None:
    (tmp_path / "script").write_text(made("zsh").stdout)

    typed(
        ["zsh", "-f", "-i"],
        f"source {tmp_path}/script",
        "bin/ctl liq\t",
        "bin/ctl liquidate",
        tmp_path,
    )


def test_another_shell_is_refused_in_one_line() -> None:
    done = made("fish")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "expected bash or zsh, found fish\n"
