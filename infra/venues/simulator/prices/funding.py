"""The funding rate settled at a time: the historical one, or the constant of the rules."""

from decimal import Decimal

from domain.market.funding import funding_rate
from domain.rules import FillRules
from infra.venues.simulator.prices.sources import Source


class Funding:
    """The rates of all symbols."""

    def __init__(self, source: Source, rules: FillRules) -> None:
        """Use the source's own history if it has one."""
        self._source = source
        self._rules = rules

    def rate(self, symbol: str, time_ms: int) -> Decimal | None:
        """Return the rate settled at a time on the candle grid; None if there is no settlement."""
        return funding_rate(time_ms, self._rules.funding, self._source.funding.get(symbol))
