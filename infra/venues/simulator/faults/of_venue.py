"""The faults that the venue itself commits."""

from decimal import Decimal

from infra.venues.simulator.faults.book import FaultBook
from infra.venues.simulator.faults.kinds import Kind


class VenueFaults:
    """Tells the venue what to do wrong."""

    def __init__(self, faults: FaultBook) -> None:
        self._faults = faults

    def partial_fill(self, symbol: str) -> Decimal | None:
        """Return the fraction of the next market order that fills before it is canceled."""
        spec = self._faults.take(Kind.PARTIAL_FILL, symbol=symbol)
        return None if spec is None else spec.fraction

    def rejects(self, symbol: str) -> str | None:
        """Return why the next order is rejected after its acknowledgement."""
        spec = self._faults.take(Kind.REJECT, symbol=symbol)
        return None if spec is None else spec.reason
