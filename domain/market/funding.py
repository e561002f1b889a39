"""When funding is settled, and at which rate (strategy 10.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from domain.rules import FillRules


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingHistory:
    """The settlements of one asset as they happened.

    From `first_ms` to `last_ms` these alone count, so a settlement that is missing there is none;
    outside, the constant rate stands in.
    """

    rates: Mapping[int, Decimal]
    """Rate by the time of its settlement, ms; positive: shorts receive."""
    first_ms: int
    last_ms: int


def funding_rate(
    open_time_ms: int, rules: FillRules, history: FundingHistory | None = None
) -> Decimal | None:
    """Return the rate that is settled where a candle opens; None where none is."""
    if history is not None and history.first_ms <= open_time_ms <= history.last_ms:
        return history.rates.get(open_time_ms)
    return rules.funding_rate if open_time_ms % rules.funding_interval_ms == 0 else None
