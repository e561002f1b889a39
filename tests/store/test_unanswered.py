"""Which orders have no certain answer yet, in both databases."""

from domain.trading.orders import OrderStatus
from infra.store.location import Location
from infra.store.unanswered import unanswered_orders
from infra.store.writer import JournalWriter
from tests.store.facts import entry, news


def test_an_order_is_unanswered_until_its_newest_news_is_for_certain(
    journal: JournalWriter, location: Location
) -> None:
    found = []
    journal.append(entry())
    found.append(unanswered_orders(location))
    for status in (OrderStatus.UNKNOWN, OrderStatus.ACCEPTED):
        journal.append(news(entry(), status))
        found.append(unanswered_orders(location))

    name = entry().request.client_order_id
    assert found == [[name], [name], []]
