"""One client's WebSocket: what is written to it, and what the client has processed."""

import asyncio

from starlette.websockets import WebSocket

from infra.venues.simulator.recording.recorder import NOTE
from infra.venues.simulator.wire import Wire

PUBLIC, PRIVATE = "/v5/public/linear", "/v5/private"
ELSEWHERE = ("/v5/public/spot", "/v5/public/inverse", "/v5/public/option")
"""Path where nothing is listed, so there are no topics."""
STATUS = "/v5/public/misc/status"
"""Path where maintenance would be announced; it never is."""
_WAITING_AT_MOST = 32 * 1024 * 1024
"""Most bytes waiting for a client; one that no longer reads is cut."""
_TEXT, _PING = 0x81, 0x89
_SHORT, _MEDIUM = 126, 1 << 16
"""Message lengths from which the frame has two or eight extra length bytes."""


class Stream:
    """One client's WebSocket.

    All messages of one turn of the event loop are written at once: with hundreds of symbols there
    are thousands.
    """

    def __init__(self, socket: WebSocket, number: int, wire: Wire) -> None:
        """Write to a socket that was accepted."""
        self.socket = socket
        self.path = socket.url.path
        self.peer = (socket.client.host, socket.client.port) if socket.client else None
        self.conn_id = f"sim-{number}"
        self.topics: set[str] = set()
        self.is_private = self.path == PRIVATE
        self.is_authentic = False
        self.is_frozen = False
        self.held: bytes | None = None
        """A message that a fault delays until after the next one."""
        self._note = socket.scope.get(NOTE, lambda _message: None)
        self._wire = wire
        self._frames: list[bytes] = []
        self._unread = 0
        self._sent = 0
        self._asked = 0
        self._taken = 0

    def put(self, message: bytes) -> bool:
        """Write a message at the end of this turn; return False if the client no longer reads."""
        if self.is_frozen:
            return True
        if self._unread > _WAITING_AT_MOST:
            return False
        self._write(_TEXT, message)
        self._note(message)
        self._sent += 1
        return True

    def _write(self, opcode: int, payload: bytes) -> None:
        if not self._frames:
            asyncio.get_running_loop().call_soon(self._flush)
        self._frames.append(_header(opcode, len(payload)) + payload)

    def _flush(self) -> None:
        frames, self._frames = b"".join(self._frames), []
        if not self.is_frozen:
            self._unread = self._wire.write(self.peer, frames)

    # What the client has processed.

    @property
    def is_taken(self) -> bool:
        """Tell whether the client has processed all that was sent."""
        return self.is_frozen or self._taken == self._sent

    def ask_whether_taken(self) -> None:
        """Send a ping after all messages: a client answers it once it has processed them.

        This holds for clients that read and process in one thread, like websocket-client.
        """
        if not self.is_taken and self._asked != self._sent:
            self._write(_PING, str(self._sent).encode())
            self._asked = self._sent

    def on_pong(self, payload: bytes) -> None:
        """Record what the client has processed."""
        if payload.isdigit():
            self._taken = max(self._taken, int(payload))


def _header(opcode: int, length: int) -> bytes:
    """Return the head of an unmasked frame, as servers send them."""
    if length < _SHORT:
        return bytes((opcode, length))
    if length < _MEDIUM:
        return bytes((opcode, _SHORT)) + length.to_bytes(2, "big")
    return bytes((opcode, _SHORT + 1)) + length.to_bytes(8, "big")
