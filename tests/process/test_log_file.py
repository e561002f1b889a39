"""The log file on a disk that is full for a while, and from day to day."""

import json
import os
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from infra.process.log_file import LogFile

ROOT = Path(__file__).resolve().parents[2]
DAY_S = 86_400

FULL_FOR_A_WHILE = """
    import resource
    import sys
    from pathlib import Path

    from loguru import logger

    from infra.process.logs import start_logging

    start_logging(
        file=Path(sys.argv[1]), level="INFO", rotation="00:00", retention_days=3,
        screen=lambda line: print(line, end="", file=sys.stderr), screen_level="CRITICAL",
        context=lambda: None,
    )
    logger.info("before")
    room, hard = 400, resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    for number in range(50):
        logger.info("while it is full {}", number)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    logger.info("after")
"""


def written(file: Path) -> list[str]:
    """Return the messages of the lines that are whole, of which all but one must be."""
    messages, torn = [], 0
    for line in file.read_text().splitlines():
        try:
            messages.append(json.loads(line)["message"])
        except json.JSONDecodeError:
            torn += 1
    assert torn <= 1
    return messages


def test_a_full_disk_is_told_in_one_line_and_the_log_comes_back_with_the_room(
    tmp_path: Path,
) -> None:
    file = tmp_path / "logs" / "sim.jsonl"

    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_FOR_A_WHILE), str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 0
    begun, over = run.stderr.splitlines()
    assert "the log cannot be written" in begun
    assert "the log is written again" in over
    messages = written(file)
    lost = 50 - sum(message.startswith("while") for message in messages)
    assert messages[0] == "before"
    assert messages[-2:] == [f"the log could not be written; lines lost: {lost}", "after"]
    assert 0 < lost < 50


def test_a_log_on_a_device_that_takes_nothing_disturbs_nobody() -> None:
    told: list[str] = []
    log = LogFile(Path("/dev/full"), rotation=time(0), retention_days=3, screen=told.append)

    for number in range(20):
        log.write(f"{number}\n")

    assert len(told) == 1
    assert "No space left" in told[0]


def test_a_folder_that_cannot_be_made_is_told_and_tried_again(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "logs").write_text("in the way")
    file = tmp_path / "logs" / "sim.jsonl"
    log = LogFile(file, rotation=time(0), retention_days=3, screen=told.append)

    log.write("lost\n")
    (tmp_path / "logs").unlink()
    log.write("kept\n")
    log.stop()

    assert file.read_text().splitlines()[-1] == "kept"
    assert len(told) == 2


@pytest.mark.parametrize("days", [1, 5])
def test_a_file_of_an_earlier_day_is_put_aside_and_the_oldest_are_deleted(
    tmp_path: Path, days: int
) -> None:
    file = tmp_path / "sim.jsonl"
    now_s = datetime.now(UTC).timestamp()
    log = LogFile(file, rotation=time(0), retention_days=3, screen=print)
    for ago in range(days, 0, -1):
        log.write(f"{ago} days ago\n")
        log.stop()
        os.utime(file, (now_s - ago * DAY_S, now_s - ago * DAY_S))
    log.write("today\n")
    log.stop()

    kept = sorted(tmp_path.glob("sim.jsonl.*"))

    assert file.read_text() == "today\n"
    assert [old.read_text() for old in kept] == [
        f"{ago} days ago\n" for ago in range(min(days, 3), 0, -1)
    ]
