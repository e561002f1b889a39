"""What a request resulted in, an answer or none, and what either proves."""

import json
from dataclasses import dataclass
from typing import Never

import requests

from domain.errors import AccessDeniedError
from infra.net.errors import UnansweredError
from infra.venues.bybit.errors import (
    AlreadyAcceptedError,
    KeyRefusedError,
    NeverSentError,
    NotProcessedError,
    ReadRefusedError,
    RefusedError,
    UnknownOutcomeError,
)
from infra.venues.bybit.http.send_fence import SendFence
from infra.venues.bybit.shapes.row import Row

HTTP_UNAUTHORIZED, HTTP_FORBIDDEN = 401, 403
_LONGEST_HEADER_PAUSE_S = 3600.0

_DENIED = frozenset(
    {-2015, 10003, 10004, 10005, 10007, 10008, 10009, 10010, 10024, 10027, 10028, 33004}
)
"""Codes for a refused key, signature, permission, address, or whole account."""
_KEY_REFUSED = frozenset({10003, 10004, 10005, 33004})
"""Those of them that concern only the key."""
WRONG_TIME = frozenset({-1, 10002})
TOO_MANY, TOO_MANY_OF_IP = 10006, 10018
_SYMBOL_INVALID, _ROUTE_UNKNOWN, _PARAMETER = 10029, 10017, 10001
_AMBIGUOUS = frozenset({429, 10000, 10014, 10016})
_DUPLICATE_ID = 110072
_PERHAPS_DONE = frozenset({110030, 110079})
"""Codes for a duplicate order id, and for an order that is being processed."""
_UNREAD = WRONG_TIME | {TOO_MANY, TOO_MANY_OF_IP}
_NOT_PROCESSED = frozenset({_PARAMETER, _SYMBOL_INVALID, _ROUTE_UNKNOWN})
_REFUSALS = ((30_000, 39_999), (110_000, 110_999), (3_000_000, 3_999_999))
"""Ranges of business errors: the venue processed the request and did nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The venue's response envelope."""

    code: int
    """Its retCode."""
    text: str
    result: object
    time_ms: int | None
    reset_ms: int | None
    """When the rate limit has room again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoResponse:
    """No readable answer."""

    why: str
    status: int | None = None
    retry_after_s: float = 0.0


class UnreadableError(Exception):
    """The body is not an answer of the venue."""


def read(response: requests.Response) -> Answer:
    """Return an answer's envelope.

    Raises:
        UnreadableError: there is none.
    """
    try:
        raw = json.loads(response.content)
    except (ValueError, RecursionError):
        raw = None
    code = raw.get("retCode") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(code, int) or isinstance(code, bool):
        raise UnreadableError("the answer's body is not readable")
    row = Row("answer", raw)
    headers = Row("headers", dict(response.headers.lower_items()))
    return Answer(
        code=code,
        text=" ".join([row.maybe_text("retMsg") or "", *_reasons(raw)]).strip(),
        result=raw.get("result"),
        time_ms=row.maybe_time_ms("time"),
        reset_ms=headers.maybe_integer("x-bapi-limit-reset-timestamp"),
    )


def _reasons(raw: dict[str, object]) -> list[str]:
    result = raw.get("result")
    rows = Row("result", result).maybe_items("reasons") if isinstance(result, dict) else []
    found = [Row("reason", item).maybe_text("reasonMsg") for item in rows if isinstance(item, dict)]
    return [text for text in found if text is not None]


def why_unanswered(outcome: Answer | NoResponse, retry_after_s: float) -> UnansweredError | None:
    """Return why a read may be repeated; None if it was answered.

    Raises:
        AccessDeniedError: the key or the account is locked out.
        ReadRefusedError: repeating it would get the same answer.
    """
    if isinstance(outcome, NoResponse):
        if outcome.status == HTTP_UNAUTHORIZED:
            raise AccessDeniedError(outcome.why)
        return UnansweredError(outcome.why, retry_after_s=retry_after_s)
    code, text = outcome.code, outcome.text
    if code == 0:
        return None
    if code in _DENIED:
        raise _denied(code, text)
    if code in _AMBIGUOUS | _UNREAD:
        return UnansweredError(f"{code}: {text}", retry_after_s=retry_after_s)
    raise ReadRefusedError(code, text)


def raise_silence(silence: NoResponse, departure: SendFence) -> Never:
    """Raise the error that a missing answer to a change stands for: never sent, or unknown."""
    if silence.status == HTTP_UNAUTHORIZED:
        raise AccessDeniedError(silence.why)
    if not departure.has_left:
        raise NeverSentError(silence.why)
    raise UnknownOutcomeError(silence.why, dead_after_ms=departure.dead_after_ms)


def raise_refusal(answer: Answer, departure: SendFence) -> Never:
    """Raise the error that a code stands for after a change: done before, refused, or unknown."""
    code, text = answer.code, answer.text
    if code == _DUPLICATE_ID:
        raise AlreadyAcceptedError(f"{code}: {text}", code=code)
    if code in _DENIED:
        raise _denied(code, text)
    if code in _UNREAD:
        raise NotProcessedError(code, text)
    is_business = any(low <= code <= high for low, high in _REFUSALS)
    if code in _NOT_PROCESSED or (is_business and code not in _PERHAPS_DONE):
        raise RefusedError(code, text)
    # An unknown code does not prove that nothing was done.
    raise UnknownOutcomeError(f"{code}: {text}", code=code, dead_after_ms=departure.dead_after_ms)


def _denied(code: int, text: str) -> AccessDeniedError:
    if code in _KEY_REFUSED:
        return KeyRefusedError(code, text)
    return AccessDeniedError(f"{code}: {text}")


def header_s(header: str | None) -> float:
    """Return the seconds of a Retry-After header; 0 if there is none."""
    found = Row("headers", {"value": header}).maybe_integer("value")
    return 0.0 if found is None else min(max(float(found), 0.0), _LONGEST_HEADER_PAUSE_S)
