"""Where people read what the notifier tells."""

from loguru import logger

_LEVELS = {
    "regime": "DEBUG",
    "refused": "DEBUG",
    "actor": "INFO",
    "entry": "INFO",
    "exit": "INFO",
    "risk": "WARNING",
    "suspended": "WARNING",
}


class LogChannel:
    """Notifications as log lines."""

    def send(self, kind: str, text: str) -> None:
        """Log a notification."""
        logger.bind(kind=kind).log(_LEVELS[kind], text)
