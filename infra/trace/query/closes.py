"""Why a close was decided the way it was: every condition of entry and exit, with its figures."""

import msgspec

from domain.errors import ConfigError
from domain.strategies.explanation import Condition, Explanation
from domain.trading.decisions import Denial
from domain.trading.orders import Purpose, client_order_id
from infra.process.times import read_time, show_time
from infra.store.reader import FactReader
from infra.trace.query.case import case_of
from infra.trace.query.chain import Story
from infra.trace.query.decision import tell_answer, tell_candle
from infra.trace.query.evidence import Evidence
from infra.trace.reader import TraceReader

CLOSE = "close/"
"""Prefix of ASSET@ISO that asks for the close, whether or not there was a trade."""


def close_story(named: str, facts: FactReader, reader: TraceReader) -> Story:
    """Return the story of a close: the newest one evaluated by ASSET@ISO.

    Raises:
        ConfigError: the trace holds no such close.
    """
    asset, _, text = named.partition("@")
    at_ms = read_time(f"{CLOSE}{asset}@", text)
    evidence = Evidence(reader, asset, at_ms, at_ms)
    t_ms = evidence.newest_close(at_ms)
    stored = None if t_ms is None else evidence.explanation(t_ms)
    if t_ms is None:
        raise ConfigError(
            f"{CLOSE}{named}: no such close in the trace (deleted because of trace.kept_mb, or "
            "not decided because its candle came late); expected an asset and a close like "
            f"{CLOSE}BTC@2025-05-01T12:05"
        )
    if stored is None:
        story = Story(title=f"{asset}, close of {show_time(t_ms)}", missing=["conditions"])
        tell_candle(story, t_ms, evidence)
        return story
    explanation = msgspec.convert(stored, Explanation)
    case = case_of(client_order_id(asset, t_ms, Purpose.ENTRY, 1), facts)
    outcome = explanation.outcome(show_time)
    if case is not None and case.answer is not None:
        answer = case.answer
        outcome += f": denied, {answer.reason}" if isinstance(answer, Denial) else ": approved"
    story = Story(title=f"{asset}, close of {show_time(t_ms)}: {outcome}")
    tell_candle(story, t_ms, evidence)
    _tell_conditions(story, "entry", explanation.entry, t_ms)
    _tell_conditions(story, "stay", explanation.stay, t_ms)
    if case is not None and case.answer is not None:
        tell_answer(story, case.answer, evidence)
    return story


def _tell_conditions(story: Story, name: str, conditions: tuple[Condition, ...], t_ms: int) -> None:
    for index, condition in enumerate(conditions):
        mark = "yes" if condition.holds else "NO "
        story.add("" if index else name, f"{mark} {condition.words(show_time)}", t_ms)
