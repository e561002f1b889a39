"""The errors that are told apart, by what to do next."""


class TradingError(Exception):
    """Base of every failure this system handles."""


class ConfigError(TradingError):
    """The user's settings or command are wrong: report every mistake and exit."""


class BadDataError(TradingError):
    """Outside data breaks its contract: drop it and fetch it again."""


class OrderRefusedError(TradingError):
    """The venue refused the order: nothing was traded."""


class OrderNotProcessedError(OrderRefusedError):
    """The venue did not even look at the order: it may be sent again as it is."""


class StopPassedError(OrderRefusedError):
    """The venue refused a stop because the price has passed its level: nothing moved."""


class OutcomeUnknownError(TradingError):
    """The order may have been accepted: look up its id before anything else."""


class UnavailableError(TradingError):
    """The venue did not answer a read, which may be retried."""


class UnprovenError(UnavailableError):
    """The venue does not know an order, which might still arrive: look it up again."""


class AccessDeniedError(TradingError):
    """The venue refused our credentials: halt."""


class FencedError(TradingError):
    """A replaced incarnation of an actor tried to act."""


class RightLostError(FencedError):
    """This process may never write its facts again: it ends, and the next one takes over."""


class StaleApprovalError(TradingError):
    """An entry was approved before a protection fired: nothing was stored, nothing is sent."""


class JournalError(TradingError):
    """The journal cannot be used: it is locked, full, damaged or not writable."""


class StrategyError(TradingError):
    """A user's own strategy failed, or broke its contract: stop trading its assets."""
