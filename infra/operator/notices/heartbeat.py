"""Calls an address every minute while all is well, so that silence raises the alarm outside."""

import http.client
import threading
import urllib.request
from collections.abc import Callable

from loguru import logger

EVERY_S = 60.0
_ANSWER_S = 10.0


class Heartbeat:
    """One thread that calls one address."""

    def __init__(
        self,
        url: str,
        is_well: Callable[[], bool],
        *,
        every_s: float = EVERY_S,
        answer_s: float = _ANSWER_S,
    ) -> None:
        """Prepare the thread; `start` starts it.

        Args:
            url: http or https; it may hold a secret and is never shown.
            is_well: checked before each call.
            every_s: real time between two calls.
            answer_s: how long an answer is waited for.
        """
        self._url = url
        self._is_well = is_well
        self._every_s = every_s
        self._answer_s = answer_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start with the first call."""
        self._thread.start()

    def close(self) -> None:
        """Stop calling; a call under way is not waited for."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._is_well():
                self._call()
            self._stop.wait(self._every_s)

    def _call(self) -> None:
        try:
            with urllib.request.urlopen(self._url, timeout=self._answer_s) as answer:  # noqa: S310 (checked with the settings)
                answer.read(1)
        except (OSError, ValueError, http.client.HTTPException) as error:
            logger.warning("the heartbeat was not accepted: {}", type(error).__name__)
