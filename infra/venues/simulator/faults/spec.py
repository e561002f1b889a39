"""A fault as requested."""

from decimal import Decimal
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from infra.venues.simulator.faults.kinds import ACTS, Kind

_OUTAGES = frozenset({Kind.REFUSE, Kind.DOWN})
_SHARES = frozenset({Kind.PARTIAL_FILL, Kind.ADL})


class FaultSpec(BaseModel):
    """A fault as requested. Durations are real seconds.

    Without `times`, `for_s` and `probability` it happens once; a state of the exchange rather than
    an event (LASTING) then lasts until it is cleared.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    path: str = ""
    """Prefix of the request's or stream's path; empty: /v5/order/create for faults of requests,
    every stream for faults of streams."""
    symbol: str = ""
    topic: str = ""
    """Prefix of the message's topic; empty: all."""
    times: int | None = Field(default=None, ge=1)
    for_s: float | None = Field(default=None, gt=0)
    after_s: float = Field(default=0.0, ge=0)
    probability: float | None = Field(default=None, gt=0, le=1)

    processed: bool = False
    status: int = Field(default=502, ge=400, le=599)
    retry_after_s: int | None = Field(default=None, ge=0)
    code: int = 10016
    text: str = ""
    seconds: float = Field(default=2.0, ge=0)
    hang_s: float = Field(default=0.0, ge=0)
    fraction: Decimal = Field(default=Decimal("0.5"), gt=-1)
    """Fraction of the price; of a quantity it is from 0 to 1."""
    ms: int = 3000
    reason: str = "EC_PerCancelRequest"
    rate: Decimal | None = None
    qty: Decimal | None = Field(default=None, gt=0)
    side: Literal["Buy", "Sell"] = "Sell"

    @model_validator(mode="after")
    def _has_a_share(self) -> Self:
        if self.kind in _SHARES and not 0 < self.fraction <= 1:
            raise ValueError(f"fraction: found {self.fraction}, expected above 0, up to 1")
        return self

    @property
    def recurs(self) -> bool:
        """Tell whether it is an act that recurs when candles close."""
        is_for_a_time = self.for_s is not None and self.kind not in _OUTAGES
        return self.kind in ACTS and (self.probability is not None or is_for_a_time)

    @property
    def outage_s(self) -> float:
        """How long the exchange is down; with a probability, `for_s` is when that may begin."""
        return self.seconds if self.for_s is None or self.probability is not None else self.for_s
