"""The kinds of single values: each parses text into a value, or says what is allowed."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches

from pydantic import BeforeValidator, SecretStr
from pydantic_core import PydanticCustomError

REFUSED = "refused"
"""Type of the errors made here; their message says what is allowed."""
REFUSED_SECRET = "refused_secret"  # noqa: S105 (a type of error)
"""The same if the value must not be shown."""

ALLOWED_FLAGS = "true or false"
ALLOWED_REDIS = "redis://USER:PASSWORD@HOST:PORT/DB, or rediss:// for TLS"
_FLAGS = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(
    ("false", "no", "off", "0"), False
)

_LONGEST_NUMBER = 40
_NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")

Guess = Callable[[Decimal], tuple[str, Decimal] | None]
"""Says what a refused number looks like, and which number was probably meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a field accepts, for the configuration reference."""

    unit: str
    allowed: str


_UNITS = {
    "a fraction": "fraction",
    "a multiple of the balance": "times the balance",
    "a leverage": "notional / margin",
    "a number of basis points": "basis points",
    "above zero": "",
    "count": "",
    "seed": "",
}
"""Units by the kind of a number, or by what is in its brackets if that is not a unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Number:
    """A number in a range."""

    kind: str
    low: Decimal
    high: Decimal
    guess: Guess | None = None
    whole: bool = False
    zero: bool = False
    """0 is allowed too, below `low`."""

    def __call__(self, value: object) -> Decimal | int:
        number = _parse(value)
        if number is None or not self._allows(number):
            raise _refused(self._allowed() + self._likely_cause(value))
        return int(number) if self.whole else Decimal(f"{number:f}")

    def described(self) -> Described:
        kind, _, bracket = self.kind.partition(" (")
        unit = bracket.removesuffix(")").removesuffix(", or null")
        unit = _UNITS.get(kind) or _UNITS.get(unit, unit)
        whole = "whole, " if self.whole else ""
        zero = "0, or " if self.zero else ""
        return Described(unit=unit, allowed=f"{whole}{zero}{self.low:f} to {self.high:f}")

    def _allows(self, number: Decimal) -> bool:
        if not self.low <= number <= self.high:
            return self.zero and number == 0
        return not self.whole or number == number.to_integral_value()

    def _allowed(self) -> str:
        return f"{'0, or ' if self.zero else ''}{self.kind} from {self.low:f} to {self.high:f}"

    def _likely_cause(self, value: object) -> str:
        if not isinstance(value, str):
            return ""
        rewritten = value.strip()
        if re.fullmatch(r"[0-9]+,[0-9]+", rewritten, re.ASCII):
            return f" (write it with a point: {_short(rewritten.replace(',', '.'))})"
        percent = _parse(rewritten.removesuffix("%").rstrip()) if "%" in rewritten else None
        if percent is not None:
            return self._suggest(f"{rewritten} is a percentage", percent / 100)
        number = _parse(rewritten)
        guessed = self.guess(number) if self.guess and number is not None else None
        return self._suggest(f"{rewritten} looks like {guessed[0]}", guessed[1]) if guessed else ""

    def _suggest(self, cause: str, meant: Decimal) -> str:
        if not self._allows(meant):
            return ""
        return f" ({cause}: write {round(meant, 10).normalize():f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class _OneOf:
    """One of a few names, in any case."""

    names: tuple[str, ...]

    def described(self) -> Described:
        return Described(unit="", allowed=", ".join(map(str, self.names)))

    def __call__(self, value: object) -> str:
        name = value.upper() if isinstance(value, str) else ""
        if name in self.names:
            return name
        near = get_close_matches(name[:_LONGEST_NUMBER], self.names, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        allowed = f"one of {', '.join(self.names)}{hint}"
        raise _refused(allowed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _NameOrForm:
    """One of a few names exactly, or text of one form."""

    names: tuple[str, ...]
    form: re.Pattern[str]
    form_in_words: str

    def described(self) -> Described:
        return Described(unit="", allowed=f"{', '.join(self.names)}, or {self.form_in_words}")

    def __call__(self, value: object) -> str:
        if isinstance(value, str) and (value in self.names or self.form.fullmatch(value)):
            return value
        near = get_close_matches(str(value)[:_LONGEST_NUMBER].lower(), self.names, n=1, cutoff=0.5)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise _refused(f"{', '.join(self.names)}, or {self.form_in_words}{hint}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """Text of one form."""

    form: re.Pattern[str]
    allowed: str
    shown: bool

    def described(self) -> Described:
        return Described(unit="", allowed=self.allowed.removesuffix(", or null"))

    def __call__(self, value: object) -> str:
        if not isinstance(value, str) or not self.form.fullmatch(value):
            raise _refused(self.allowed, shown=self.shown)
        return value


def number(kind: str, low: str, high: str) -> BeforeValidator:
    """Return a check for a number; `kind` names its unit."""
    return BeforeValidator(_Number(kind=f"a number ({kind})", low=Decimal(low), high=Decimal(high)))


def whole(kind: str, low: int, high: int) -> BeforeValidator:
    """Return a check for a whole number; `kind` names its unit."""
    what = f"a whole number ({kind})"
    return BeforeValidator(_Number(kind=what, low=Decimal(low), high=Decimal(high), whole=True))


def fraction(low: str, high: str) -> BeforeValidator:
    """Return a check for a fraction, which recognizes a percentage."""
    return _guessing("a fraction", _percentage, low, high)


def multiple_of_balance(low: str, high: str) -> BeforeValidator:
    """Return a check for a multiple of the balance, which may be above 1."""
    return _guessing("a multiple of the balance", _percentage, low, high)


def leverage(high: str) -> BeforeValidator:
    """Return a check for a leverage of 1 or more."""
    return _guessing("a leverage (notional / margin)", _inverse, "1", high)


def basis_points(low: str, high: str) -> BeforeValidator:
    """Return a check for basis points, or null; it recognizes a fraction."""
    return _guessing("a number of basis points", _fraction_of_one, low, high, zero=True)


def one_of(names: Iterable[str]) -> BeforeValidator:
    """Return a check for one of a few names."""
    return BeforeValidator(_OneOf(names=tuple(names)))


def name_or(names: Iterable[str], form: str, form_in_words: str) -> BeforeValidator:
    """Return a check for one of a few names, or text of the form of a regular expression."""
    check = _NameOrForm(
        names=tuple(names), form=re.compile(form, re.ASCII), form_in_words=form_in_words
    )
    return BeforeValidator(check)


def text(form: str, allowed: str, *, shown: bool = True) -> BeforeValidator:
    """Return a check for text.

    Args:
        form: regular expression.
        allowed: the same in words.
        shown: whether an error may show what was found.
    """
    return BeforeValidator(_Text(form=re.compile(form, re.ASCII), allowed=allowed, shown=shown))


def flag(value: object) -> bool:
    """Return the flag that YAML or an environment variable writes as true or false."""
    known = _FLAGS.get(value.lower()) if isinstance(value, str) else None
    if known is None:
        raise _refused(ALLOWED_FLAGS)
    return known


def secret(value: object) -> SecretStr:
    """Return a secret, which is never shown in errors or by `repr`."""
    if isinstance(value, str) and re.fullmatch(r"[!-~]+", value):
        return SecretStr(value)
    allowed = "printable text without spaces, or null"
    raise _refused(allowed, shown=False)


def secret_url(value: object) -> SecretStr:
    """Return an http(s) address, which is never shown in errors or by `repr`."""
    if isinstance(value, str) and re.fullmatch(r"https?://[!-~]+", value):
        return SecretStr(value)
    raise _refused("an http(s) address, or null", shown=False)


def redis_url(value: object) -> SecretStr:
    """Return a Redis address, which is never shown in errors or by `repr`."""
    if isinstance(value, str) and re.fullmatch(r"rediss?://([!-~]+@)?[^\s?#@]+", value):
        return SecretStr(value)
    raise _refused(f"{ALLOWED_REDIS}, or null", shown=False)


def described(check: object) -> Described | None:
    """Return what a field's check accepts; None if the check is not one of those made here."""
    if check in _FUNCTIONS:
        return Described(unit="", allowed=_FUNCTIONS[check])
    if isinstance(check, _Number | _OneOf | _NameOrForm | _Text):
        return check.described()
    return None


_FUNCTIONS: Mapping[object, str] = {
    flag: ALLOWED_FLAGS,
    secret: "printable text without spaces",
    secret_url: "an http(s) address",
    redis_url: ALLOWED_REDIS,
}


def _guessing(
    kind: str, guess: Guess, low: str, high: str, *, zero: bool = False
) -> BeforeValidator:
    check = _Number(kind=kind, guess=guess, low=Decimal(low), high=Decimal(high), zero=zero)
    return BeforeValidator(check)


def _parse(value: object) -> Decimal | None:
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER or not _NUMBER.fullmatch(value):
        return None
    return Decimal(value)


def _percentage(found: Decimal) -> tuple[str, Decimal]:
    return "a percentage", found / 100


def _inverse(found: Decimal) -> tuple[str, Decimal] | None:
    return ("margin / notional", 1 / found) if 0 < found < 1 else None


def _fraction_of_one(found: Decimal) -> tuple[str, Decimal]:
    return "a fraction", found * 10_000


def _short(value: str) -> str:
    return value[:_LONGEST_NUMBER]


def _refused(allowed: str, *, shown: bool = True) -> PydanticCustomError:
    kind = REFUSED if shown else REFUSED_SECRET
    return PydanticCustomError(kind, "{allowed}", {"allowed": allowed})
