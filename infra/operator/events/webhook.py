"""Events to an HTTP address, signed according to Standard Webhooks 1.0."""

import base64
import binascii
import hashlib
import hmac
import http.client
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit, urlunsplit

from domain.errors import ConfigError
from infra.net.tls import tls_context
from infra.operator.delivery import ChannelClosedError, NotDeliveredError
from infra.operator.events.event import Event

_WAIT_S = 10.0
_PREFIX = "whsec_"
_FEWEST_BYTES = 24
_MOST_BYTES = 65_536
"""Most bytes read of an answer, which is ignored."""
_LEAST_TLS = "1.2"
"""Lowest TLS version, as offered by receivers; with those that offer 1.3 that is used."""
_TRIED_AGAIN = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""Refusals that are temporary."""


class Webhook:
    """One address. See `infra.operator.events.publisher.Target`."""

    most = 1
    """Each request has one event, so that its signature and its answer refer to that event."""

    def __init__(self, url: str, secret: str, now_s: Callable[[], float] = time.time) -> None:
        """Check the address; nothing is connected yet.

        Args:
            url: http(s); it may hold a secret and is never shown.
            secret: whsec_ and its bytes as base64.
            now_s: the time that requests are signed with.

        Raises:
            ConfigError: the address or the secret is invalid.
        """
        self._url = _read_url(url)
        self._key = read_secret(secret)
        self._now_s = now_s
        self._connection: http.client.HTTPConnection | None = None

    def send(self, events: Sequence[Event]) -> None:
        """Send events, each in a request that must be answered. See `Target`."""
        for event in events:
            status = self._post(event)
            if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                continue
            self.close()
            why = f"the webhook answers {status}"
            is_passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRIED_AGAIN
            if is_passing:
                raise NotDeliveredError(why, may_have_arrived=True)
            raise ChannelClosedError(why)

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, event: Event) -> int:
        second = int(self._now_s())
        headers = {
            "Content-Type": "application/cloudevents+json",
            "webhook-id": event.event_id,
            "webhook-timestamp": str(second),
            "webhook-signature": signature(self._key, event.event_id, second, event.body),
        }
        while True:
            is_new = self._connection is None
            try:
                return self._answered(event.body, headers)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                # The other side closes a kept-open connection sooner or later.
                if is_new or not isinstance(error, ConnectionError):
                    why = f"the webhook does not answer ({type(error).__name__})"
                    raise NotDeliveredError(why, may_have_arrived=True) from error

    def _answered(self, body: bytes, headers: Mapping[str, str]) -> int:
        connection = self._connection = self._connection or self._new_connection()
        connection.request("POST", self._path, body, headers)
        answer = connection.getresponse()
        answer.read(_MOST_BYTES)
        if not answer.isclosed():
            self.close()
        return answer.status

    def _new_connection(self) -> http.client.HTTPConnection:
        if self._url.scheme == "http":
            return http.client.HTTPConnection(self._url.netloc, timeout=_WAIT_S)
        context = tls_context(_LEAST_TLS)
        return http.client.HTTPSConnection(self._url.netloc, timeout=_WAIT_S, context=context)

    @property
    def _path(self) -> str:
        return urlunsplit(("", "", self._url.path or "/", self._url.query, ""))


def _read_url(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_sound = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        is_sound = False
    if not is_sound:
        raise ConfigError(
            "WEBHOOK_URL: expected http(s)://HOST:PORT/PATH, without user and password "
            "(what was found is not shown)"
        )
    return parts


def read_secret(text: str) -> bytes:
    """Return the bytes of a secret.

    Raises:
        ConfigError: it is invalid.
    """
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(_PREFIX) or len(key) < _FEWEST_BYTES:
        raise ConfigError(
            "WEBHOOK_SECRET: expected whsec_ and at least 24 bytes as base64 (it is not shown); "
            'make one: echo "whsec_$(openssl rand -base64 32)"'
        )
    return key


def signature(key: bytes, message_id: str, second: int, body: bytes) -> str:
    """Return the signature of a request.

    Source: Standard Webhooks 1.0, "Signature scheme" (symmetric).
    """
    signed = f"{message_id}.{second}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
