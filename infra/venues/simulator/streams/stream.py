"""One client's WebSocket: what is written to it, and what it has dealt with."""

import asyncio

from starlette.websockets import WebSocket

from infra.venues.simulator.recording.recorder import NOTE
from infra.venues.simulator.wire import Wire

PUBLIC, PRIVATE = "/v5/public/linear", "/v5/private"
ELSEWHERE = ("/v5/public/spot", "/v5/public/inverse", "/v5/public/option")
"""Where nothing is listed, so that there are no topics."""
STATUS = "/v5/public/misc/status"
"""Where maintenance is announced; none ever is."""
_WAITING_AT_MOST = 32 * 1024 * 1024
"""Bytes that wait for a client; one that reads no more is cut."""
_TEXT, _PING = 0x81, 0x89
_SHORT, _MEDIUM = 126, 1 << 16
"""Lengths of a message from which on its frame has two or eight more bytes of length."""


class Stream:
    """One client's WebSocket.

    All that is told in one turn of the event loop is written at once: with hundreds of symbols
    there are thousands of messages in it.
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
        """A message that a fault lets come after the next one."""
        self._note = socket.scope.get(NOTE, lambda _message: None)
        self._wire = wire
        self._frames: list[bytes] = []
        self._unread = 0
        self._sent = 0
        self._asked = 0
        self._taken = 0

    def put(self, message: bytes) -> bool:
        """Write a message at the end of this turn; False where the client reads no more."""
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
            self._write(_PING, str(self._sent).encode())
            self._asked = self._sent

    def on_pong(self, payload: bytes) -> None:
        """Take note of what the client has dealt with."""
        if payload.isdigit():
            self._taken = max(self._taken, int(payload))


def _header(opcode: int, length: int) -> bytes:
    """Return the head of an unmasked frame, as servers send them."""
    if length < _SHORT:
        return bytes((opcode, length))
    if length < _MEDIUM:
        return bytes((opcode, _SHORT)) + length.to_bytes(2, "big")
    return bytes((opcode, _SHORT + 1)) + length.to_bytes(8, "big")
