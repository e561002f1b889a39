"""The story of a trade that a trailing stop has ended."""

from pathlib import Path

from bin.bootstrap.recorded import build_replay
from domain.trading.orders import ExitReason
from infra.store.reader import FactReader
from infra.trace.query.story import story_of
from infra.trace.reader import TraceReader
from tests.replay.runs import finish, made_up_market
from tests.replay.test_trailing import mixed_settings


def test_a_trailing_exit_is_told_from_the_trigger_over_each_move_to_the_fill(
    tmp_path: Path,
) -> None:
    settings = mixed_settings(tmp_path, trace={"enabled": True})
    run, lockstep = build_replay(settings, made_up_market(1, 288), tmp_path)
    finish(run, lockstep)
    facts, reader = FactReader(tmp_path / "journal.sqlite"), TraceReader(tmp_path / "trace")
    trailed = [
        (number, trade)
        for number, trade in facts.trades()
        if trade.reason is ExitReason.TRAILING_STOP
    ]

    assert len(trailed) > 3
    for number, trade in trailed:
        story = story_of(f"trade/{number}", facts, reader)
        names = [step.name for step in story.steps]
        assert story.missing == []
        assert names.index("order") < names.index("stop") < names.index("trail")
        moves = [step for step in story.steps if step.name == "trail"]
        assert names.index("trail") + len(moves) - 1 < names.index("exit")
        assert all(move.message and "confirmed at" in move.text for move in moves)
        levels = {
            moved.stop_loss
            for _, moved in facts.stop_moves()
            if (moved.asset, moved.opened_ms) == (trade.asset, trade.entry_ms)
        }
        assert len(moves) == len(levels)
        assert all(any(f"stop loss {level:f}" in m.text for m in moves) for level in levels)
