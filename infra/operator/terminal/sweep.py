"""The results of a sweep on a terminal, with a warning of how little they may mean."""

from datetime import UTC, datetime
from math import prod

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from domain.backtesting.sweep import Choice, Score, SweepResult, mean_score
from domain.market.instruments import DAY_MS
from infra.operator.terminal.screen import headed

_SHOWN_ROWS = 20
_FORMS = {
    "pnl": "+,.2f",
    "total_return": "+.2%",
    "max_drawdown": ".2%",
    "sharpe": ".2f",
    "sortino": ".2f",
    "calmar": ".2f",
    "trades": ",.0f",
    "win_rate": ".1%",
    "profit_factor": ".2f",
    "expectancy": "+,.2f",
}
_SHORT = {"total_return": "return", "max_drawdown": "drawdown"}
_COLUMNS = ("total_return", "max_drawdown", "sharpe", "trades")
_IN_SAMPLE_ONLY = (
    " These values were chosen on the same candles that they are "
    "judged by: the best of many is good by chance too, so expect less of it. "
    "--walk-forward TRAIN:TEST judges on candles that the choice has not seen."
)


def render(result: SweepResult, seconds: float) -> RenderableType:
    """Return the tables for a terminal."""
    count = len(result.rows)
    parts: list[RenderableType] = [
        headed(
            f"{count:,} combinations",
            "bold",
            f" by {result.sort}, in {seconds:.1f} s"
            + (f"; the first {_SHOWN_ROWS}:" if count > _SHOWN_ROWS else ":"),
        ),
        ", ".join(f"{letter} = {key}" for letter, key in _letters(result).items()),
        _rows(result),
    ]
    if result.windows:
        parts += [_choices(result), _verdict(result)]
    else:
        parts.append(headed("In-sample results.", "bold yellow", _IN_SAMPLE_ONLY))
    return Group(*parts)


def _letters(result: SweepResult) -> dict[str, str]:
    """Return the swept settings by the letters that stand for them."""
    keys = result.rows[0].combination.values
    return {chr(ord("A") + index): key for index, key in enumerate(keys)}


def _rows(result: SweepResult) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    _add_settings(table, result)
    figures = dict.fromkeys((result.sort, *_COLUMNS))
    for figure in figures:
        title = _SHORT.get(figure, figure)
        title += "\nin/out" if result.windows else ""
        table.add_column(title, justify="right", no_wrap=True)
    for row in result.rows[:_SHOWN_ROWS]:
        kinds = [row.in_sample, row.out_of_sample] if result.windows else [row.in_sample]
        scores = [mean_score(kind) for kind in kinds]
        cells = ("/".join(_text(score, figure) for score in scores) for figure in figures)
        table.add_row(*row.combination.values.values(), *cells)
    return table


def _add_settings(table: Table, result: SweepResult) -> None:
    """Add a column for each swept setting; a narrow terminal cuts only other columns."""
    for letter, key in _letters(result).items():
        widest = max(len(row.combination.values[key]) for row in result.rows)
        table.add_column(letter, justify="right", no_wrap=True, min_width=widest)


def _choices(result: SweepResult) -> Table:
    first = result.windows[0]
    days = (first.test_from_ms - first.train_from_ms) / DAY_MS
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title=f"What each window would have chosen on the {days:g} days before its test",
        title_justify="left",
    )
    for name in ("test from", "to"):
        table.add_column(name, no_wrap=True)
    _add_settings(table, result)
    for name in (f"{result.sort}\nin", "\nout", "return\nin", "\nout", "rank"):
        table.add_column(name, justify="right", no_wrap=True)
    for choice in result.choices:
        window = choice.window
        table.add_row(
            *map(_day, (window.test_from_ms, window.test_to_ms)),
            *choice.combination.values.values(),
            _text(choice.in_sample, result.sort),
            _text(choice.out_of_sample, result.sort),
            _text(choice.in_sample, "total_return"),
            _text(choice.out_of_sample, "total_return"),
            str(choice.rank),
        )
    return table


def _verdict(result: SweepResult) -> Text:
    seen = mean_score([choice.in_sample for choice in result.choices])
    unseen = mean_score([choice.out_of_sample for choice in result.choices])
    chained = prod(1 + (choice.out_of_sample.total_return or 0) for choice in result.choices) - 1
    ranks = sum(choice.rank for choice in result.choices) / len(result.choices)
    return headed(
        "Out of sample",
        "bold",
        f" the choices made {chained:+.2%} in all, {_mean(result.choices)}"
        f"{result.sort} {_text(unseen, result.sort)} after {_text(seen, result.sort)} in sample; "
        f"their mean rank out of sample was {ranks:.1f} of {len(result.rows)}, "
        f"where pure chance gives {(len(result.rows) + 1) / 2:.1f}.",
    )


def _mean(choices: tuple[Choice, ...]) -> str:
    return "" if len(choices) == 1 else "on average "


def _text(score: Score, figure: str) -> str:
    value = getattr(score, figure)
    return "-" if value is None else format(value, _FORMS[figure])


def _day(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d}"
