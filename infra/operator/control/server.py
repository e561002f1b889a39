"""The HTTP server of the control interface: a thread with lower priority than trading."""

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from loguru import logger
from starlette.routing import BaseRoute

from domain.errors import ConfigError
from domain.operator.commands import Command
from domain.operator.replies import Reply
from infra.operator.control.minute_log import MinuteLog
from infra.operator.control.tally import Tally
from infra.operator.control.token import (
    PAGE_TOKEN_FILE,
    ControlAddress,
    check_address_file,
    forget_address,
    own_token,
    write_address,
)
from infra.settings.sections.operator import ControlSettings

_NICENESS = 10
_CLOSE_S = 5.0
_BACKLOG = 4096
"""Connections that the kernel queues until accepted; in a flood the operator's is among them."""


class ControlServer:
    """Listens until it is closed."""

    def __init__(
        self,
        settings: ControlSettings,
        directory: Path,
        answer: Callable[[str, Command, bool], Reply],
        note_access: Callable[[str, str, str], None],
        routes: Iterable[BaseRoute] = (),
        tally: Tally | None = None,
    ) -> None:
        """Bind the port; slow imports run in the background.

        Args:
            settings: host and port.
            directory: of the run; receives the token and the address.
            answer: carries out commands.
            note_access: informed of refused requests.
            routes: additional ones, not for the operator.
            tally: counts all requests; None: not counted.

        Raises:
            ConfigError: the token or the port cannot be used.
        """
        self._settings = settings
        self._directory = directory
        self._answer = answer
        self._note_access = note_access
        self._routes = routes
        self._tally = tally or Tally()
        self._token = own_token(directory)
        self._page_token = _page_token(directory)
        check_address_file(directory)
        place = (settings.host, settings.port)
        try:
            self._socket = socket.create_server(place, backlog=_BACKLOG)
        except OSError as error:
            raise ConfigError(
                f"control.host and control.port: {place[0]}:{place[1]} cannot be listened on: "
                f"{error.strerror}; choose another port, or 0 for any free one"
            ) from error
        self._close: Callable[[], None] = lambda: None
        self._is_closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        # Early, before anything else takes the last of a full disk; clients wait for the thread.
        self._tell_address()
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        with self._lock:
            self._is_closed = True
            self._close()
        self._thread.join(_CLOSE_S)
        self._socket.close()
        forget_address(self._directory)

    def _tell_address(self) -> None:
        host, port = self._socket.getsockname()[:2]
        address = ControlAddress(host=host, port=port, pid=os.getpid())
        try:
            write_address(self._directory, address)
        except OSError as error:  # clients that know the port can still use it
            logger.error("{} cannot be written for bin/ctl: {}", address.url, error.strerror)
        logger.info("commands are accepted at {}", address.url)

    def _run(self) -> None:
        try:
            self._serve()
        except Exception:  # noqa: BLE001 (trading goes on without it, but nobody must wonder why)
            logger.opt(exception=True).error("the control interface has failed and is gone")

    def _serve(self) -> None:
        # Costly to import.
        from infra.operator.control.api import make_app  # noqa: PLC0415
        from infra.operator.control.serving import make_server, serve  # noqa: PLC0415

        log = MinuteLog("the control interface", _call_later)
        host = self._socket.getsockname()[0]
        app = make_app(
            self._answer,
            self._token,
            page_token=self._page_token,
            per_second=self._settings.requests_per_second,
            hosts=_bracketed(host, self._settings.host, *self._settings.allowed_hosts),
            note_access=self._note_access,
            tally=self._tally,
            tell=log.add,
            routes=self._routes,
        )
        server = make_server(app)
        # Not before: on a busy machine the imports above would keep everybody waiting for minutes.
        _give_way()
        with self._lock:
            if self._is_closed:
                return
            self._close = lambda: setattr(server, "should_exit", True)
        asyncio.run(serve(server, self._socket, log))


def _page_token(directory: Path) -> str | None:
    """Return the token of the web page; None if there is none to be had: trading goes on."""
    try:
        return own_token(directory, PAGE_TOKEN_FILE)
    except (ConfigError, OSError) as error:
        logger.warning("the page in a browser cannot ask the system: {}", error)
        return None


def _bracketed(*hosts: str) -> list[str]:
    """Return hosts as written in a Host header."""
    return [f"[{host}]" if ":" in host else host for host in hosts]


def _call_later(delay_s: float, function: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(delay_s, function)


def _give_way() -> None:
    """Lower the priority of this thread, and of those that it starts."""
    if sys.platform == "linux":  # Linux has a niceness per thread
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
