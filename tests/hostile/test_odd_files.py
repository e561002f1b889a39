"""What people can name and put where a file is read: one line, no hang, whatever lies there."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from domain.errors import ConfigError
from infra.files import NotAFileError, open_regular, read_regular
from infra.operator.control.server import ControlServer
from infra.operator.control.token import own_token, read_address, read_token
from infra.settings import load_settings
from infra.venues.simulator.keys import own_keys, read_keys
from infra.venues.simulator.process import SimulatedVenue
from tests.command.mode_runs import environment
from tests.programs import run_program

HANGS_S = 60
KINDS = {
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a device or socket": lambda file: file.symlink_to("/dev/zero"),
}


def command(folder: Path, name: str, *words: object, **more: str) -> tuple[int, str]:
    """Return the exit code and the error lines of a command that must not hang."""
    given = (f"bin.{name}", *map(str, words))
    done = run_program(*given, cwd=folder, env=environment(folder, **more), timeout_s=HANGS_S)
    assert "Traceback" not in done.stderr + done.stdout
    return done.returncode, (done.stderr or done.stdout).strip()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_is_named_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "file"
    KINDS[kind](file)

    for read in (open_regular, read_regular):
        with pytest.raises(NotAFileError) as caught:
            read(file)
        assert caught.value.strerror == f"found {kind}, expected a regular file"


def test_a_link_to_a_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")

    assert read_regular(tmp_path / "link") == b"content"


READERS: dict[str, Callable[[Path], object]] = {
    "settings.yaml": lambda file: load_settings(file, environ={}, dotenv=None),
    ".env": lambda file: load_settings(None, environ={}, dotenv=file),
    "control.token": lambda file: read_token(file.parent),
    "control.json": lambda file: read_address(file.parent),
    "sim-keys.json": read_keys,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", READERS)
def test_each_reader_refuses_it_in_one_line(tmp_path: Path, name: str, kind: str) -> None:
    KINDS[kind](tmp_path / name)

    with pytest.raises(ConfigError, match=f"found {kind}, expected a regular file") as caught:
        READERS[name](tmp_path / name)

    *headline, _ = str(caught.value).splitlines()
    assert headline == (["1 error in the settings:"] if name in {"settings.yaml", ".env"} else [])


@pytest.mark.parametrize("name", ["run_actors", "check", "backtest"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_command_hangs_at_settings_that_are_no_file(
    tmp_path: Path, name: str, kind: str
) -> None:
    KINDS[kind](tmp_path / "mine")
    more = ("--candles", tmp_path) if name == "backtest" else ()

    code, said = command(tmp_path, name, "--settings", tmp_path / "mine", *more)

    assert code in {1, 2}
    assert f"mine: cannot be read: found {kind}" in said


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".funding.parquet"])
def test_a_pipe_as_candle_file_is_one_line(tmp_path: Path, suffix: str) -> None:
    candles = tmp_path / "candles"
    candles.mkdir()
    os.mkfifo(candles / f"BTCUSDT{suffix}")
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        if symbol != "BTCUSDT" or "funding" in suffix:
            rows = [f"{1_743_465_600_000 + i * 300_000},10,11,9,10,1" for i in range(12)]
            text = "\n".join(["open_time,open,high,low,close,volume", *rows])
            (candles / f"{symbol}.csv").write_text(text + "\n")

    code, said = command(
        tmp_path, "run_actors", "--candles", candles, "--run-dir", tmp_path / "run"
    )

    assert code == 2
    how = "read" if "funding" in suffix else "opened"
    assert f"BTCUSDT{suffix}: cannot be {how}: found a pipe, expected a regular file" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "kind"), [("control.token", "a pipe"), ("control.json", "a folder")]
)
def test_ctl_and_the_run_refuse_it_in_one_line(tmp_path: Path, name: str, kind: str) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "control.json").write_text('{"host": "127.0.0.1", "port": 1, "pid": 7}')
    (run_dir / name).unlink(missing_ok=True)
    KINDS[kind](run_dir / name)
    settings = load_settings(None, environ={}, dotenv=None).control

    code, said = command(tmp_path, "ctl", "--run-dir", run_dir, "status")
    with pytest.raises(ConfigError, match=f"{name}: .*found {kind}") as caught:
        ControlServer(settings, run_dir, lambda *_: None, lambda *_: None)

    assert code == 2
    assert f"{name}: cannot be read: found {kind}" in said
    assert len(said.splitlines()) == len(str(caught.value).splitlines()) == 1


def test_a_file_of_the_owner_alone_is_still_wanted(tmp_path: Path) -> None:
    own_token(tmp_path)
    (tmp_path / "control.token").chmod(0o640)

    with pytest.raises(ConfigError, match="others can read it"):
        own_token(tmp_path)


@pytest.mark.parametrize(
    "address",
    ["api.bybit.com:443", "10.0.0.1:80", "127.0.0.1", "127.0.0.1.evil.com:80", "user@127.0.0.1:1",
     "0.0.0.0:80", "[::]:80", "localhost.evil.com:80", "127.0.0.1:80/x", "1270.0.1:80"],
)  # fmt: skip
def test_a_simulation_is_on_this_machine_alone(tmp_path: Path, address: str) -> None:
    (tmp_path / "mine.yaml").write_text(json.dumps({"simulation": {"address": address}}))

    with pytest.raises(ConfigError, match=r"simulation\.address: found .*allowed: 127"):
        load_settings(tmp_path / "mine.yaml", environ={}, dotenv=None)


@pytest.mark.parametrize("address", ["127.0.0.1:8899", "127.1.2.3:80", "localhost:1", "[::1]:8899"])
def test_every_name_of_this_machine_will_do(tmp_path: Path, address: str) -> None:
    (tmp_path / "mine.yaml").write_text(json.dumps({"simulation": {"address": address}}))

    settings = load_settings(tmp_path / "mine.yaml", environ={}, dotenv=None)

    assert settings.simulation.address == address


def test_the_simulated_account_s_secret_is_on_no_command_line(tmp_path: Path) -> None:
    settings = load_settings(None, environ={}, dotenv=None)
    simulated = SimulatedVenue(settings, tmp_path, {"--history": "60"}, None)
    try:
        keys = own_keys(tmp_path / "sim-keys.json", is_ours=True)
        lines = [child.cmdline() for child in psutil.Process().children(recursive=True)]
    finally:
        simulated.close()

    (line,) = [" ".join(line) for line in lines if "bin.sim_exchange" in line]
    assert keys.api_secret not in line
    assert keys.api_key not in line
    assert simulated.venue.credentials.api_secret == keys.api_secret


@pytest.mark.parametrize("name", ["DISCORD_URL", "SLACK_URL", "EMAIL_URL", "OTHER_URL"])
def test_a_wrong_address_of_a_service_is_refused_before_anything_connects(
    tmp_path: Path, name: str
) -> None:
    secret = "nonsense://a-secret-that-is-long-enough"

    code, said = command(tmp_path, "run_actors", "--run-dir", tmp_path / "run", **{name: secret})

    assert code == 2
    assert f"notifications.{name.lower()}: found an address that apprise does not know" in said
    assert "a-secret" not in said
    assert not (tmp_path / "run").exists()


def test_the_check_says_what_a_start_would_find(tmp_path: Path) -> None:
    code, said = command(tmp_path, "check", DISCORD_URL="nonsense://a-secret-that-is-long")

    assert code == 1
    assert "notifications.discord_url: found an address that apprise does not know" in said
    assert "a-secret" not in said


def test_all_wrong_addresses_are_told_at_once(tmp_path: Path) -> None:
    both = {"DISCORD_URL": "discord://", "SLACK_URL": "nonsense://x"}

    code, said = command(tmp_path, "run_actors", "--run-dir", tmp_path / "run", **both)

    assert code == 2
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "notifications.discord_url",
        "notifications.slack_url",
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [("run_actors", ()), ("check", ()), ("parity", ()), ("ctl", ("status",))],
)
def test_an_unknown_mode_is_one_line_that_names_all(
    tmp_path: Path, name: str, words: tuple[str, ...]
) -> None:
    code, said = command(tmp_path, name, "--mode", "dream", *words)

    assert code == 2
    assert said.startswith("--mode dream: expected one of sim, replay, paper, testnet, demo, live")
    assert len(said.splitlines()) == 1


DRILLS = {
    "poison=asset/XRP@2025-04-01": "ACTOR@ISO with one of BTC, ETH, SOL, asset/BTC",
    "poison=asset/ETH": "a time after the actor, like poison=asset/ETH@2025-05-01T12:00",
    "poison=ETH": "a time after the actor, like poison=ETH@",
    "suspend=execution/BTC": "--drill suspend=execution/BTC: unknown drill; allowed: crash=P, ",
    "poison=": "ACTOR@ISO with one of BTC",
}


@pytest.mark.parametrize("drill", DRILLS)
def test_a_drill_that_lacks_something_is_one_line(tmp_path: Path, drill: str) -> None:
    code, said = command(tmp_path, "run_actors", "--run-dir", tmp_path / "run", "--drill", drill)

    assert code == 2
    assert DRILLS[drill] in said
    assert len(said.splitlines()) == 1
