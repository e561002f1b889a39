"""Checks which options of a backtest can be combined."""

from domain.errors import ConfigError
from infra.backtest.run import BacktestOptions
from infra.backtest.sweep import SweepOptions

DEFAULT_SORT = "sharpe"


def check_together(
    plain: BacktestOptions, swept: SweepOptions, *, is_bias: bool, is_gap: bool
) -> None:
    """Check that the options can be combined.

    Raises:
        ConfigError: two cannot.
    """
    mode = _mode(swept.sweep or None, is_bias=is_bias, is_gap=is_gap)
    of_one: dict[str, object] = {
        "--assets": plain.assets,
        "--balance": plain.balance,
        "--trades": plain.trades,
        "--equity": plain.equity,
        "--json": plain.as_json,
    }
    of_many: dict[str, object] = {
        "--samples": swept.samples,
        "--sort": swept.sort != DEFAULT_SORT,
        "--walk-forward": swept.walk_forward,
        "--scheduler": swept.scheduler,
        "--sweep-csv": swept.csv,
    }
    for name, value in of_one.items():
        if value and mode is not None:
            raise ConfigError(f"{name} does not go with {mode}")
    if plain.report and mode in {"--check-bias", "--gap-check"}:
        raise ConfigError(f"--report does not go with {mode}")
    for name, value in of_many.items():
        if value and mode != "--sweep":
            raise ConfigError(f"{name} needs --sweep")


def _mode(sweep: str | None, *, is_bias: bool, is_gap: bool) -> str | None:
    """Return which option runs more than one backtest; None if none does."""
    asked = {"--check-bias": is_bias, "--gap-check": is_gap, "--sweep": sweep is not None}
    found = [name for name, is_asked in asked.items() if is_asked]
    if len(found) > 1:
        raise ConfigError(f"{found[0]} does not go with {found[1]}")
    return found[0] if found else None
