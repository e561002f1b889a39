"""Margin that a client adds to an isolated position."""

from decimal import Decimal, InvalidOperation

from infra.venues.simulator import refusals
from infra.venues.simulator.core import Simulator
from infra.venues.simulator.rest.account import position_key_of
from infra.venues.simulator.rest.params import Params
from infra.venues.simulator.shapes.positions import position_row
from infra.venues.simulator.shapes.text import Json

_OF_POSITION = (
    "symbol",
    "positionIdx",
    "riskId",
    "riskLimitValue",
    "size",
    "positionValue",
    "avgPrice",
    "liqPrice",
    "bustPrice",
    "markPrice",
    "leverage",
    "autoAddMargin",
    "positionStatus",
    "positionIM",
    "positionMM",
    "unrealisedPnl",
    "cumRealisedPnl",
    "stopLoss",
    "takeProfit",
    "trailingStop",
    "createdTime",
    "updatedTime",
)


def add(core: Simulator, params: Params) -> Json:
    """POST /v5/position/add-margin; a negative amount takes margin back."""
    params.one_of("category", "linear")
    key = position_key_of(core, params)
    try:
        amount = Decimal(params.required("margin"))
    except InvalidOperation as error:
        raise refusals.invalid("margin") from error
    if not amount.is_finite():
        raise refusals.invalid("margin")
    core.venue.settings.add_margin(key, amount)
    row = position_row(core.venue.view(key))
    return {"category": "linear", **{name: row[name] for name in _OF_POSITION}}


def set_auto_add(core: Simulator, params: Params) -> Json:
    """POST /v5/position/set-auto-add-margin."""
    params.one_of("category", "linear")
    key = position_key_of(core, params)
    # The documentation's own example writes the name with a lower-case m.
    name = "autoAddMargin" if params.text("autoAddMargin") else "autoAddmargin"
    core.venue.settings.set_auto_add(key, is_on=params.one_of(name, "0", "1") == "1")
    return {}


def confirm(core: Simulator, params: Params) -> Json:
    """POST /v5/position/confirm-pending-mmr; there is never a rate to confirm here."""
    params.one_of("category", "linear")
    core.venue.ledger.instrument(params.text("symbol"))
    return {}
