"""Finds variables that are set but never read, so that none is silently ignored."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from domain.text import plain
from infra.settings.environment import read_dotenv, read_names
from infra.settings.sections.exchange import ExchangeSettings
from infra.settings.tree import Node

_OURS = ("BYBIT_", "TELEGRAM_", "POSTGRES_", "REDIS_", "MAX_", "DATABASE_")
"""Prefixes of names meant for a trading system, in an environment full of others."""
_LIVE_TRADING = "LIVE_TRADING"


def unread(environ: Mapping[str, str], dotenv: Path | None) -> Iterator[str]:
    """Yield a line for each unread variable of .env, and each unread one that looks like ours.

    Args:
        environ: the process's environment.
        dotenv: a file that can be read.
    """
    known = read_names()
    written = {} if dotenv is None else read_dotenv(dotenv)
    for name, node in written.items():
        if name == _LIVE_TRADING:
            yield f"{_line(node)}: {name} does not count there: set it where the run is started"
        elif name not in known:
            yield f"{_line(node)}: nothing reads {plain(name)}; .env.example has all names"
    for name in sorted(environ):
        if name.startswith(_OURS) and name not in known and environ[name]:
            yield f"nothing reads the variable {plain(name)}; .env.example has all names"


def _line(node: Node) -> str:
    return f"{node.place.file}:{node.place.line}"


def other_account(exchange: ExchangeSettings, mode: str, *, has_account: bool) -> Iterator[str]:
    """Yield warnings for variables that mark an account while the mode trades without one."""
    for name in ("testnet", "demo"):
        if not has_account and getattr(exchange, name):
            yield (
                f"BYBIT_{name.upper()} is true, and --mode {mode} trades at no account of Bybit: "
                f"--mode {name} does"
            )
