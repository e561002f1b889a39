"""The callbacks of a stream."""

from collections.abc import Callable
from typing import Any

from domain.errors import AccessDeniedError
from infra.net.stream_stats import Tally, words_of

Message = dict[str, Any]
"""A message as the venue sent it."""


class StreamCallbacks:
    """The user's callbacks, whose exceptions cannot end the thread."""

    def __init__(
        self,
        on_message: Callable[[str, Message], None],
        on_connected: Callable[[str, float], None],
        on_lost: Callable[[str, str], None],
        on_denied: Callable[[AccessDeniedError], None] | None,
        tally: Tally,
    ) -> None:
        """Wrap the callbacks, and count what they raise."""
        self._on_message = on_message
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._on_denied = on_denied
        self._tally = tally

    def message(self, topic: str, message: Message) -> None:
        """Pass on a message of a topic."""
        try:
            self._on_message(topic, message)
        except BaseException as error:  # noqa: BLE001 - even SystemExit would end the thread unseen
            self._count(error)

    def connected(self, topic: str, down_s: float) -> None:
        """Report that a topic is live, and for how long it was not."""
        self._guarded(lambda: self._on_connected(topic, down_s))

    def lost(self, topic: str, reason: str) -> None:
        """Report that a topic stopped."""
        self._guarded(lambda: self._on_lost(topic, reason))

    def denied(self, error: AccessDeniedError) -> None:
        """Report that the venue refuses the credentials."""
        on_denied = self._on_denied
        if on_denied is not None:
            self._guarded(lambda: on_denied(error))

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - as above
            self._count(error)

    def _count(self, error: BaseException) -> None:
        self._tally.drop_loudly("callback raised", words_of(error))
