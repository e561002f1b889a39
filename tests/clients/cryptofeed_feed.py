"""cryptofeed at a simulated exchange: argv is its address and its streams' address.

Prints which channels it was told of as JSON once it has heard of all, or after a minute.
"""

import asyncio
import dataclasses
import json
import sys

from cryptofeed import FeedHandler
from cryptofeed.connection import RestEndpoint
from cryptofeed.defines import (
    CANDLES,
    FUNDING,
    INDEX,
    L2_BOOK,
    LIQUIDATIONS,
    OPEN_INTEREST,
    TICKER,
    TRADES,
)
from cryptofeed.exchanges import Bybit

REST, STREAMS = sys.argv[1:]
CHANNELS = [L2_BOOK, TRADES, TICKER, CANDLES, LIQUIDATIONS, INDEX, OPEN_INTEREST, FUNDING]
SEEN: set[str] = set()


class Address(str):
    """Of a stream without TLS, which the client refuses to know."""

    __slots__ = ()

    def startswith(self, prefix, *more):
        """Pass for one with TLS."""
        return prefix == "wss://" or super().startswith(prefix, *more)


def heard(channel: str):
    """Return what takes note of a channel's messages."""

    async def note(*_) -> None:
        SEEN.add(channel)

    return note


async def end() -> None:
    """Wait until all is heard, or for a minute."""
    for _ in range(600):
        if len(SEEN) == len(CHANNELS):
            return
        await asyncio.sleep(0.1)


Bybit.rest_endpoints = [RestEndpoint(REST, routes=Bybit.rest_endpoints[0].routes)]
Bybit.websocket_endpoints = [
    dataclasses.replace(
        one, address=Address(str(one.address).replace("wss://stream.bybit.com", STREAMS))
    )
    for one in Bybit.websocket_endpoints
]
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
handler = FeedHandler(config={"log": {"disabled": True}})
handler.add_feed(
    Bybit(
        symbols=["BTC-USDT-PERP"],
        channels=CHANNELS,
        callbacks={channel: heard(channel) for channel in CHANNELS},
        candle_closed_only=False,
    )
)
handler.run(start_loop=False, install_signal_handlers=False)
loop.run_until_complete(end())
print(json.dumps(sorted(SEEN)), flush=True)  # noqa: T201 - the test reads it
