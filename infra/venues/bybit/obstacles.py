"""What stands in the way of trading, collected so that all of it is said at once."""

from domain.errors import ConfigError, UnavailableError


class Obstacles:
    """Obstacles of two kinds: those that the user has to remove, and those that may pass."""

    def __init__(self, heading: str) -> None:
        """Begin with none; the heading is the first line of what is said."""
        self._heading = heading
        self._found: list[str] = []
        self._may_all_pass = True

    def add(self, text: str, *, may_pass: bool = False) -> None:
        """Note one; `may_pass`: it can be the venue's fault, and be gone in a while."""
        self._found.append(f"- {text}")
        self._may_all_pass &= may_pass

    def check(self) -> None:
        """Return where there are none.

        Raises:
            ConfigError: the user has to remove some of them.
            UnavailableError: all may pass.
        """
        if self._found:
            text = "\n".join([self._heading, *self._found])
            raise UnavailableError(text) if self._may_all_pass else ConfigError(text)
