"""Settings that are allowed one by one but contradict each other.

The checks read the merged tree, not the finished settings, so that a contradiction is found in the
same run as a wrong value elsewhere; checks that involve a wrong value are skipped.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from itertools import pairwise

from domain.strategies.registry import EMA_CROSS_SHORT
from infra.settings.asset_checks import of_each_asset, order_of_strategies
from infra.settings.merged import ASSETS, Facts, UnjudgedError
from infra.settings.problems import Key, Problem
from infra.settings.tree import Node

_RISING: tuple[tuple[Key, Key], ...] = (
    (("risk", "drawdown_levels", 0), ("risk", "drawdown_levels", 1)),
    (("portfolio", "coordination_window_ms"), ("strategy", "entry_max_age_ms")),
)
"""Pairs whose first value must be smaller."""

_NOT_FALLING: tuple[tuple[Key, Key], ...] = (
    (("supervision", "backoff_initial_seconds"), ("supervision", "backoff_max_seconds")),
)
"""Pairs whose first value may equal the second, but not be greater."""
_SECRETS: Mapping[Key, str] = {
    ("exchange", "api_key"): "BYBIT_API_KEY",
    ("exchange", "api_secret"): "BYBIT_API_SECRET",
    ("database", "password"): "POSTGRES_PASSWORD",
    ("notifications", "telegram_bot_token"): "TELEGRAM_BOT_TOKEN",
    ("notifications", "discord_url"): "DISCORD_URL",
    ("notifications", "slack_url"): "SLACK_URL",
    ("notifications", "email_url"): "EMAIL_URL",
    ("notifications", "other_url"): "OTHER_URL",
    ("notifications", "heartbeat_url"): "HEARTBEAT_URL",
    ("events", "redis_url"): "REDIS_URL",
    ("events", "redis_password"): "REDIS_PASSWORD",
    ("events", "webhook_url"): "WEBHOOK_URL",
    ("events", "webhook_secret"): "WEBHOOK_SECRET",
}
"""Files are copied, shown and committed, so these come only from the environment."""


def contradictions(tree: Node, wrong: Collection[Key]) -> list[Problem]:
    """Return the contradictions; `wrong` are the keys known to be wrong by themselves."""
    facts = Facts(tree, wrong)
    found: list[Problem] = []
    for check in _CHECKS:
        with suppress(UnjudgedError):
            found.extend(check(facts))
    return found


def _order(facts: Facts) -> Iterator[Problem]:
    yield from facts.out_of_order(_RISING, _NOT_FALLING)


def _drawdown_steps(facts: Facts) -> Iterator[Problem]:
    levels = [(*key, 0) for key in facts.keys(("risk", "drawdown_steps"))]
    yield from facts.out_of_order(tuple(pairwise(levels)), ())
    if levels:
        yield from facts.out_of_order(((("risk", "drawdown_restore_pct"), levels[0]),), ())
    else:
        key = ("risk", "drawdown_steps")
        yield facts.problem(key, "found an empty list; allowed: pairs [drawdown, size], or null")


def _instrument_order(facts: Facts) -> Iterator[Problem]:
    for key in facts.keys(("instruments",)):
        small, large = (*key, "min_order_qty"), (*key, "max_market_order_qty")
        with suppress(UnjudgedError):
            if facts.number(small) > facts.number(large):
                yield facts.conflict(small, f"at most {facts.named(large)}")


def _total_allocation(facts: Facts) -> Iterator[Problem]:
    total = ("portfolio", "total_allocation_pct")
    shares = [facts.effective(key, "allocation_pct") for key in facts.enabled_assets()]
    used = sum((share.value or Decimal(0) for share in shares), Decimal(0))
    if used > facts.number(total):
        counts = Counter(share.named for share in shares)
        parts = ", ".join(f"{n} x {name}" if n > 1 else name for name, n in counts.items())
        allowed = f"at least {used}, the sum of the enabled assets' {parts}"
        yield facts.conflict(total, allowed)


def _some_asset(facts: Facts) -> Iterator[Problem]:
    if not facts.enabled_assets():
        yield facts.problem(ASSETS, "found no enabled asset; allowed: at least one")


def _some_cross(facts: Facts) -> Iterator[Problem]:
    key = ("strategy", "entry_crosses")
    if facts.may_trade(EMA_CROSS_SHORT) and not facts.keys(key):
        yield facts.problem(key, "found an empty list, so nothing is ever opened; allowed: a cross")


def _instrument_of_each_asset(facts: Facts) -> Iterator[Problem]:
    instruments = [key[-1] for key in facts.keys(("instruments",))]
    for key in facts.keys(ASSETS):
        with suppress(UnjudgedError):
            symbol = facts.text((*key, "symbol"))
            if facts.is_enabled(key) and symbol not in instruments:
                allowed = f"a symbol of `instruments`: {', '.join(map(str, instruments))}"
                yield facts.conflict((*key, "symbol"), allowed)


def _symbols_once(facts: Facts) -> Iterator[Problem]:
    first: dict[str, Key] = {}
    for key in facts.keys(ASSETS):
        with suppress(UnjudgedError):
            symbol = facts.text((*key, "symbol"))
            if symbol in first:
                allowed = f"each symbol once; it is {facts.named((*first[symbol], 'symbol'))}"
                yield facts.conflict((*key, "symbol"), allowed)
            first.setdefault(symbol, key)


def _funding_on_candles(facts: Facts) -> Iterator[Problem]:
    interval, candle = ("replay", "funding_interval_hours"), ("strategy", "candle_minutes")
    if facts.number(interval) * 60 % facts.number(candle):
        yield facts.conflict(interval, f"a multiple of {facts.named(candle)}")


def _one_account(facts: Facts) -> Iterator[Problem]:
    testnet, demo = ("exchange", "testnet"), ("exchange", "demo")
    if facts.flag(testnet) and facts.flag(demo):
        yield facts.conflict(demo, f"false beside {facts.named(testnet)}")


def _secrets_from_the_environment(facts: Facts) -> Iterator[Problem]:
    for key, variable in _SECRETS.items():
        place = facts.place_of_text(key)
        if place is not None and not place.variable:
            allowed = f"null, with {variable} set in the environment or in .env"
            yield facts.problem(key, f"found a value that is not shown; allowed: {allowed}")


def _webhook_signed(facts: Facts) -> Iterator[Problem]:
    url, secret = ("events", "webhook_url"), ("events", "webhook_secret")
    if facts.place_of_text(url) is not None and facts.place_of_text(secret) is None:
        allowed = "WEBHOOK_SECRET set together with WEBHOOK_URL, or neither"
        yield facts.problem(secret, f"found nothing; allowed: {allowed}")


def _addresses_together(facts: Facts) -> Iterator[Problem]:
    names = ("rest_url", "public_stream_url", "private_stream_url")
    places = {name: facts.place_of_text(("exchange", name)) for name in names}
    missing = [name for name, place in places.items() if place is None]
    if 0 < len(missing) < len(names):
        key = ("exchange", missing[0])
        yield facts.problem(key, f"found nothing; allowed: all of {', '.join(names)}, or none")


def _clock_of_a_simulation(facts: Facts) -> Iterator[Problem]:
    speed, url = ("exchange", "clock_speed"), ("exchange", "rest_url")
    if facts.number(speed) == 1:
        return
    place = facts.place_of_text(url)
    if place is None or not facts.text(url).startswith("http://"):
        yield facts.conflict(speed, "1, unless exchange.rest_url is on this machine")


def _backup_key(facts: Facts) -> Iterator[Problem]:
    url, key = ("backup", "url"), ("backup", "key")
    if facts.place_of_text(url) is not None and facts.place_of_text(key) is None:
        allowed = "the key that backups are sealed under, because backup.url is set"
        yield facts.problem(key, f"found nothing; allowed: {allowed}")


def _telegram_chat(facts: Facts) -> Iterator[Problem]:
    token, *chats = (
        ("notifications", f"telegram_{name}")
        for name in ("bot_token", "channel_id", "admin_chat_id")
    )
    place = facts.place_of_text(token)
    if place is not None and place.variable and not any(map(facts.place_of_text, chats)):
        needed = "TELEGRAM_CHANNEL_ID or TELEGRAM_ADMIN_CHAT_ID"
        yield facts.problem(token, f"found a token and no chat; allowed: with {needed} beside it")


_CHECKS: tuple[Callable[[Facts], Iterator[Problem]], ...] = (
    _order,
    _drawdown_steps,
    _instrument_order,
    _total_allocation,
    order_of_strategies,
    of_each_asset,
    _some_asset,
    _some_cross,
    _instrument_of_each_asset,
    _symbols_once,
    _funding_on_candles,
    _one_account,
    _secrets_from_the_environment,
    _webhook_signed,
    _addresses_together,
    _clock_of_a_simulation,
    _backup_key,
    _telegram_chat,
)
