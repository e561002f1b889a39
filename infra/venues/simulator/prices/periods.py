"""Candle intervals as named by the exchange, and the periods that they divide time into."""

from datetime import UTC, datetime

MINUTE_MS, DAY_MS = 60_000, 86_400_000
MINUTES = {str(minutes): minutes for minutes in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)}
INTERVALS = frozenset({*MINUTES, "D", "W", "M"})
_FIRST_MONDAY_MS = 4 * DAY_MS
_WEEK_MS = 7 * DAY_MS


def period_start_ms(interval: str, time_ms: int) -> int:
    """Return the start of the period of an interval that contains a time; weeks begin on Monday."""
    if interval == "M":
        day = datetime.fromtimestamp(time_ms / 1000, UTC).date()
        return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp() * 1000)
    if interval == "W":
        return (time_ms - _FIRST_MONDAY_MS) // _WEEK_MS * _WEEK_MS + _FIRST_MONDAY_MS
    length_ms = DAY_MS if interval == "D" else MINUTES[interval] * MINUTE_MS
    return time_ms // length_ms * length_ms


def period_end_ms(interval: str, start_ms: int) -> int:
    """Return the end, exclusive, of the period that begins at a time."""
    if interval == "M":
        return period_start_ms("M", start_ms + 31 * DAY_MS)
    if interval == "W":
        return start_ms + _WEEK_MS
    return start_ms + (DAY_MS if interval == "D" else MINUTES[interval] * MINUTE_MS)
