"""What many worlds showed, as a page that opens anywhere."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from html import escape

from tests.simulation.coverage import STATES, Pairs, never_met, places_of
from tests.simulation.world import Outcome

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .2rem .8rem; text-align: left;
border-bottom: 1px solid #ddd } td.n { text-align: right; font-variant-numeric: tabular-nums }
.bad { color: #b00020 } .good { color: #0a7d32 } pre, code { background: #f3f3f3; padding: 0 .3rem }
"""


def summed(outcomes: Sequence[Outcome]) -> tuple[Counter[str], Pairs]:
    """Return what happened in all worlds, and where processes died in which state."""
    hits, pairs = Counter[str](), Pairs()
    for outcome in outcomes:
        hits += outcome.hits
        pairs += outcome.pairs
    return hits, pairs


def render(outcomes: Sequence[Outcome], repeat: Callable[[int], str]) -> str:
    """Return the page.

    Args:
        outcomes: of the worlds.
        repeat: returns the command that repeats a seed's world.
    """
    hits, pairs = summed(outcomes)
    failed = [outcome for outcome in outcomes if outcome.problems]
    verdict = (
        f'<p class="bad">{len(failed)} of {len(outcomes)} worlds broke a promise.</p>'
        if failed
        else f'<p class="good">{len(outcomes)} worlds, no promise broken.</p>'
    )
    return "\n".join(
        [
            "<!doctype html><meta charset=utf-8><title>Simulation</title>",
            f"<style>{_STYLE}</style><h1>Simulation</h1>{verdict}",
            _sums(outcomes),
            *(_failure(outcome, repeat(outcome.seed)) for outcome in failed),
            "<h2>Deaths of the process, by the states of orders and positions</h2>",
            f"<p>{len(never_met(pairs))} pairs of the table were not met.</p>",
            _table(("died at", *STATES), _pair_rows(pairs)),
            "<h2>What happened</h2>",
            _table(("what", "times"), ((name, hits[name]) for name in sorted(hits))),
        ]
    )


def _sums(outcomes: Sequence[Outcome]) -> str:
    minutes = sum(outcome.minutes for outcome in outcomes)
    figures = (
        f"{minutes / 60:,.1f} virtual hours",
        f"{sum(o.deaths for o in outcomes):,} deaths of the process",
        f"{sum(o.orders for o in outcomes):,} orders",
        f"{sum(o.trades for o in outcomes):,} trades",
        f"{sum(o.messages for o in outcomes):,} messages",
        f"{sum(o.steps for o in outcomes):,} switches between loops",
    )
    return f"<p>{', '.join(figures)}.</p>"


def _failure(outcome: Outcome, command: str) -> str:
    items = "".join(f"<li>{escape(problem)}</li>" for problem in outcome.problems)
    events = escape("\n".join(outcome.last_events))
    head = f'<h2 class="bad">Seed {outcome.seed}</h2><ul>{items}</ul>'
    return f"{head}<code>{escape(command)}</code><pre>{events}</pre>"


def _pair_rows(pairs: Pairs) -> Iterable[tuple[object, ...]]:
    return ((place, *(pairs[place, state] for state in STATES)) for place in places_of(pairs))


def _table(names: Iterable[str], rows: Iterable[tuple[object, ...]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    lines = (
        "<tr>" + "".join(f"<td{_numeric(cell)}>{escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _numeric(cell: object) -> str:
    return " class=n" if isinstance(cell, int) else ""
