"""Starts the page beside a trading system, and restarts it if it ends; trading never waits."""

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from loguru import logger

from infra.operator.terminal.screen import Screen
from infra.operator.web import links
from infra.operator.web.files import LOG_FILE, read_address
from infra.operator.web.users import read_users
from infra.process.kept import KeptProcess
from infra.secrets.vault import FILE as VAULT_FILE
from infra.settings.sections.operator import WebSettings

_STOP_S = 3.0
_LOOK_S = 0.05
_PAGE_S = 3.0
"""Longest wait of a start for the address of its page."""
_KEPT = (
    *("PATH", "HOME", "LANG", "TZ", "MALLOC_ARENA_MAX"),
    *("CREDENTIALS_DIRECTORY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"),
)
"""Environment variables passed on, beside Python's: the page holds no exchange key. The second row
lets it find the key of an encrypted run directory, which it reads."""


class PageProcess:
    """The page of a run, until it is closed."""

    def __init__(self, directory: Path, more: Sequence[str]) -> None:
        """Start it in the background.

        Args:
            directory: of the run.
            more: further arguments of `bin/web`.
        """
        self._directory = directory
        words = ["-m", "bin.web", "--run-dir", str(directory.resolve()), *more]
        self._is_closed = threading.Event()
        self._kept = KeptProcess(
            "the page in a browser",
            [sys.executable, *words, "--of", str(os.getpid())],
            _environment(),
            stop_s=_STOP_S,
            log=None if (directory / VAULT_FILE).exists() else directory / LOG_FILE,
        )

    def announcement(self, timeout_s: float, *, is_terminal: bool) -> str | None:
        """Return the line that tells the user where the page is; None: it does not listen in time.

        If there are no passwords yet, it has a login link, or names the file that holds one.
        """
        url = self._url(timeout_s)
        if url is None:
            return None
        try:
            if read_users(self._directory):
                return f"Dashboard: {url}"
            link = links.new_link(self._directory, url)
            if is_terminal:
                return f"Dashboard (the link works once): {link}"
            return f"Dashboard: {url}, login link in {links.leave_link(self._directory, link)}"
        except Exception as error:  # noqa: BLE001 (whatever it is: who trades must not care)
            logger.warning("no login link can be made: {}", error)
            return f"Dashboard: {url}"

    def close(self) -> None:
        self._is_closed.set()
        self._kept.close()

    def _url(self, timeout_s: float) -> str | None:
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s:
            address = read_address(self._directory)
            if address is not None and address.pid == self._kept.pid:
                return address.url
            if self._is_closed.wait(_LOOK_S):
                break
        return None


def show_page(page: PageProcess | None, screen: Screen, events: deque[str]) -> None:
    """Print where the page is; also log it as an event, for the full-screen view."""
    told = page and page.announcement(_PAGE_S, is_terminal=screen.is_terminal)
    if told:
        screen.print(told, highlight=False, soft_wrap=True)
        events.append(told)


def _environment() -> dict[str, str]:
    return {
        name: text
        for name, text in os.environ.items()
        if name in _KEPT or name.startswith(("PYTHON", "LC_"))
    }


@contextmanager
def page_beside(
    web: WebSettings, directory: Path, settings: Path | None
) -> Iterator[PageProcess | None]:
    """Run the page beside a run, if it is enabled.

    Args:
        web: the section of the settings.
        directory: of the run.
        settings: the settings file, besides settings.yaml.
    """
    if not web.enabled:
        yield None
        return
    more = [] if settings is None else ["--settings", str(settings.resolve())]
    with closing(PageProcess(directory, more)) as page:
        yield page
