"""Lists in the exchange's form: newest first, in windows of seven days, page by page."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from domain.market.instruments import DAY_MS
from infra.venues.simulator import refusals
from infra.venues.simulator.rest.params import Params

Row = TypeVar("Row")
_WINDOW_MS = 7 * DAY_MS


def page(
    rows: Sequence[Row],
    params: Params,
    *,
    limit: int,
    most: int,
    seq: Callable[[Row], int],
    shape: Callable[[Row], dict[str, Any]],
) -> dict[str, Any]:
    """Return one page and the cursor of the next; even the last page has one, an empty page none.

    Args:
        rows: oldest first.
        params: with `limit` and `cursor`.
        limit: rows by default.
        most: largest allowed limit.
        seq: a row's number; rising and constant.
        shape: a row's JSON.
    """
    count = params.integer("limit", limit) or limit
    if not 0 < count <= most:
        count = most
    before = _before(params.text("cursor"))
    newest = [row for row in reversed(rows) if before is None or seq(row) < before]
    shown = newest[:count]
    cursor = quote(f"page_token={seq(shown[-1])}&", safe="") if shown else ""
    return {
        "list": [shape(row) for row in shown],
        "nextPageCursor": cursor,
        "category": "linear",
    }


def part(
    rows: Sequence[Row], params: Params, *, limit: int, most: int, is_last_named: bool = False
) -> tuple[list[Row], str]:
    """Return the rows of one page in their own order, and the cursor of the next, if any.

    Args:
        rows: of all pages.
        params: with `limit` and `cursor`.
        limit: rows by default.
        most: largest allowed limit.
        is_last_named: whether the last page also has a cursor, to an empty page.

    Raises:
        RefusedError: the limit or the cursor is invalid.
    """
    count = params.integer("limit", limit) or limit
    if not 0 < count <= most:
        raise refusals.invalid("limit")
    cursor = params.text("cursor")
    number = unquote(unquote(cursor)).removeprefix("first=").rstrip("&")
    if cursor and not number.isdigit():
        raise refusals.invalid("cursor")
    first = int(number or 0)
    after = first + count
    shown = list(rows[first:after])
    has_next = bool(shown) if is_last_named else len(rows) > after
    return shown, quote(f"first={after}&", safe="") if has_next else ""


def window(params: Params, now_ms: int) -> tuple[int, int]:
    """Return the first and last ms requested by a client, by default of the last seven days.

    Raises:
        RefusedError: more than seven days.
    """
    begin, end = params.integer("startTime"), params.integer("endTime")
    if begin is None and end is None:
        return now_ms - _WINDOW_MS, now_ms
    if begin is None:
        return (end or 0) - _WINDOW_MS, end or 0
    if end is None:
        return begin, begin + _WINDOW_MS
    if end - begin > _WINDOW_MS:
        raise refusals.wrong("The time range between startTime and endTime must be within 7 days")
    return begin, end


def _before(cursor: str) -> int | None:
    # Clients return a cursor URL-quoted once, twice or not at all.
    plain = cursor
    for _ in range(3):
        plain = unquote(plain)
    if not plain:
        return None
    number = plain.removeprefix("page_token=").rstrip("&")
    if not number.isdigit():
        raise refusals.invalid("cursor")
    return int(number)
