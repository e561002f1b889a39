"""Fences outgoing requests: only the newest sender may send, and whether it did is known."""

import ssl
from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from domain.errors import FencedError

IsOurs = Callable[[], bool]
"""Tells whether the sender is still the newest incarnation of its actor."""


def always() -> bool:
    """Tell that the sender cannot have been replaced."""
    return True


class SendFence:
    """One outgoing request: who may send it, and whether it has been sent."""

    def __init__(self, is_ours: IsOurs) -> None:
        self._is_ours = is_ours
        self.has_left = False
        """Whether its first byte may have been sent."""
        self.dead_after_ms: int | None = None
        """The venue's time after which it is no longer accepted."""

    def check(self) -> None:
        """Raise FencedError if the sender was replaced."""
        if not self._is_ours():
            raise FencedError("a replaced incarnation tried to act at the exchange")

    def leave(self) -> None:
        """Check once more, at the last moment, and note that it is being sent."""
        self.check()
        self.has_left = True


DEPARTURE: ContextVar[SendFence | None] = ContextVar("departure", default=None)
"""Fence of the request that the current thread is sending."""


def _leave(connection: HTTPConnection) -> None:
    """Pass this thread's fence, at the last moment: the connection is already open."""
    departure = DEPARTURE.get()
    if departure is None or departure.has_left:
        return
    if connection.sock is None:
        connection.connect()
    departure.leave()


class _Connection(HTTPConnection):
    def send(self, data: Any) -> None:
        _leave(self)
        super().send(data)


class _SecureConnection(HTTPSConnection):
    def send(self, data: Any) -> None:
        _leave(self)
        super().send(data)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def __init__(self, ssl_context: ssl.SSLContext) -> None:
        self._ssl_context = ssl_context
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._ssl_context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


class Session(requests.Session):
    """Sends requests straight to the venue: no proxy, no netrc, no redirects."""

    def __init__(self, ssl_context: ssl.SSLContext) -> None:
        """Mount connections that check the fence before they send."""
        super().__init__()
        self.trust_env = False
        self.headers.update({"Content-Type": "application/json", "Accept": "application/json"})
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(ssl_context))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send; a redirect is treated like any other answer."""
        return super().send(request, **{**kwargs, "allow_redirects": False})

    def resolve_redirects(self, *_: Any, **__: Any) -> Generator[requests.Response, None, None]:
        """Follow none."""
        yield from ()
