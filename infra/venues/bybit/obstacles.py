"""Obstacles to trading, collected so that all are reported at once."""

from domain.errors import ConfigError, UnavailableError


class Obstacles:
    """Obstacles of two kinds: those that the user has to remove, and those that may pass."""

    def __init__(self, heading: str) -> None:
        """Start with none; the heading is the first line of the error."""
        self._heading = heading
        self._found: list[str] = []
        self._may_all_pass = True

    def add(self, text: str, *, may_pass: bool = False) -> None:
        """Add an obstacle; `may_pass`: it may be the venue's fault and temporary."""
        self._found.append(f"- {text}")
        self._may_all_pass &= may_pass

    def check(self) -> None:
        """Return if there are none.

        Raises:
            ConfigError: the user has to remove some of them.
            UnavailableError: all may pass.
        """
        if self._found:
            text = "\n".join([self._heading, *self._found])
            raise UnavailableError(text) if self._may_all_pass else ConfigError(text)
