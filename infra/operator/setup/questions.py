"""The questions of the first set-up, each with a default, repeated until its answer is valid."""

from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Protocol

from domain.strategies.registry import BUILT_IN
from infra.operator.setup.answers import Answers, known_instruments
from infra.settings.sections.assets import AssetSettings
from infra.venues.modes import Mode

_MODES = tuple(mode for mode in Mode if mode is not Mode.REPLAY)
_STRATEGY = AssetSettings.model_fields["strategy"].default
_PAIRS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
_LEAST_USDT, _MOST_USDT = 1, 10**12


class Ask(Protocol):
    """Asks the user at the terminal."""

    def __call__(self, question: str, default: str, *, is_secret: bool = False) -> str:
        """Return the answer, or the default if it was empty.

        Raises:
            ConfigError: there are no more answers.
        """
        ...


def ask_all(ask: Ask, tell: Callable[[str], None]) -> Answers:
    """Ask everything.

    Args:
        ask: asks one question.
        tell: says why a question is repeated.

    Raises:
        ConfigError: there are no more answers.
    """
    mode = _until(ask, tell, f"Mode: {', '.join(_MODES)}", Mode.SIM.value, _one_of(_MODES))
    strategy = _until(
        ask, tell, f"Strategy: {', '.join(BUILT_IN)}", _STRATEGY, _one_of(tuple(BUILT_IN))
    )
    pairs = _until(ask, tell, "Pairs, separated by commas", ",".join(_PAIRS), _symbols)
    capital = _until(ask, tell, "Capital in USDT; all: the whole wallet", "all", _capital)
    return Answers(
        mode=mode,
        strategy=strategy,
        symbols=pairs.split(","),
        total_capital=None if capital == "all" else capital,
        secrets=dict(_secrets(ask, tell, Mode(mode))),
    )


def _secrets(ask: Ask, tell: Callable[[str], None], mode: Mode) -> Iterator[tuple[str, str]]:
    if mode.has_account:
        tell(f"The key of the {mode} account: it may trade contracts, and must not withdraw.")
        for name in ("BYBIT_API_KEY", "BYBIT_API_SECRET"):
            yield name, _until(ask, tell, name, "", _some_text, is_secret=True)
    token = _until(ask, tell, "Telegram bot token; empty: none", "", _any_text, is_secret=True)
    if token:
        yield "TELEGRAM_BOT_TOKEN", token
        yield (
            "TELEGRAM_ADMIN_CHAT_ID",
            _until(ask, tell, "Telegram chat id of your chat with it", "", _chat),
        )


def _until(
    ask: Ask,
    tell: Callable[[str], None],
    question: str,
    default: str,
    check: Callable[[str], str],
    *,
    is_secret: bool = False,
) -> str:
    while True:
        try:
            return check(ask(question, default, is_secret=is_secret).strip())
        except ValueError as error:
            tell(str(error))


def _one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in names:
            raise ValueError(f"expected one of {', '.join(names)}, found {text[:40]}")
        return text

    return check


def _symbols(text: str) -> str:
    known = known_instruments()
    found = list(dict.fromkeys(part.strip().upper() for part in text.split(",") if part.strip()))
    unknown = [symbol for symbol in found if symbol not in known]
    if unknown or not found:
        raise ValueError(
            f"expected some of {', '.join(known)}, found {', '.join(unknown)[:80] or 'none'}; "
            "docs/pairs.md says how others are added afterwards"
        )
    return ",".join(found)


def _capital(text: str) -> str:
    if text == "all":
        return text
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(0)
    if not _LEAST_USDT <= number <= _MOST_USDT:
        raise ValueError(f"expected all, or a number of USDT above 1, found {text[:40]}")
    return f"{number:f}"


def _chat(text: str) -> str:
    if not text.removeprefix("-").isdecimal():
        raise ValueError(f"expected a number, found {text[:40] or 'nothing'}")
    return text


def _any_text(text: str) -> str:
    if not all("!" <= letter <= "~" for letter in text):
        raise ValueError("expected printable text without spaces; what was typed is not shown")
    return text


def _some_text(text: str) -> str:
    if not text:
        raise ValueError("expected a value, found nothing")
    return _any_text(text)
