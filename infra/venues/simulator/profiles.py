"""Named market days to test bots with: the faults and the trading costs of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from domain.rules import FillRules
from infra.venues.simulator.faults.kinds import Kind
from infra.venues.simulator.faults.spec import FaultSpec
from infra.venues.simulator.options import SimulatorOptions

_HOUR_MS = 3_600_000


class ProfileName(StrEnum):
    """The available market days."""

    THIN_BOOK = "thin-book"
    OUTAGE = "outage"
    CRASH = "crash-2025-10-10"
    FUNDING_SPIKE = "funding-spike"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The definition of a market day; times are real seconds after the start."""

    fills: Callable[[FillRules], FillRules] = lambda rules: rules
    faults: Sequence[FaultSpec] = ()
    book_size: Decimal = Decimal(20)
    """Size at each level of the book, in smallest orders."""
    crash_after: int | None = None
    """Number of the candle after the start in which every price falls by half or more."""


def _thin(rules: FillRules) -> FillRules:
    return replace(rules, slippage_fraction=Decimal("0.004"), stop_gap_fraction=Decimal("0.5"))


def _spiking(rules: FillRules) -> FillRules:
    hourly = replace(rules.funding, rate=Decimal("0.01"), interval_ms=_HOUR_MS)
    return replace(rules, funding=hourly)


PROFILES = {
    ProfileName.THIN_BOOK: Profile(
        fills=_thin,
        book_size=Decimal(1),
        faults=(FaultSpec(kind=Kind.PARTIAL_FILL, probability=0.3, fraction=Decimal("0.6")),),
    ),
    ProfileName.OUTAGE: Profile(
        faults=(
            FaultSpec(kind=Kind.MUTE, after_s=30, for_s=30),
            FaultSpec(kind=Kind.HTTP_STATUS, path="/v5/", status=503, after_s=75, for_s=20),
            FaultSpec(kind=Kind.RET_CODE, path="/v5/order/", code=10016, after_s=95, for_s=10),
            FaultSpec(kind=Kind.HALF_OPEN, after_s=110),
            FaultSpec(kind=Kind.DOWN, after_s=160, for_s=60),
            FaultSpec(kind=Kind.ANSWER_LATE, path="/v5/", seconds=4, after_s=225, for_s=30),
        ),
    ),
    ProfileName.CRASH: Profile(
        crash_after=12,
        faults=(
            FaultSpec(kind=Kind.ANSWER_LATE, path="/v5/", seconds=3, probability=0.2),
            FaultSpec(kind=Kind.RET_CODE, path="/v5/order/", code=10016, probability=0.1),
        ),
    ),
    ProfileName.FUNDING_SPIKE: Profile(fills=_spiking),
}


def with_profile(options: SimulatorOptions, name: ProfileName) -> SimulatorOptions:
    """Return options as changed by a profile; existing faults stay."""
    profile = PROFILES[name]
    return replace(
        options,
        fills=profile.fills(options.fills),
        faults=(*options.faults, *profile.faults),
        book_size=profile.book_size,
        crash_after=profile.crash_after,
    )
