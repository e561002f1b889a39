"""Money that comes into the account or leaves it without a trade: neither gain nor loss (8.1)."""

from dataclasses import dataclass
from decimal import Decimal

FOREIGN = "FOREIGN"
"""Begins the kind of what somebody else trades in the account; type and symbol follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A change of the wallet balance that no trade and no funding explains."""

    transfer_id: str
    """Unique at the venue."""
    ts_ms: int
    kind: str
    """The venue's word for it."""
    amount: Decimal
    """Quote; positive is received."""

    @property
    def is_foreign_trade(self) -> bool:
        """Tell whether it is what trades or funding of others moved, in the same account."""
        return self.kind.startswith(f"{FOREIGN} ")
