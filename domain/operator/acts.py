"""Commands from the page, each with the positions that the page showed."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from domain.operator.commands import ALL, Command, CommandName

_OF_A_POSITION = (CommandName.CLOSE, CommandName.REDUCE, CommandName.LIQUIDATE)
"""Commands that are meant for a position as it was shown. A panic is not: it is never refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAct:
    """One press of a button."""

    act_id: str
    """Unique; the same id again is the same press, sent twice."""
    user: str
    command: Command
    is_confirmed: bool
    shown: Mapping[str, Decimal]
    """Signed quantity, base units, of each open position that the page showed."""


def outdated_by(act: PageAct, found: Mapping[str, Decimal] | None) -> str | None:
    """Return why a command does not fit what is open now; None: it fits, or concerns no position.

    Args:
        act: the press.
        found: signed quantity of each open position; None: not known.
    """
    command = act.command
    if command.name not in _OF_A_POSITION:
        return None
    if found is None:
        return "the portfolio does not answer, so what is open cannot be compared with what you saw"
    asset = command.argument.split(" ")[0]
    meant = {*act.shown, *found} if asset.lower() == ALL else {asset.upper()}
    for name in sorted(meant):
        shown, now = act.shown.get(name, Decimal(0)), found.get(name, Decimal(0))
        if shown != now:
            return f"{name} is {now:f} now, the page showed {shown:f}; look again"
    return None
