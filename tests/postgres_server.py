"""A cluster of PostgreSQL of the tests' own: on a Unix socket, killed and started again at will."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path

import psutil

from domain.errors import ConfigError
from infra.store.location import PostgresAddress

_PLACES = ("/usr/lib/postgresql/*/bin",)
_NUMBERS = count()
START_S = 60
MISSING = "PostgreSQL is not installed (Debian: apt-get install postgresql)"


@cache
def binaries() -> Path | None:
    """Return where the server's programs are; None where they are not installed."""
    found = sorted(path for place in _PLACES for path in Path("/").glob(place.lstrip("/")))
    if found:
        return found[-1]
    named = shutil.which("initdb")
    return None if named is None else Path(named).resolve().parent


class Cluster:
    """One server with its files."""

    def __init__(self, folder: Path, programs: Path, primary: "Cluster | None" = None) -> None:
        """Make its files; it does not run yet.

        Args:
            folder: of its own.
            programs: of the server.
            primary: a running one, of which it becomes a streaming standby.
        """
        self.folder = folder
        self._programs = programs
        self._data = folder / "data"
        self._server: subprocess.Popen[bytes] | None = None
        # The server refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        self.user = self._user or pwd.getpwuid(os.geteuid()).pw_name
        if self._user is not None:
            shutil.chown(folder, self._user)
        if primary is None:
            self._run("initdb", "-D", str(self._data), "-A", "trust", "-E", "UTF8", "--no-sync")
        else:
            source = ("-h", str(primary.folder), "-U", primary.user)
            self._run("pg_basebackup", "-D", str(self._data), *source, "-R", "-c", "fast")
        settings = {
            "listen_addresses": "''",
            "unix_socket_directories": f"'{folder}'",
            "shared_buffers": "16MB",
            "max_connections": "200",
        }
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(lines)

    def start(self, **settings: str) -> None:
        """Run the server, with settings that its files do not hold, and wait until it answers."""
        options = [f"--{name}={value}" for name, value in settings.items()]
        with (self.folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *options],
                stdout=log,
                stderr=log,
                user=self._user,
                start_new_session=True,
                cwd="/",
            )
        ready = [self._programs / "pg_isready", "-q", "-h", self.folder, "-t", "1"]
        for _ in range(START_S * 20):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            try:
                self._server.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            break
        raise AssertionError((self.folder / "server.log").read_text()[-2000:])

    def kill(self) -> None:
        """Kill the server and all its processes, as a power cut would."""
        server, self._server = self._server, None
        if server is not None:
            # Each has a session of its own; the first one would start the others again.
            processes = [psutil.Process(server.pid)]
            processes += processes[0].children(recursive=True)
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            server.wait(START_S)
            psutil.wait_procs(processes, START_S)

    def promote(self) -> None:
        """Make a primary of a standby, and wait until it takes writes."""
        self._run("pg_ctl", "promote", "-D", str(self._data))

    @contextmanager
    def copying_its_log(self, folder: Path) -> Iterator[None]:
        """Receive the log of changes as a backup does."""
        program = [self._programs / "pg_receivewal", "-D", folder, "-d", self.url()]
        with subprocess.Popen(program, stderr=subprocess.PIPE) as receiver:
            try:
                _wait_for(self, "SELECT FROM pg_stat_replication")
                yield
            finally:
                receiver.terminate()

    def url(self, *others: "Cluster") -> str:
        """Return the address of its database, or of whichever of several takes writes."""
        folders = ",".join(str(one.folder) for one in (self, *others))
        which = "&target_session_attrs=read-write" if others else ""
        return f"postgresql:///postgres?host={folders}&user={self.user}{which}"

    def new_address(self) -> PostgresAddress:
        """Return where a journal may be made."""
        return PostgresAddress(self.url(), f"trading_t{next(_NUMBERS)}")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            check=True,
            user=self._user,
            cwd="/",
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def made_cluster(primary: Cluster | None = None) -> Iterator[Cluster]:
    """Make a cluster and run it; with a primary, as its standby.

    Raises:
        ConfigError: there are no programs for it.
    """
    programs = binaries()
    if programs is None:
        raise ConfigError(MISSING)
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    cluster = Cluster(folder, programs, primary)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.kill()
        shutil.rmtree(folder, ignore_errors=True)


def wait_until_streaming(primary: Cluster) -> None:
    """Wait until a standby has caught up with its primary."""
    _wait_for(primary, "SELECT FROM pg_stat_replication WHERE state = 'streaming'")


def _wait_for(server: Cluster, query: str) -> None:
    import psycopg  # noqa: PLC0415 (optional: chaos runs without a server do without)

    with psycopg.connect(server.url(), autocommit=True) as connection:
        for _ in range(START_S * 20):
            if connection.execute(query).fetchone() is not None:
                return
            connection.execute("SELECT pg_sleep(0.05)")
    raise AssertionError(f"nothing was ever found by: {query}")
