"""What many runs showed, as a page that opens anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from tests.chaos.harness.plan import (
    ACTOR_DRILLS,
    FAULTS,
    FULL_PANIC,
    GAVE_UP,
    HALTED,
    KILLS,
    LOCKED,
    PANIC,
    POISON,
    PROCESS_DRILLS,
    SERVER_KILLED,
    START_FAILED,
)
from tests.chaos.harness.scenario import Outcome

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .2rem .8rem; text-align: left;
border-bottom: 1px solid #ddd } td.n { text-align: right; font-variant-numeric: tabular-nums }
.bad { color: #b00020 } .good { color: #0a7d32 } code { background: #f3f3f3; padding: 0 .3rem }
"""


def all_names() -> list[str]:
    """Return everything that a run can meet."""
    drills = [drill.partition("=")[0] for drill in (*ACTOR_DRILLS, POISON, *PROCESS_DRILLS)]
    return [
        *KILLS,
        *dict.fromkeys(drills),
        LOCKED,
        SERVER_KILLED,
        PANIC,
        FULL_PANIC,
        HALTED,
        GAVE_UP,
        START_FAILED,
        *FAULTS,
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How well one thing was tried."""

    name: str
    planned: int
    """Runs that were to meet it."""
    met: int
    """Runs that really did, planned or not."""
    times: int
    """How often it happened in all runs."""


def coverage(outcomes: Sequence[Outcome]) -> list[Coverage]:
    """Return how well everything was tried that a run can meet."""
    return [
        Coverage(
            name=name,
            planned=sum(name in outcome.planned for outcome in outcomes),
            met=sum(outcome.hits[name] > 0 for outcome in outcomes),
            times=sum(outcome.hits[name] for outcome in outcomes),
        )
        for name in all_names()
    ]


def render(outcomes: Sequence[Outcome], repeat: str) -> str:
    """Return the page.

    Args:
        outcomes: of the runs.
        repeat: the command line that repeats a run, with `{seed}` in it.
    """
    failed = [outcome for outcome in outcomes if outcome.problems]
    verdict = (
        f'<p class="bad">{len(failed)} of {len(outcomes)} runs broke a promise.</p>'
        if failed
        else f'<p class="good">{len(outcomes)} runs, no promise broken.</p>'
    )
    return "\n".join(
        [
            "<!doctype html><meta charset=utf-8><title>Chaos</title>",
            f"<style>{_STYLE}</style><h1>Chaos</h1>{verdict}",
            _sums(outcomes),
            *(_failure(outcome, repeat) for outcome in failed),
            _table(coverage(outcomes)),
            _runs(outcomes, repeat),
        ]
    )


def _sums(outcomes: Sequence[Outcome]) -> str:
    deaths = sum(outcome.deaths for outcome in outcomes)
    orders = sum(outcome.orders for outcome in outcomes)
    trades = sum(outcome.trades for outcome in outcomes)
    return f"<p>{deaths} deaths of the process, {orders} orders, {trades} trades.</p>"


def _failure(outcome: Outcome, repeat: str) -> str:
    items = "".join(f"<li>{escape(problem)}</li>" for problem in outcome.problems)
    command = escape(repeat.format(seed=outcome.seed))
    return f'<h2 class="bad">Seed {outcome.seed}</h2><ul>{items}</ul><code>{command}</code>'


def _table(rows: Sequence[Coverage]) -> str:
    lines = "".join(
        f"<tr><td>{escape(row.name)}</td><td class=n>{row.planned}</td><td class=n>{row.met}</td>"
        f"<td class=n>{row.times}</td></tr>"
        for row in rows
    )
    names = ("what", "planned in runs", "met in runs", "times")
    head = "".join(f"<th>{name}</th>" for name in names)
    return f"<h2>What happened</h2><table><tr>{head}</tr>{lines}</table>"


def _runs(outcomes: Sequence[Outcome], repeat: str) -> str:
    rows = "".join(
        f"<tr><td class=n>{o.seed}</td><td class=n>{o.deaths}</td><td class=n>{o.orders}</td>"
        f"<td class=n>{o.trades}</td><td class=n>{o.longest_away_s:.1f}</td>"
        f"<td class=n>{o.seconds:.1f}</td><td>{escape(', '.join(sorted(+o.hits)))}</td></tr>"
        for o in outcomes
    )
    head = "".join(
        f"<th>{name}</th>"
        for name in ("seed", "deaths", "orders", "trades", "longest away, s", "seconds", "met")
    )
    return f"<h2>Runs</h2><p><code>{escape(repeat)}</code></p><table><tr>{head}</tr>{rows}</table>"
