"""Errors of Bybit: domain errors with details that only the venue's answer holds."""

from domain.errors import (
    AccessDeniedError,
    BadDataError,
    OrderNotProcessedError,
    OrderRefusedError,
    OutcomeUnknownError,
    UnavailableError,
)

_TRIGGER_PASSED = frozenset({110092, 110093})


class RefusedError(OrderRefusedError):
    """The venue definitely refused an order or a setting: nothing was done."""

    def __init__(self, code: int, text: str) -> None:
        """Keep the venue's code and text."""
        super().__init__(f"{code}: {text}")
        self.code = code
        """The venue's retCode."""
        self.text = text

    @property
    def is_stop_passed(self) -> bool:
        """Tell whether a stop loss was refused because the price has passed its level."""
        is_wrong_side = self.text.startswith("StopLoss") and " set for " in self.text
        return self.code in _TRIGGER_PASSED or is_wrong_side


class NotProcessedError(RefusedError, OrderNotProcessedError):
    """The venue refused the request unread: our time was wrong, or there were too many requests."""


class UnknownOutcomeError(OutcomeUnknownError):
    """A request was sent, and its outcome is not known."""

    def __init__(
        self, message: str, *, code: int | None = None, dead_after_ms: int | None = None
    ) -> None:
        """Keep what helps to prove that the request never arrived."""
        super().__init__(message)
        self.code = code
        """The venue's retCode, if there was one."""
        self.dead_after_ms = dead_after_ms
        """The venue's time after which it no longer accepts the request: look-ups made later prove
        its absence. None if nothing can arrive any more."""


class NeverSentError(UnknownOutcomeError):
    """No byte of the request left this machine, so nothing can have happened."""


class AlreadyAcceptedError(UnknownOutcomeError):
    """The venue knows the client order id from an earlier send: look the order up."""


class KeyRefusedError(AccessDeniedError):
    """The venue refuses the API key itself: unknown, wrongly signed, not permitted or expired."""

    def __init__(self, code: int, text: str) -> None:
        """Keep the venue's code."""
        super().__init__(f"{code}: {text}")
        self.code = code


class ReadRefusedError(UnavailableError):
    """The venue definitely refused a read: repeating it would get the same answer."""

    def __init__(self, code: int, text: str) -> None:
        """Keep the venue's code and text."""
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class UnlistedError(BadDataError):
    """The venue's list of perpetuals was read and does not have the symbol."""
