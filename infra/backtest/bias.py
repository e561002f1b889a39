"""Checks a backtest for bias: whether it looks ahead, and whether its warm-up is long enough."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from domain.backtesting.bias import (
    CUTS,
    WARM_UPS,
    LookAhead,
    WarmUps,
    look_ahead,
    warm_ups,
)
from domain.backtesting.purity import Impurity, foreign_assets, impurities
from domain.backtesting.run import run_backtest
from domain.errors import ConfigError
from domain.market.candles import CandleSeries
from domain.rules import TradingRules
from infra.backtest.endless import EndlessError, EndlessWatch
from infra.candles.market_input import read_market
from infra.operator.terminal.screen import Screen, headed
from infra.settings import default_dotenv, load_settings

_SHOWN_LEAKS = 5


def run_bias_command(
    candles: Path,
    settings: Path | None,
    from_time: str | None,
    to_time: str | None,
    screen: Screen,
) -> bool:
    """Run the checks, print their results, and return whether nothing is wrong.

    Raises:
        ConfigError: the options or settings are wrong, or there are too few candles.
        BadDataError: the candle files are wrong.
    """
    rules = load_settings(settings, environ=os.environ, dotenv=default_dotenv()).trading_rules()
    market = read_market(candles, rules, from_time, to_time)
    longest, usual = max(map(len, market.values())), rules.candles.warmup_candles
    if longest < 2 * usual:
        raise ConfigError(
            f"--check-bias: expected {2 * usual:,} candles or more, twice the warm-up "
            f"(strategy.warmup_candles), found {longest:,}"
        )
    bar = Progress(
        TextColumn("checking"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        console=screen,
        disable=not screen.is_terminal,
    )
    with bar:
        foreign = [asset for asset in foreign_assets(rules) if asset in market]
        task = bar.add_task("", total=len(foreign) + 1 + CUTS + len(WARM_UPS))
        impure = _impurities(market, rules, lambda: bar.advance(task))
        if impure:
            # A strategy that answers randomly, or fails, produces no runs that could be compared.
            bar.update(task, completed=bar.tasks[0].total)
            Screen().print(render_impure(impure))
            return False
        ahead = look_ahead(market, rules, run_backtest, lambda: bar.advance(task))
        warm = warm_ups(market, rules, run_backtest, lambda: bar.advance(task))
        bar.update(task, completed=bar.tasks[0].total)
    Screen().print(render(ahead, warm, foreign))
    return not ahead.leaks


def _impurities(
    market: Mapping[str, CandleSeries], rules: TradingRules, on_asset: Callable[[], None]
) -> tuple[Impurity, ...]:
    """Return what is wrong with user-defined strategies; one that never returns ends the check."""
    watch = EndlessWatch()
    try:
        with watch.watching():
            return impurities(market, rules, on_asset, watch.on_close)
    except EndlessError as error:
        name = rules.asset(watch.asset).terms.strategy.name
        return (Impurity(asset=watch.asset, what=f"strategy {name}: {error}"),)


def render(ahead: LookAhead, warm: WarmUps, foreign: Sequence[str] = ()) -> RenderableType:
    """Return all verdicts for a terminal, with their basis.

    Args:
        ahead: whether something looks ahead.
        warm: what more or less history changes.
        foreign: assets with user-defined strategies, which were found pure.
    """
    left_out = f"Not judged, since it began later: {', '.join(warm.left_out)}."
    notes = [left_out] if warm.left_out else []
    pure: list[RenderableType] = []
    if foreign:
        why = f" {', '.join(foreign)}: the same candles give the same answers, however folded."
        pure = [headed("Pure strategies.", "bold green", why), ""]
    return Group(*pure, _ahead(ahead), "", _warm_verdict(warm), _warm_table(warm), *notes)


def render_impure(found: Sequence[Impurity]) -> RenderableType:
    """Return where strategies gave different answers, for a terminal."""
    lines = "".join(f"\n  {one.asset}: {one.what}" for one in found)
    why = " The same candles must give the same answers, and soon; the results are worth nothing."
    return headed("Impure strategy!", "bold red", f"{why}{lines}")


def _ahead(found: LookAhead) -> Text:
    compared = f"{found.decisions:,} decisions before {found.cuts} cuts"
    if not found.leaks:
        return headed(
            "No look-ahead.",
            "bold green",
            f" {compared} are the same, and so are averages and regimes bit for bit, whether the "
            "candles after the cut are known or not.",
        )
    differences = "".join(
        f"\n  with the future:    {leak.with_future}\n  without the future: {leak.without}"
        for leak in found.leaks[:_SHOWN_LEAKS]
    )
    return headed(
        "Look-ahead!",
        "bold red",
        f" Of {compared}, those before {len(found.leaks)} depend on candles that come later; the "
        f"results are worth nothing. First differences:{differences}",
    )


def _warm_verdict(found: WarmUps) -> Text:
    usual = found.at_usual
    against = f"{found.usual:,} candles of warm-up decide as {found.longest:,} do"
    if found.longest == found.usual:
        why = " There are no candles before it to compare with."
        return headed("Warm-up not judged.", "bold yellow", why)
    if usual.is_settled:
        return headed(
            "Warm-up settled.",
            "bold green",
            f" {against}, to the last entry and regime; averages differ by "
            f"{usual.price_error:.1e} at most.",
        )
    return headed(
        "Warm-up too short.",
        "bold yellow",
        f" Not all that {against}: {usual.entries} of {usual.of_entries} entries and "
        f"{usual.regimes} regimes differ. Raise strategy.warmup_candles.",
    )


def _warm_table(found: WarmUps) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("warm-up", "averages differ by", "regimes", "entries", "PnL USDT"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in found.runs:
        is_usual = " *" if run.candles == found.usual else "  "
        table.add_row(
            f"{run.candles:,}{is_usual}",
            f"{run.price_error:.1e}",
            f"{run.regimes:,}",
            f"{run.entries:,} of {run.of_entries:,}",
            f"{run.pnl:+,.2f}",
        )
    return table
