"""Bybit, and the failures at its border: domain errors with what only the venue's answer holds."""

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
    """The venue refused an order or a setting for certain: nothing was done."""

    def __init__(self, code: int, text: str) -> None:
        """Keep the venue's code and words."""
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
    """The venue refused the request unread: our time was wrong, or there were too many."""


class UnknownOutcomeError(OutcomeUnknownError):
    """A request left, and it is not known what became of it."""

    def __init__(
        self, message: str, *, code: int | None = None, dead_after_ms: int | None = None
    ) -> None:
        """Keep what helps to prove that the request never arrived."""
        super().__init__(message)
        self.code = code
        """The venue's retCode, where there was one."""
        self.dead_after_ms = dead_after_ms
        """The venue's time after which it would no longer accept the request: look-ups that were
        made later prove its absence. None where nothing can arrive any more."""


class NeverSentError(UnknownOutcomeError):
    """No byte of the request left this machine: its absence needs no proof."""


class AlreadyAcceptedError(UnknownOutcomeError):
    """The venue knows the client order id from an earlier send: look the order up."""


class KeyRefusedError(AccessDeniedError):
    """The venue refuses the API key itself: unknown, wrongly signed, not permitted or expired."""

    def __init__(self, code: int, text: str) -> None:
        """Keep the venue's code."""
        super().__init__(f"{code}: {text}")
        self.code = code


class ReadRefusedError(UnavailableError):
    """The venue refused a read for certain: the same question gets the same answer."""

    def __init__(self, code: int, text: str) -> None:
        """Keep the venue's code and words."""
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class UnlistedError(BadDataError):
    """The venue's list of perpetuals, which can be read, does not have the symbol."""
