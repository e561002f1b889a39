"""The stored trades and orders that a panel shows, read only while it is shown."""

from collections.abc import Sequence
from contextlib import closing

from domain.errors import ConfigError, JournalError
from domain.trading.positions import Trade
from infra.operator.terminal.live.scene import Panel
from infra.store.location import Location
from infra.store.reader import FactReader, StoredOrder

_SHOWN = 60
"""More than the number of lines of a terminal."""


def facts_of(panel: Panel, journal: Location) -> tuple[Sequence[Trade], Sequence[StoredOrder]]:
    """Return the newest trades, or orders, if the panel shows them and they can be read."""
    if panel not in (Panel.TRADES, Panel.ORDERS):
        return (), ()
    try:
        with closing(FactReader(journal)) as facts:
            if panel is Panel.TRADES:
                return facts.newest_trades(_SHOWN), ()
            return (), facts.newest_orders(_SHOWN)
    except (ConfigError, JournalError):
        return (), ()
