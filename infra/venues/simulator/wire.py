"""The listening socket and its connections, both of which faults can break."""

import asyncio
import socket
from collections.abc import Callable, Collection
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame

from domain.errors import ConfigError

Peer = tuple[str, int]
_TAKEN_S = 0.1
"""How often to retry a port that another program has taken meanwhile."""
_PATIENCE_S = 5.0
_ACCEPTING_S = 0.01


class Wire:
    """Serves an ASGI application on loopback; knows the transport of every client."""

    def __init__(self, port: int) -> None:
        """Bind the port, 0 for any free one; `open` starts listening.

        Raises:
            ConfigError: the port is taken.
        """
        self._socket = _bound(port)
        self.port: int = self._socket.getsockname()[1]
        self.on_pong: Callable[[Peer, bytes], None] = lambda _peer, _payload: None
        """Called for each answer to a ping."""
        self._transports: dict[Peer, asyncio.Transport] = {}
        self._state = ServerState()
        self._config: uvicorn.Config | None = None
        self._server: asyncio.Server | None = None

    async def open(self, app: Any) -> None:
        """Serve the application."""
        wire = self

        class Http(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                wire.remember(transport)

        class Socket(WebSocketsSansIOProtocol):
            def handle_pong(self, event: Frame) -> None:
                wire.on_pong(self.transport.get_extra_info("peername")[:2], bytes(event.data))

        self._config = uvicorn.Config(
            app,
            http=Http,
            ws=Socket,
            lifespan="off",
            log_config=None,
            access_log=False,
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            timeout_keep_alive=75,
            server_header=False,
            proxy_headers=False,
            date_header=False,
        )
        self._config.load()
        await self._listen(self._socket)

    def remember(self, transport: asyncio.Transport) -> None:
        """Store a new connection's transport."""
        self._transports = {
            peer: known for peer, known in self._transports.items() if not known.is_closing()
        }
        self._transports[transport.get_extra_info("peername")[:2]] = transport

    def write(self, peer: Peer | None, frames: bytes) -> int:
        """Write whole frames to one client's WebSocket.

        Returns:
            How many bytes the client has not read yet.
        """
        transport = self._transports.get(peer) if peer else None
        if transport is None or transport.is_closing():
            return 0
        transport.write(frames)
        return transport.get_write_buffer_size()

    def drop(self, peer: Peer | None) -> None:
        """Cut one client's connection."""
        transport = self._transports.pop(peer, None) if peer else None
        if transport is not None:
            transport.abort()

    def drop_all(self, but: Collection[Peer | None] = ()) -> None:
        """Cut every connection except some."""
        for peer in list(self._transports):
            if peer not in but:
                self.drop(peer)

    def freeze(self, peer: Peer | None) -> None:
        """Stop reading from one client, so that not even its pings are answered."""
        transport = self._transports.get(peer) if peer else None
        if transport is not None:
            transport.pause_reading()

    async def refuse(self) -> None:
        """Stop listening; open connections stay."""
        server, self._server = self._server, None
        if server is None:
            return
        # A server that is closed between accepting a client and serving it leaves the client
        # hanging: stop accepting, let accepted clients be served, and only then close.
        for listener in server.sockets:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        await asyncio.sleep(_ACCEPTING_S)
        server.close()

    async def listen_again(self) -> None:
        """Listen on the same port as before, once it is free: another program may have taken it."""
        while self._server is None and self._config is not None:
            try:
                listener = _bound(self.port)
            except ConfigError:
                await asyncio.sleep(_TAKEN_S)
            else:
                await self._listen(listener)

    async def close(self) -> None:
        """Stop listening and cut everything."""
        await self.refuse()
        self._config = None
        self.drop_all()
        self._socket.close()
        # Each ends by itself once its connection is gone.
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=_PATIENCE_S)

    async def _listen(self, listener: socket.socket) -> None:
        config = self._config
        if config is None:
            return
        loop = asyncio.get_running_loop()

        def made() -> asyncio.Protocol:
            return config.http_protocol_class(  # type: ignore[call-arg]
                config=config, server_state=self._state, app_state={}
            )

        self._server = await loop.create_server(made, sock=listener, backlog=128)


def _bound(port: int) -> socket.socket:
    # With an explicit protocol asyncio disables Nagle's algorithm, which costs 40 ms per answer.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(("127.0.0.1", port))
    except OSError as error:
        made.close()
        raise ConfigError(f"port {port}: {error.strerror}") from error
    return made
