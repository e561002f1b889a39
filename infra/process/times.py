"""Times on the command line."""

from datetime import UTC, datetime

from domain.errors import ConfigError


def read_time(option: str, text: str) -> int:
    """Return an ISO time in ms; UTC if it has no zone.

    Raises:
        ConfigError: it is not an ISO time.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{option} {text}: not an ISO time; write it like 2025-05-01T00:00"
        raise ConfigError(message) from error
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return round(time.timestamp() * 1000)


def show_time(time_ms: int) -> str:
    """Return a readable time, in UTC."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M}"
