"""A control interface in a process that runs out of descriptors when it is told to."""

import os
import resource
import sys
from pathlib import Path

from loguru import logger

from domain.operator.commands import Command, CommandName
from domain.operator.replies import Reply
from tests.operator.control.house import PER_SECOND, Desk, served

DESCRIPTORS = 64


class FailingDesk(Desk):
    """Has a fault in one of its answers."""

    def answer(self, who: str, command: Command, is_confirmed: bool) -> Reply:
        if command.name is CommandName.VERSION:
            raise RuntimeError("a fault")
        return super().answer(who, command, is_confirmed)


def main() -> None:
    """Do what each line of the input says, and print that it is done."""
    logger.remove()
    logger.add(sys.stdout, format="{message}")
    house = served(Path(sys.argv[1]), PER_SECOND, FailingDesk())
    assert house.call("GET", "/status")[0] == 200
    held: list[int] = []
    for line in sys.stdin:
        if line == "exhaust\n":
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
            held += _all()
        else:
            while held:
                os.close(held.pop())
        sys.stdout.write(f"done: {line}")
        sys.stdout.flush()
    house.server.close()


def _all() -> list[int]:
    held = []
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return held


if __name__ == "__main__":
    main()
