"""Reads of the market."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

from pybit.unified_trading import HTTP  # type: ignore[import-untyped]

from domain.market.instruments import Candle
from domain.market.order_book import OrderBook
from infra.venues.bybit.endpoints.base import RestEndpoints
from infra.venues.bybit.errors import UnlistedError
from infra.venues.bybit.http.outcome import Answer
from infra.venues.bybit.http.transport import server_time
from infra.venues.bybit.limits import Kind
from infra.venues.bybit.shapes.market import (
    Listing,
    Ticker,
    candles,
    funding_rates,
    listings,
    maintenance_rate,
    order_book,
    ticker,
)
from infra.venues.bybit.shapes.queries import CATEGORY, interval_of

_KLINE_PAGE, _FUNDING_PAGE = 1000, 200
_BOOK_LEVELS = 200


class MarketCalls(RestEndpoints):
    """Market data; needs no key."""

    def server_time(self) -> int:
        """Return the venue's time, ms since 1970 UTC.

        Raises:
            UnavailableError: no answer within the budget.
        """
        time_ms = self._wire.get(
            Kind.PUBLIC, HTTP.get_server_time, {}, server_time, is_private=False
        )
        return int(time_ms)

    def instruments(self, symbols: Sequence[str]) -> dict[str, Listing]:
        """Return the venue's listings of some perpetuals.

        Raises:
            BadDataError: it does not list one of them, or a listing cannot be read.
            UnavailableError: no answer within the budget.
        """
        found: dict[str, Listing] = {}
        for symbol in symbols:
            query = {"category": CATEGORY, "symbol": symbol}
            found[symbol] = self._wire.get(
                Kind.PUBLIC,
                HTTP.get_instruments_info,
                query,
                partial(_listing_of, symbol),
                is_private=False,
            )
        return found

    def kline(
        self, symbol: str, start_ms: int, end_ms: int, *, candle_ms: int
    ) -> tuple[Candle, ...]:
        """Return closed candles, oldest first, fetched page by page; gaps remain gaps.

        Args:
            symbol: of the perpetual.
            start_ms: earliest open time, inclusive.
            end_ms: latest open time, inclusive; the candle that is still open is left out.
            candle_ms: length of a candle.

        Raises:
            BadDataError: a candle is inconsistent.
            UnavailableError: no answer within the budget, for any of the pages.
        """
        found: dict[int, Candle] = {}
        query: dict[str, object] = {"category": CATEGORY, "symbol": symbol, "start": start_ms}
        query |= {"interval": interval_of(candle_ms), "limit": _KLINE_PAGE}
        newest_ms = end_ms

        def read(answer: Answer) -> tuple[list[Candle], int]:
            return candles(answer.result, symbol, candle_ms), self._wire.time_of(answer)

        while newest_ms >= start_ms:
            asked = query | {"end": newest_ms}
            page, now_ms = self._wire.get(
                Kind.PUBLIC, HTTP.get_kline, asked, read, is_private=False
            )
            page = [candle for candle in page if start_ms <= candle.open_time_ms <= newest_ms]
            if not page:
                break
            found |= {c.open_time_ms: c for c in page if c.close_time_ms <= now_ms}
            newest_ms = page[0].open_time_ms - 1
        return tuple(found[open_time_ms] for open_time_ms in sorted(found))

    def funding_rates(self, symbol: str, start_ms: int, end_ms: int) -> dict[int, Decimal]:
        """Return the rate of each settlement by its time, oldest first, fetched page by page.

        Args:
            symbol: of the perpetual.
            start_ms: earliest time, inclusive.
            end_ms: latest time, inclusive.

        Returns:
            Fractions of the notional; positive: longs pay.

        Raises:
            BadDataError: a rate is missing.
            UnavailableError: no answer within the budget, for any of the pages.
        """
        found: dict[int, Decimal] = {}
        query: dict[str, object] = {"category": CATEGORY, "symbol": symbol, "limit": _FUNDING_PAGE}
        query["startTime"] = start_ms
        newest_ms = end_ms
        while newest_ms >= start_ms:
            page = self._wire.get(
                Kind.PUBLIC,
                HTTP.get_funding_rate_history,
                query | {"endTime": newest_ms},
                lambda answer: funding_rates(answer.result, symbol),
                is_private=False,
            )
            page = {ms: rate for ms, rate in page.items() if start_ms <= ms <= newest_ms}
            found |= page
            if len(page) < _FUNDING_PAGE:
                break
            newest_ms = min(page) - 1
        return {time_ms: found[time_ms] for time_ms in sorted(found)}

    def maintenance_rate(self, symbol: str, notional: Decimal) -> Decimal:
        """Return the maintenance margin rate of a position, a fraction of its notional.

        Args:
            symbol: of the perpetual.
            notional: of the position, quote.

        Raises:
            BadDataError: no tier is large enough.
            UnavailableError: no answer within the budget.
        """
        query = {"category": CATEGORY, "symbol": symbol}
        return self._wire.get(
            Kind.PUBLIC,
            HTTP.get_risk_limit,
            query,
            lambda answer: maintenance_rate(answer.result, symbol, notional),
            is_private=False,
        )

    def ticker(self, symbol: str) -> Ticker:
        """Return a perpetual's last and mark price.

        Raises:
            BadDataError: a price is missing.
            UnavailableError: no answer within the budget.
        """
        query = {"category": CATEGORY, "symbol": symbol}
        return self._wire.get(
            Kind.PUBLIC,
            HTTP.get_tickers,
            query,
            lambda answer: ticker(answer.result, symbol, self._wire.time_of(answer)),
            is_private=False,
        )

    def order_book(self, symbol: str) -> OrderBook:
        """Return both sides of a perpetual's order book, 200 levels deep.

        Raises:
            BadDataError: a level cannot be read.
            UnavailableError: no answer within the budget.
        """
        query = {"category": CATEGORY, "symbol": symbol, "limit": _BOOK_LEVELS}
        return self._wire.get(
            Kind.PUBLIC,
            HTTP.get_orderbook,
            query,
            lambda answer: order_book(answer.result, symbol),
            is_private=False,
        )


def _listing_of(symbol: str, answer: Answer) -> Listing:
    listed = listings(answer.result).get(symbol)
    if listed is None:
        raise UnlistedError(f"instruments: the venue does not list {symbol}")
    return listed
