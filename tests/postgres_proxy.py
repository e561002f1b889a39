"""A wire between a client and a server of PostgreSQL that is cut at will."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path


class Cut(StrEnum):
    """What happens to the next COMMIT."""

    BEFORE = "before"
    """It does not reach the server."""
    AFTER = "after"
    """Its answer does not reach the client."""


_PATIENCE_S = 30.0


class Wire:
    """Passes bytes on, both ways, for any number of connections."""

    def __init__(self, listener: socket.socket, server: Path) -> None:
        self._listener, self._server = listener, server
        self.port = listener.getsockname()[1]
        self.cut: Cut | None = None
        """Taken by the next COMMIT that passes by."""
        self.is_down = False
        """New connections are refused."""
        self.stays_down = False
        """A cut takes the wire down as well."""
        self._muted: dict[tuple[socket.socket, socket.socket], threading.Event] = {}
        """Whose answers are kept back, and whether there was one."""
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_all(self) -> None:
        """Cut what goes through now."""
        for pair in list(self._pairs):
            self._close(pair)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.is_down:
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                pair = (client, server)
                self._pairs.add(pair)
                for source, target in (pair, pair[::-1]):
                    threading.Thread(
                        target=self._pass, args=(pair, source, target), daemon=True
                    ).start()

    def _pass(
        self,
        pair: tuple[socket.socket, socket.socket],
        source: socket.socket,
        target: socket.socket,
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if source is pair[0] and b"COMMIT" in data and self.cut is not None:
                    self._cut_commit(pair, data)
                    return
                answered = self._muted.get(pair)
                if answered is not None and target is pair[0]:
                    answered.set()
                    continue
                target.sendall(data)
        self._close(pair)

    def _cut_commit(self, pair: tuple[socket.socket, socket.socket], data: bytes) -> None:
        cut, self.cut = self.cut, None
        self.is_down = self.stays_down
        _, server = pair
        if cut is Cut.AFTER:
            # The client must not connect again before it is committed.
            answered = self._muted.setdefault(pair, threading.Event())
            server.sendall(data)
            answered.wait(_PATIENCE_S)
        self._close(pair)

    def _close(self, pair: tuple[socket.socket, socket.socket]) -> None:
        self._pairs.discard(pair)
        for end in pair:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def wire_to(folder: Path) -> Iterator[Wire]:
    """Lay a wire to the server whose socket is in a folder."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire = Wire(listener, folder / ".s.PGSQL.5432")
        try:
            yield wire
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            wire.cut_all()
