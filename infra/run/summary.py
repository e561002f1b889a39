"""The summary of a run over candle files."""

from collections.abc import Mapping

from domain.backtesting.summary import in_order, max_drawdown
from domain.market.candles import CandleSeries
from domain.rules import TradingRules
from infra.operator.terminal.summary import RunSummary
from infra.run.books import books_of
from infra.store.journal import JournalStore


def replay_summary(
    journals: JournalStore,
    rules: TradingRules,
    candles: Mapping[str, CandleSeries],
    *,
    restarts: Mapping[str, int],
    given_up: Mapping[str, str],
    last_ms: int | None,
    is_complete: bool,
    seconds: float,
    candles_played: int,
) -> RunSummary:
    """Return the summary of a finished run; requires a connection.

    Args:
        journals: of the run.
        rules: of the run.
        candles: to be played, by asset.
        restarts: of actors, by address.
        given_up: causes, by address.
        last_ms: the last played close.
        is_complete: whether all were played.
        seconds: duration of the run.
        candles_played: number of played candles.
    """
    balance, positions = books_of(journals, rules)
    samples = journals.samples()
    return RunSummary(
        assets=list(candles),
        trades=in_order(journals.trades(), [asset.asset for asset in rules.assets]),
        refusals=journals.refusals_by_reason(),
        max_drawdown=max_drawdown(samples),
        initial_balance=rules.fills.initial_balance,
        final_balance=balance,
        open_positions=positions,
        restarts=restarts,
        given_up=given_up,
        is_halted=bool(samples) and samples[-1].is_halted,
        carried_forward={name: int(series.carried.sum()) for name, series in candles.items()},
        first_ms=min(int(series.open_time_ms[0]) for series in candles.values()),
        last_ms=last_ms,
        is_complete=is_complete,
        seconds=seconds,
        candles=candles_played,
    )
