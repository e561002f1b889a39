"""One client's WebSocket: what waits for it, and what it has dealt with."""

import asyncio
import contextlib
from collections.abc import Callable

from starlette.websockets import WebSocket

from infra.venues.simulator.wire import Peer

PUBLIC, PRIVATE = "/v5/public/linear", "/v5/private"
_WAITING_AT_MOST = 5_000
"""Messages that wait for a client; one that reads no more is cut."""


class Stream:
    """One client's WebSocket."""

    def __init__(self, socket: WebSocket, number: int) -> None:
        """Accept nothing yet."""
        self.socket = socket
        self.path = socket.url.path
        self.peer = (socket.client.host, socket.client.port) if socket.client else None
        self.conn_id = f"sim-{number}"
        self.topics: set[str] = set()
        self.is_private = self.path == PRIVATE
        self.is_authentic = False
        self.is_frozen = False
        self.held: bytes | None = None
        """A message that a fault lets come after the next one."""
        self._waiting: asyncio.Queue[bytes | int] = asyncio.Queue(_WAITING_AT_MOST)
        self._sent = 0
        self._asked = 0
        self._taken = 0

    def put(self, message: bytes) -> bool:
        """Let a message wait for the socket; False where the client reads no more."""
        if self.is_frozen:
            return True
        with contextlib.suppress(asyncio.QueueFull):
            self._waiting.put_nowait(message)
            self._sent += 1
            return True
        return False

    async def send_waiting(self, ping: Callable[[Peer | None, bytes], None]) -> None:
        """Send what waits, for ever."""
        while True:
            message = await self._waiting.get()
            if isinstance(message, int):
                ping(self.peer, str(message).encode())
            else:
                await self.socket.send_text(message.decode())

    # What the client has dealt with.

    @property
    def is_taken(self) -> bool:
        """Tell whether the client has dealt with all that was sent."""
        return self.is_frozen or self._taken == self._sent

    def ask_whether_taken(self) -> None:
        """Send a ping behind all messages: a client answers it once it is done with them.

        So does each that reads and works in one thread, as websocket-client does.
        """
        if not self.is_taken and self._asked != self._sent:
            with contextlib.suppress(asyncio.QueueFull):
                self._waiting.put_nowait(self._sent)
                self._asked = self._sent

    def on_pong(self, payload: bytes) -> None:
        """Take note of what the client has dealt with."""
        if payload.isdigit():
            self._taken = max(self._taken, int(payload))
