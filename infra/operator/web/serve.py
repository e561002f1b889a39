"""The page's process: takes its lock and port, and serves until told to stop or not needed."""

import asyncio
import faulthandler
import os
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from loguru import logger

from domain.errors import ConfigError
from infra.operator.control.token import read_address as read_system_address
from infra.operator.web.access import AccessLog
from infra.operator.web.app import Page, make_app
from infra.operator.web.door import DoorRules
from infra.operator.web.files import (
    LOCK_FILE,
    LOG_FILE,
    PageAddress,
    open_private,
    read_address,
    write_address,
)
from infra.operator.web.hub import Hub
from infra.operator.web.jobs import Jobs
from infra.operator.web.login import Logins
from infra.operator.web.sessions import Sessions
from infra.process.locks import FileLock
from infra.secrets.vault import FILE as VAULT_FILE
from infra.settings.sections.operator import WebSettings

_NICENESS = 10
_MOST_CONNECTIONS = 256
_HUNG_S = 30.0
_ALONE_S = 900.0
"""How long a page without viewers outlives its killed system."""
_RETRY_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """The options of the command line."""

    directories: Sequence[Path]
    """Directories of the runs; the first holds sessions, passwords and the access file."""
    settings: WebSettings
    parent: int | None = None
    """Process id of the system that started this one; None: it was started separately."""


def serve(options: PageOptions, announce: Callable[[str], None]) -> None:
    """Serve the page until SIGTERM or Ctrl-C.

    Args:
        options: of the command line.
        announce: called with the address once it listens.

    Raises:
        ConfigError: it cannot be served.
    """
    _give_way()
    home = options.directories[0]
    lock = _lock(home, options.parent)
    try:
        _log_to(home / LOG_FILE)
        listening = _listen(options.settings, home)
        port = listening.getsockname()[1]
        url = _url(options.settings, port)
        # Before the address is known: a link made afterwards must not be replaced by this one.
        announce(url)
        _tell_address(home, PageAddress(url=url, port=port, pid=os.getpid()))
        asyncio.run(_serve(options, listening))
    except OSError as error:
        raise ConfigError(f"{home}: the page cannot use it: {error.strerror}") from error
    finally:
        lock.release()


async def _serve(options: PageOptions, listening: socket.socket) -> None:
    home, settings = options.directories[0], options.settings
    access = AccessLog(home)
    sessions = Sessions(home, settings.idle_minutes * 60.0)
    hubs = {name: Hub(path, name) for name, path in named(options.directories).items()}
    page = Page(
        hubs=hubs,
        sessions=sessions,
        logins=Logins(home, sessions, access, is_secure=settings.behind_tls),
        access=access,
        jobs=Jobs(home, {name: hub.directory for name, hub in hubs.items()}),
    )
    hosts = [host.lower() for host in (settings.host, *settings.allowed_hosts)]
    app = make_app(page, DoorRules(hosts=hosts, is_behind_tls=settings.behind_tls))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        http="h11",
        ws="websockets-sansio",
        ws_max_size=1024,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
        proxy_headers=False,
        server_header=False,
    )
    server = uvicorn.Server(config)
    watching = asyncio.create_task(_watch(server, options.parent, hubs.values()))
    await server.serve(sockets=[listening])
    watching.cancel()
    access.close()


async def _watch(server: uvicorn.Server, parent: int | None, hubs: Collection[Hub]) -> None:
    """End this process if its loop hangs, or if the system that started it is long gone."""
    orphaned_s: float | None = None
    while True:
        faulthandler.dump_traceback_later(_HUNG_S, exit=True)
        await asyncio.sleep(1)
        if parent is None or os.getppid() == parent:
            continue
        now_s = time.monotonic()
        if orphaned_s is None or any(hub.system.watchers for hub in hubs):
            orphaned_s = now_s
        is_gone = not all(hub.directory.is_dir() for hub in hubs)
        if is_gone or _is_followed(parent, hubs) or now_s - orphaned_s > _ALONE_S:
            server.should_exit = True
            return


def _is_followed(parent: int, hubs: Iterable[Hub]) -> bool:
    """Tell whether another system has replaced the killed one: it has a page of its own."""
    for hub in hubs:
        with suppress(ConfigError):
            address = read_system_address(hub.directory)
            if address is not None and address.pid != parent and hub.system.trouble is None:
                return True
    return False


def named(directories: Sequence[Path]) -> dict[str, Path]:
    """Return runs by their directories' names, numbered if two are the same."""
    found: dict[str, Path] = {}
    for path in directories:
        name = path.resolve().name
        number = sum(each.resolve().name == name for each in found.values())
        found[f"{name}-{number + 1}" if number else name] = path
    return found


def _lock(home: Path, parent: int | None) -> FileLock:
    """Hold the lock of the run's page; a child waits for the page left by a killed system."""
    while True:
        try:
            return FileLock(home / LOCK_FILE, f"{home}: has a page already{_at(home)}")
        except ConfigError:
            if parent is None or os.getppid() != parent:
                raise
            time.sleep(_RETRY_S)


def _at(home: Path) -> str:
    address = read_address(home)
    return "" if address is None else f" at {address.url}"


def _listen(settings: WebSettings, home: Path) -> socket.socket:
    """Return a socket on the configured port, or the previous page's port, or any free one.

    Raises:
        ConfigError: the host's address cannot be used.
    """
    before = read_address(home)
    ports = [settings.port] if settings.port else []
    ports += [] if before is None else [before.port]
    for port in (*ports, 0):
        try:
            return socket.create_server((settings.host, port), backlog=128)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            logger.warning("port {} is not available: {}", port, reason)
    raise ConfigError(f"web.host: {settings.host} cannot be listened on: {reason}")


def _url(settings: WebSettings, port: int) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}"


def _tell_address(home: Path, address: PageAddress) -> None:
    try:
        write_address(home, address)
    except OSError as error:
        logger.warning("the address cannot be written down: {}", error.strerror)


def _log_to(file: Path) -> None:
    """Log to a file, or for an encrypted run to the screen: its directory holds no logs."""
    logger.remove()
    if (file.parent / VAULT_FILE).exists():
        logger.add(sys.stderr, level="INFO", diagnose=False)
        return
    os.close(open_private(file))
    logger.add(file, level="INFO", rotation="5 MB", retention=2, diagnose=False, encoding="utf-8")


def _give_way() -> None:
    """Lower this process's priority."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
