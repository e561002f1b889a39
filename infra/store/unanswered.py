"""Orders whose outcome is not known yet."""

from contextlib import closing

from infra.store.location import Location
from infra.store.reading import open_reading

_QUERY = """
    SELECT intent.client_order_id AS name FROM intent LEFT JOIN order_update ON
    order_update.fact_id = (SELECT MAX(newer.fact_id) FROM order_update AS newer
                            WHERE newer.client_order_id = intent.client_order_id)
    WHERE order_update.status IS NULL OR order_update.status = 'UNKNOWN'
"""


def unanswered_orders(location: Location) -> list[str]:
    """Return the ids of intended orders without a definite answer.

    Raises:
        JournalError: the journal cannot be read.
    """
    with closing(open_reading(location)) as reading:
        return [row["name"] for row in reading.rows(_QUERY)]
