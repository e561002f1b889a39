"""What an API key may do, whether that is safe, and whether it can replace another key."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from domain.errors import AccessDeniedError, ConfigError
from infra.venues.bybit.errors import ReadRefusedError
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.shapes.account import ApiKeyInfo

_FEW_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReport:
    """The assessment of a key."""

    info: ApiKeyInfo | None
    """None in demo trading, where the venue does not tell."""
    problems: tuple[str, ...]
    """Why it cannot be used."""
    warnings: tuple[str, ...]
    """Warnings for the operator."""
    missing_ips: tuple[str, ...] = ()
    """Addresses that it should allow, but does not."""


def read_key(rest: BybitRest) -> KeyReport:
    """Return what the key may do; nothing is changed.

    Raises:
        AccessDeniedError: the venue refuses the key.
        UnavailableError: the venue does not answer.
        BadDataError: its answer cannot be read.
    """
    try:
        info = rest.api_key_info()
    except (ReadRefusedError, AccessDeniedError):
        if not rest.is_demo:
            raise
        text = "demo trading does not reveal the permissions of the API key"
        return KeyReport(info=None, problems=(), warnings=(text,))
    expected = () if rest.keys.now is None else rest.keys.now.ips
    missing = tuple(sorted(set(expected) - set(info.ips))) if info.ips else ()
    return KeyReport(
        info=info,
        problems=_problems(info),
        warnings=(*_warnings(info), *_without(missing)),
        missing_ips=missing,
    )


def check_beside(rest: BybitRest, other: BybitRest) -> None:
    """Refuse a key that cannot replace the one in use.

    Args:
        rest: signs with the key in use.
        other: signs with the new one.

    Raises:
        ConfigError: it is of another account, may do too much or too little, or lacks an address.
        UnavailableError: the venue does not answer.
    """
    report, problems = _beside(rest, other)
    if report is not None:
        problems = (*problems, *_without(report.missing_ips))
    if problems:
        raise ConfigError(f"the new key is not used: {'; '.join(problems)}")


def check_asset_keys(rest: BybitRest, others: Mapping[str, BybitRest]) -> tuple[str, ...]:
    """Check the keys of single assets, and return warnings.

    Args:
        rest: signs with the key of the account.
        others: sign with the keys of assets that have their own.

    Raises:
        ConfigError: one is of another account, or may do too much or too little; lists all.
        UnavailableError: the venue does not answer.
    """
    problems, warnings = [], []
    for asset, other in others.items():
        report, found = _beside(rest, other)
        problems += [f"{asset}: {problem}" for problem in found]
        warnings += [] if report is None else [f"{asset}: {text}" for text in report.warnings]
    if problems:
        raise ConfigError(f"the keys of single assets cannot be used: {'; '.join(problems)}")
    return tuple(warnings)


def _beside(rest: BybitRest, other: BybitRest) -> tuple[KeyReport | None, tuple[str, ...]]:
    """Return the assessment of a key, and why it cannot trade the account of another one."""
    try:
        report = read_key(other)
    except AccessDeniedError as error:
        return None, (f"the venue refuses it: {error}",)
    known, new = read_key(rest).info, report.info
    if known is None or new is None or known.uid == new.uid:
        return report, report.problems
    stranger = "it is of another account: balance and limits are those of one"
    return report, (*report.problems, stranger)


def _without(ips: Collection[str]) -> tuple[str, ...]:
    return tuple(f"it does not allow the address {address}" for address in ips)


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
