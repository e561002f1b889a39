"""Failures of communication with a venue."""

from domain.errors import UnavailableError


class UnansweredError(UnavailableError):
    """The venue did not answer, or not yet: try again later."""

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        """Keep when a retry makes sense."""
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds from now; 0 if the venue did not say."""
