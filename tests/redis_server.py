"""A server of Redis of the tests' own: a real process on a port of its own, killed at will."""

import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.operator.health.tools import tool

START_S = 30


class RedisServer:
    """One server that syncs each command to its file, so that a kill loses nothing."""

    def __init__(self, folder: Path) -> None:
        """Choose a port; it does not run yet."""
        self._program = tool("redis-server", "redis-server")
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        return {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(self.port)}

    def start(self) -> None:
        """Run it, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                self._program,
                *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
                *("--save", "", "--appendonly", "yes", "--appendfsync", "always"),
            ],
            stdout=subprocess.DEVNULL,
        )
        for _ in range(START_S * 20):
            try:
                self.client().ping()
            except (redis.ConnectionError, redis.TimeoutError):
                assert self._process.poll() is None
                threading.Event().wait(0.05)
            else:
                return
        raise AssertionError

    def client(self) -> redis.Redis:
        """Return a consumer's connection."""
        return redis.Redis(port=self.port, decode_responses=True)

    def kill(self) -> None:
        """End it as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait(START_S)

    def freeze(self) -> None:
        """Let it take connections and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    server = RedisServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
