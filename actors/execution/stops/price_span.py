"""The prices that an execution has not dealt with yet: their span, in one message."""

import threading
from decimal import Decimal

from actors.messages import PriceSeen


class PriceSpan:
    """Widens with each price until the actor has taken it. Safe from any thread."""

    def __init__(self) -> None:
        """Begin with no price."""
        self._lock = threading.Lock()
        self._newest: PriceSeen | None = None
        self._last_price: Decimal | None = None

    def is_newest(self, last_price: Decimal) -> bool:
        """Tell whether a price is the newest one already."""
        return last_price == self._last_price

    def forget(self) -> None:
        """Begin anew: what came before the next price does not count."""
        with self._lock:
            self._newest = self._last_price = None

    def spanned(self, asset: str, ts_ms: int, last_price: Decimal) -> PriceSeen:
        """Return a message that spans a price and those that were not taken yet."""
        with self._lock:
            before, self._last_price = self._newest, last_price
            self._newest = PriceSeen(
                asset=asset,
                ts_ms=ts_ms,
                last_price=last_price,
                high=last_price if before is None else max(before.high, last_price),
                low=last_price if before is None else min(before.low, last_price),
                since_ms=ts_ms if before is None else before.since_ms,
            )
            return self._newest

    def taken(self, message: PriceSeen) -> None:
        """Take note that the actor deals with a message: the span begins anew."""
        with self._lock:
            if self._newest is message:
                self._newest = None
