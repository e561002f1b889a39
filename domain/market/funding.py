"""When funding is settled, and at which rate (strategy 10.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingHistory:
    """The settlements of one asset as they happened.

    From `first_ms` to `last_ms` only these count: where one is missing, nothing was settled.
    Outside of that the constant rate applies.
    """

    rates: Mapping[int, Decimal]
    """Rate by the time of its settlement, ms; positive: shorts receive."""
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingRule:
    """When and at which rate funding is settled outside the history."""

    rate: Decimal
    """Fraction of the notional; positive: shorts receive."""
    interval_ms: int
    """Settlements are at multiples of it."""


def funding_rate(
    open_time_ms: int, rule: FundingRule, history: FundingHistory | None = None
) -> Decimal | None:
    """Return the rate that is settled when a candle opens; None: nothing is settled."""
    if history is not None and history.first_ms <= open_time_ms <= history.last_ms:
        return history.rates.get(open_time_ms)
    return rule.rate if open_time_ms % rule.interval_ms == 0 else None
