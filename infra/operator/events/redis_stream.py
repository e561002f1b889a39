"""Events on a Redis stream."""

from collections.abc import Sequence

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.typing import EncodableT, FieldT

from domain.text import plain
from infra.operator.delivery import ChannelClosedError, NotDeliveredError
from infra.operator.events.event import Event

_WAIT_S = 5.0
"""Time-out of connecting, and of an answer."""
_MOST = 200
_LONGEST = 200
"""Most characters of an answer that are shown."""
_REFUSED = (redis.AuthenticationError, redis.ResponseError)


class RedisStream:
    """One stream. See `infra.operator.events.publisher.Target`."""

    most = _MOST

    def __init__(self, url: str, password: str | None, stream: str, max_length: int) -> None:
        """Check the address; nothing is connected yet.

        Args:
            url: redis://HOST:PORT/DB, or rediss:// for TLS.
            password: if the address has none.
            stream: its key.
            max_length: approximate number of events kept there.
        """
        more = {} if password is None else {"password": password}
        self._redis = redis.Redis.from_url(
            url,
            socket_connect_timeout=_WAIT_S,
            socket_timeout=_WAIT_S,
            retry=Retry(NoBackoff(), 0),  # the publisher tries again itself
            **more,
        )
        self._stream = stream
        self._max_length = max_length

    def send(self, events: Sequence[Event]) -> None:
        """Add events to the stream, all or none. See `Target`."""
        adding = self._redis.pipeline(transaction=True)
        for event in events:
            adding.xadd(self._stream, _fields(event), maxlen=self._max_length, approximate=True)
        try:
            adding.execute()
        except _REFUSED as error:
            raise ChannelClosedError(f"Redis refuses it: {_why(error)}") from error
        except (redis.RedisError, OSError) as error:
            why = f"Redis does not answer ({type(error).__name__})"
            raise NotDeliveredError(why, may_have_arrived=True) from error

    def close(self) -> None:
        """Let go of the connection."""
        self._redis.close()


def _fields(event: Event) -> dict[FieldT, EncodableT]:
    return {"id": event.event_id, "type": event.kind, "event": event.body}


def _why(error: Exception) -> str:
    """Return the server's message, without the command that the library puts before it."""
    return plain(str(error).rpartition("caused error: ")[2])[:_LONGEST]
