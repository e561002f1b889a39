"""The systemd unit: that systemd understands it, and that it fits the exit codes."""

import re
from pathlib import Path

import pytest

from infra.settings import load_settings
from infra.venues.bybit.limits import IP_PENALTY_S, IP_WINDOW_S
from tests.operator.health.tools import DEPLOY, judged, tool

UNIT = (DEPLOY / "systemd" / "short-trading.service").read_text(encoding="utf-8")
ROOT = DEPLOY.parent
SUPERVISION = load_settings(None, environ={}, dotenv=None).supervision


def value(key: str) -> str:
    (found,) = re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)
    return str(found)


def test_systemd_understands_it(tmp_path: Path) -> None:
    here = tmp_path / "short-trading.service"
    here.write_text(UNIT.replace("/opt/short-trading/bin", str(ROOT / "bin")))

    said = judged(tool("systemd-analyze", "systemd"), "verify", "--man=no", here)

    assert "short-trading.service" not in said


def test_it_starts_the_command_of_this_project() -> None:
    command = value("ExecStart").split()[0]

    assert (ROOT / Path(command).relative_to("/opt/short-trading")).is_file()


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("Type", "notify"),
        ("Restart", "on-failure"),
        ("RestartPreventExitStatus", "2"),
        ("StartLimitIntervalSec", "0"),
    ],
)
def test_it_starts_again_what_failed_and_nothing_that_was_used_wrongly(
    key: str, wanted: str
) -> None:
    assert value(key) == wanted


def test_a_start_that_waits_is_not_ended_and_its_restart_is_no_hurry_for_a_rate_limit() -> None:
    start = load_settings(None, environ={}, dotenv=None).start

    # A first wait asks systemd for more time before the budget of the unit is used up.
    assert int(value("TimeoutStartSec")) > 120
    # A ban is waited out by one start, so that its end is met within the process.
    assert start.patience_seconds > IP_PENALTY_S
    assert int(value("RestartSec")) > IP_WINDOW_S


def test_its_patience_is_longer_than_the_systems_own() -> None:
    assert int(value("WatchdogSec")) > SUPERVISION.freeze_seconds
    assert int(value("TimeoutStopSec")) > SUPERVISION.shutdown_seconds + 15
