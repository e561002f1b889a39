"""Reports the state of the service to systemd (sd_notify(3)), if systemd has started it."""

import os
import socket
import time
from collections.abc import MutableMapping

from domain.text import plain

_US_PER_S = 1_000_000
_FEEDS_IN_TIME = 4
"""Watchdog notifications per watchdog period of systemd."""


class ServiceManager:
    """One service's connection to systemd. Lost notifications are never an error here."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        """Take over the connection; processes started later do not inherit it.

        Args:
            environ: NOTIFY_SOCKET, a path or @name; WATCHDOG_USEC, the watchdog period;
                WATCHDOG_PID, the process it applies to.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        usec, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        is_fed = usec.isdecimal() and pid in ("", str(os.getpid()))
        self._every_s = int(usec) / _US_PER_S / _FEEDS_IN_TIME if is_fed else None
        self._fed_s: float | None = None

    def ready(self, status: str) -> None:
        """Report that the start is complete; from now on systemd expects watchdog notifications."""
        self._send(f"READY=1\nSTATUS={status}")

    def waiting(self, status: str, for_s: float) -> None:
        """Report that the start takes longer, by how much, and why."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(for_s * _US_PER_S)}\nSTATUS={plain(status)}")

    def feed(self) -> None:
        """Report that the process works; cheap enough for every turn of a loop."""
        now_s = time.monotonic()
        is_early = self._fed_s is not None and now_s - self._fed_s < (self._every_s or 0.0)
        if self._every_s is not None and not is_early:
            self._fed_s = now_s
            self._send("WATCHDOG=1")

    def stopping(self, status: str) -> None:
        """Report that the orderly stop has begun; systemd expects no more notifications."""
        self._send(f"STOPPING=1\nSTATUS={status}")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.setblocking(False)
                line.sendto(text.encode(), self._address)
        except OSError:
            return  # a full or missing socket is systemd's problem, not trading's
