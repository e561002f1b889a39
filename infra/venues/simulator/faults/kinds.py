"""All that can go wrong."""

from enum import StrEnum


class Kind(StrEnum):
    """What goes wrong."""

    # With one request; `path` says with which.
    REQUEST_LOST = "request_lost"
    """The connection drops before the request is read."""
    ANSWER_LOST = "answer_lost"
    """The request is done, then the connection drops; `hang_s` keeps it open first."""
    ANSWER_LATE = "answer_late"
    """The request is done, the answer comes after `seconds`."""
    HTTP_STATUS = "http_status"
    """`status` instead of an answer, saying to come back after `retry_after_s`; with `processed`
    the request is done all the same. On a stream's path the handshake is refused."""
    RET_CODE = "ret_code"
    """`code` instead of an answer; with `processed` the request is done all the same."""
    UNREADABLE_BODY = "unreadable_body"
    """The request is done, the answer is not JSON."""
    ODD_ANSWER = "odd_answer"
    """The request is done, a field of the answer holds something else than it should."""

    # With the network, for a time.
    REFUSE = "refuse"
    """New connections are refused; open ones live on."""
    DOWN = "down"
    """All connections drop and new ones are refused."""
    CUT = "cut"
    """Open streams drop at once; `path` says which."""
    HALF_OPEN = "half_open"
    """Open streams neither send nor answer any more, and are not closed."""

    # With messages of streams; `topic` says with which.
    MUTE = "mute"
    """Streams pong but send no data."""
    LOSE_CONFIRM = "lose_confirm"
    """The message that ends a candle is not sent."""
    DUPLICATE = "duplicate"
    """A message is sent twice."""
    REORDER = "reorder"
    """A message is sent after the next one."""
    UNREADABLE_MESSAGE = "unreadable_message"
    """A message breaks off in the middle: it is not JSON."""
    WRONG_TYPES = "wrong_types"
    """The fields of a message hold lists instead of what they should."""
    ODD_MESSAGE = "odd_message"
    """A field of a message holds something else than it should, another one each time."""
    UNKNOWN_TOPIC = "unknown_topic"
    """A message comes under a topic that nobody has asked for."""
    INSTANT = "instant"
    """Acknowledgements and data come without the usual 5 to 20 ms."""

    # With what the exchange does.
    PARTIAL_FILL = "partial_fill"
    """A market order fills by `fraction` and is canceled."""
    REJECT = "reject"
    """An order is acknowledged, then rejected with `reason`."""
    SLOW_MATCHING = "slow_matching"
    """An acknowledged order waits `seconds` for the matching, and no query finds it until then."""
    HISTORY_LAG = "history_lag"
    """Order history leaves out what is newer than `seconds` of exchange time."""
    FORGET_CLOSED = "forget_closed"
    """order/realtime knows open orders only."""
    THIN_BOOK = "thin_book"
    """Order books that are asked for hold only `fraction` of their usual size, and their sides lie
    `rate` of the price further apart, where it is given."""
    DELISTED = "delisted"
    """A symbol is no longer listed: it opens nothing, has no candles to ask for, and no streams."""
    CLOCK_OFFSET = "clock_offset"
    """The clock that clients see is `ms` ahead; negative: behind."""

    # Acts: done when they are due; with a probability or for a time, at closed candles.
    FUNDING = "funding"
    """Funding is settled now, at `rate`."""
    STOP_REMOVED = "stop_removed"
    """Somebody removes a position's stops."""
    POSITION_CLOSED = "position_closed"
    """Somebody closes a position."""
    POSITION_OPENED = "position_opened"
    """Somebody trades `qty` on `side` (Sell by default)."""
    LIQUIDATION = "liquidation"
    """A position is taken over."""
    ADL = "adl"
    """A position is reduced by `fraction`."""
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
"""Faults that are done rather than met."""
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
"""Faults that last until they are cleared, unless something else is asked for."""
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
