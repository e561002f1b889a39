"""A replay with commands of the operator, or its trace run again; a process of its own.

    python -m tests.replay.seeded play FOLDER     # writes what was traded, decided and told
    python -m tests.replay.seeded again FOLDER    # writes what today's code does otherwise

A process has one hash seed, so that two seeds need two processes.
"""

import hashlib
import json
import sys
from collections import Counter
from pathlib import Path

from actors.messages import OperatorAsked, StateWanted
from actors.names import NOTIFIER, PORTFOLIO
from actors.reruns.incarnations import rerun
from bin.bootstrap.recorded import build_replay
from bin.bootstrap.reruns import trace_codec
from bin.bootstrap.run import Run
from domain.operator.commands import Command, CommandName
from infra.trace.reader import TraceReader
from tests.replay.runs import finish, lively_settings, made_up_market

CANDLES = 400
COMMANDS = (
    (CommandName.PAUSE, "all"),
    (CommandName.RESUME, "all"),
    (CommandName.CLOSE, "all"),
    (CommandName.CLOSE, "all"),
)
"""In this order, each as soon as two positions are open and the one before was a while ago."""
PATIENCE = 12
"""Closes between two commands."""
ANSWER_S = 10.0
BY_THREADS = ("PositionChanged", "ContinueReconcile", "StateTold")
"""Hold ids of facts, come as often as it happens, or come at the start before or after a candle."""


class Operator:
    """Commands at times that depend on the market alone."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._left = list(COMMANDS)
        self._closes = 0
        self.answers: list[str] = []

    def before_close(self, _t_ms: int) -> None:
        if not self._closes:
            self._wait_started()
        self._closes += 1
        if not self._left or self._closes < PATIENCE:
            return
        found = self._run.portfolio_snapshot()
        name, argument = self._left[0]
        if name is not CommandName.RESUME and (found is None or len(found.positions) < 2):
            return
        self._closes = 0
        del self._left[0]
        asked = OperatorAsked(command=Command(name=name, argument=argument), operator="test")
        portfolio = self._run.system.address(PORTFOLIO)
        self.answers.append(portfolio.ask(asked, sender="runtime", timeout_s=ANSWER_S).result)
        portfolio.tell(StateWanted(), sender=NOTIFIER)
        self._run.wait_quiet()

    def _wait_started(self) -> None:
        """Let no candle come before its actor stands."""
        for address in self._run.describable():
            self._run.question(address).result(ANSWER_S)
        self._run.wait_quiet()


def play(folder: Path) -> dict[str, object]:
    folder.mkdir(parents=True)
    settings = lively_settings(folder)
    run, lockstep = build_replay(settings, made_up_market(4, CANDLES), folder)
    operator = Operator(run)
    outcome = finish(run, lockstep, operator.before_close)
    return {
        "answers": operator.answers,
        "trades": [repr(trade) for trade in outcome.trades],
        "refusals": outcome.refusals,
        "told": told(folder),
    }


def told(folder: Path) -> dict[str, str]:
    """Return by actor a digest of all that it told at each time, in the order of the telling.

    Which of two messages of one time came first is the threads' affair, and left out.
    """
    by_actor: dict[str, list[str]] = {}
    for found in TraceReader(folder / "trace").read():
        stored = found.handling
        words = [(told.kind, told.receiver, bytes(told.payload).hex()) for told in stored.told]
        words = [word for word in words if word[0] not in BY_THREADS]
        if words and stored.receiver != NOTIFIER:
            by_actor.setdefault(stored.receiver, []).append(f"{stored.now_ms} {words}")
    return {
        actor: hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
        for actor, lines in sorted(by_actor.items())
    }


def again(folder: Path) -> dict[str, object]:
    differences: list[str] = []
    messages: Counter[str] = Counter()
    reader = TraceReader(folder / "trace")
    actors = sorted({found.handling.receiver for found in reader.read()})
    for actor in actors:
        for step in rerun(reader.read(keys=[actor]), trace_codec()):
            messages[actor] += 1
            if step.difference is not None:
                differences.append(f"{actor}: {step.difference}")
    return {"differences": differences, "messages": messages}


def main() -> None:
    what, folder = sys.argv[1:]
    do = {"play": play, "again": again}[what]
    sys.stdout.write(json.dumps(do(Path(folder))))


if __name__ == "__main__":
    main()
