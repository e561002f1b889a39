"""Money that enters or leaves the account without a trade: neither gain nor loss (8.1)."""

from dataclasses import dataclass
from decimal import Decimal

FOREIGN = "FOREIGN"
"""Prefix of the kind of others' trades in the account; type and symbol follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A change of the wallet balance that is neither a trade nor funding."""

    transfer_id: str
    """Unique at the venue."""
    ts_ms: int
    kind: str
    """The venue's word for it."""
    amount: Decimal
    """Quote; positive is received."""

    @property
    def is_foreign_trade(self) -> bool:
        """Tell whether trades or funding of others in the same account caused it."""
        return self.kind.startswith(f"{FOREIGN} ")
