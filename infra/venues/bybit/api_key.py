"""What the API key may do, and whether that is safe."""

from dataclasses import dataclass

from domain.errors import AccessDeniedError
from infra.venues.bybit.errors import ReadRefusedError
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.shapes.account import ApiKeyInfo

_FEW_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReport:
    """A key, judged."""

    info: ApiKeyInfo | None
    """None in demo trading, where the venue does not tell."""
    problems: tuple[str, ...]
    """Why it cannot be used."""
    warnings: tuple[str, ...]
    """What the operator should know."""


def read_key(rest: BybitRest) -> KeyReport:
    """Return what the key may do; nothing is changed.

    Raises:
        AccessDeniedError: the venue refuses the key.
        UnavailableError: the venue does not answer.
        BadDataError: it answers unreadably.
    """
    try:
        info = rest.api_key_info()
    except (ReadRefusedError, AccessDeniedError):
        if not rest.is_demo:
            raise
        text = "demo trading does not tell what the API key may do"
        return KeyReport(info=None, problems=(), warnings=(text,))
    return KeyReport(info=info, problems=_problems(info), warnings=_warnings(info))


def _problems(key: ApiKeyInfo) -> tuple[str, ...]:
    found = []
    if key.can_withdraw:
        found.append("the API key may withdraw: make one without that permission")
    if key.is_read_only:
        found.append("the API key may only read: make one that may trade")
    elif not key.can_trade:
        found.append("the API key lacks the permission for contract orders")
    return tuple(found)


def _warnings(key: ApiKeyInfo) -> tuple[str, ...]:
    found = []
    if not key.ips:
        found.append("the API key is not bound to an IP address")
    if key.days_left is not None and 0 <= key.days_left <= _FEW_DAYS:
        found.append(f"the API key expires in {key.days_left} days")
    return tuple(found)
