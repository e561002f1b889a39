"""The kinds of faults."""

from enum import StrEnum


class Kind(StrEnum):
    """What goes wrong."""

    # Faults of one request; `path` says which.
    REQUEST_LOST = "request_lost"
    """The connection drops before the request is read."""
    ANSWER_LOST = "answer_lost"
    """The request is executed, then the connection drops; `hang_s` keeps it open first."""
    ANSWER_LATE = "answer_late"
    """The request is executed, the answer comes after `seconds`."""
    HTTP_STATUS = "http_status"
    """`status` instead of an answer, with a Retry-After of `retry_after_s`; with `processed` the
    request is executed all the same. On a stream's path the handshake is refused."""
    RET_CODE = "ret_code"
    """`code` instead of an answer; with `processed` the request is executed all the same."""
    UNREADABLE_BODY = "unreadable_body"
    """The request is executed, the answer is not JSON."""
    ODD_ANSWER = "odd_answer"
    """The request is executed, a field of the answer holds an unexpected value."""

    # Faults of the network, for a time.
    REFUSE = "refuse"
    """New connections are refused; open ones stay."""
    DOWN = "down"
    """All connections drop and new ones are refused."""
    CUT = "cut"
    """Open streams drop at once; `path` says which."""
    HALF_OPEN = "half_open"
    """Open streams neither send nor answer any more, and are not closed."""

    # Faults of stream messages; `topic` says which.
    MUTE = "mute"
    """Streams pong but send no data."""
    LOSE_CONFIRM = "lose_confirm"
    """The message that ends a candle is not sent."""
    DUPLICATE = "duplicate"
    """A message is sent twice."""
    REORDER = "reorder"
    """A message is sent after the next one."""
    UNREADABLE_MESSAGE = "unreadable_message"
    """A message is cut off in the middle, so it is not JSON."""
    WRONG_TYPES = "wrong_types"
    """The fields of a message hold lists instead of their values."""
    ODD_MESSAGE = "odd_message"
    """A field of a message holds an unexpected value, a different field each time."""
    UNKNOWN_TOPIC = "unknown_topic"
    """A message arrives under a topic that was not subscribed."""
    INSTANT = "instant"
    """Acknowledgements and data come without the usual 5 to 20 ms."""

    # Faults of the exchange itself.
    PARTIAL_FILL = "partial_fill"
    """A market order fills by `fraction` and is canceled."""
    REJECT = "reject"
    """An order is acknowledged, then rejected with `reason`."""
    SLOW_MATCHING = "slow_matching"
    """An acknowledged order waits `seconds` for matching, and no query finds it until then."""
    HISTORY_LAG = "history_lag"
    """Order history omits what is newer than `seconds` of exchange time."""
    FORGET_CLOSED = "forget_closed"
    """order/realtime returns open orders only."""
    THIN_BOOK = "thin_book"
    """Requested order books hold only `fraction` of their usual size, and their sides are further
    apart by `rate` of the price, if it is given."""
    DELISTED = "delisted"
    """A symbol is no longer listed: it accepts no opening orders and has no candles or streams."""
    CLOCK_OFFSET = "clock_offset"
    """The clock that clients see is `ms` ahead; negative: behind."""

    # Acts: done when due; with a probability or for a time, when candles close.
    FUNDING = "funding"
    """Funding is settled now, at `rate`."""
    STOP_REMOVED = "stop_removed"
    """Someone removes a position's stops."""
    POSITION_CLOSED = "position_closed"
    """Someone closes a position."""
    POSITION_OPENED = "position_opened"
    """Someone trades `qty` on `side` (Sell by default)."""
    LIQUIDATION = "liquidation"
    """A position is liquidated."""
    ADL = "adl"
    """A position is auto-deleveraged by `fraction`."""
    PRICE_GAP = "price_gap"
    """The price jumps by `fraction` without trading between."""


ACTS = frozenset(
    {
        Kind.CUT,
        Kind.HALF_OPEN,
        Kind.FUNDING,
        Kind.STOP_REMOVED,
        Kind.POSITION_CLOSED,
        Kind.POSITION_OPENED,
        Kind.LIQUIDATION,
        Kind.ADL,
        Kind.PRICE_GAP,
        Kind.REFUSE,
        Kind.DOWN,
    }
)
"""Faults that are acts, done rather than encountered."""
LASTING = frozenset(
    {
        Kind.MUTE,
        Kind.INSTANT,
        Kind.HISTORY_LAG,
        Kind.FORGET_CLOSED,
        Kind.THIN_BOOK,
        Kind.DELISTED,
        Kind.CLOCK_OFFSET,
    }
)
"""Faults that last until they are cleared, unless requested otherwise."""
REQUESTS = frozenset(
    {
        Kind.REQUEST_LOST,
        Kind.ANSWER_LOST,
        Kind.ANSWER_LATE,
        Kind.HTTP_STATUS,
        Kind.RET_CODE,
        Kind.UNREADABLE_BODY,
        Kind.ODD_ANSWER,
    }
)
"""Faults of one request."""
