"""What was decided at a close, and by which figures, as links of a chain."""

import re
from typing import Any

from domain.trading.decisions import Approval, Denial
from infra.process.times import show_time
from infra.trace.query.chain import Story
from infra.trace.query.evidence import Evidence
from infra.trace.query.text import fields_of


def tell_candle(story: Story, t_ms: int, evidence: Evidence) -> None:
    """Add the candle of a close, and what the asset concluded from it."""
    candle = evidence.candle(t_ms)
    report, reporter = evidence.report(t_ms)
    if candle is not None:
        fields = fields_of(candle.handling.payload)["candle"]
        text = (
            f"open {fields['open']:g}, high {fields['high']:g}, low {fields['low']:g}, "
            f"close {fields['close']:g}, closed {show_time(t_ms)}"
        )
        story.add("candle", text, t_ms, candle)
    elif reporter is not None:
        text = f"closed {show_time(t_ms)}; read from the history ({reporter.handling.kind})"
        story.add("candle", text, t_ms, reporter)
    else:
        story.missing.append("candle")
    if report is None:
        story.missing.append("indicators")
        return
    values = f"{levels_text(report)}; regime {report['regime']}"
    story.add("indicators", values, t_ms, reporter)


def tell_answer(story: Story, answer: Approval | Denial, evidence: Evidence) -> None:
    """Add what the portfolio decided, with each limit that it checked."""
    found = evidence.answer(answer.t_ms)
    if isinstance(answer, Denial):
        text = f"{answer.reason} by portfolio: {readable(answer.figures)}"
        story.add("refusal", text, answer.t_ms, found)
    else:
        text = f"qty {answer.qty:f} at {answer.price:f} = {answer.notional:.2f} USDT by portfolio"
        story.add("grant", text, answer.t_ms, found)
    for judged in answer.judged.splitlines():
        limit, _, figures = judged.partition(" ")
        story.add("", f"kept {limit}: {readable(figures)}", answer.t_ms)
    if isinstance(answer, Denial):
        story.add("", f"broke {answer.reason}: {readable(answer.figures)}", answer.t_ms)


def levels_text(report: dict[str, Any]) -> str:
    """Return an evaluation's close and the values that its strategy names."""
    # Traces of older versions have none.
    found = ((one["label"], one["figure"]) for one in report.get("values", ()))
    return ", ".join(
        f"{name} {figure:.6g}" for name, figure in (("close", report["close"]), *found)
    )


def readable(figures: str) -> str:
    """Return figures with readable times and no more digits than a reader needs."""

    def time(found: re.Match[str]) -> str:
        return f"until={show_time(int(found[1])).replace(' ', 'T') if int(found[1]) else 'none'}"

    figures = re.sub(r"\buntil_ms=(\d+)", time, figures)
    return re.sub(r"(\.\d{4})\d+", r"\1", figures)
