"""Settings that are allowed one by one but contradict each other.

The checks read the merged tree, not the finished settings, so that a contradiction is found in the
same run as a wrong value elsewhere; what involves a wrong value is not judged.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal

from infra.settings.fields import flag
from infra.settings.problems import Key, Place, Problem, show, show_key
from infra.settings.tree import Node

_MAINTENANCE_MARGIN_RATE = Decimal("0.005")
"""Bybit's lowest (BTCUSDT, first tier); where it is higher, liquidation is nearer still."""

_ASSETS: Key = ("portfolio", "assets")

_RISING: tuple[tuple[Key, Key], ...] = (
    (("strategy", "ema_short_period"), ("strategy", "ema_long_period")),
    (("risk", "drawdown_levels", 0), ("risk", "drawdown_levels", 1)),
    (("risk", "drawdown_levels", 1), ("risk", "max_portfolio_drawdown_pct")),
    (("risk", "drawdown_restore_pct"), ("risk", "drawdown_levels", 0)),
    (("risk", "drawdown_rearm_pct"), ("risk", "drawdown_levels", 1)),
    (("portfolio", "coordination_window_ms"), ("strategy", "entry_max_age_ms")),
)
"""Pairs of which the first must be smaller."""

_NOT_FALLING: tuple[tuple[Key, Key], ...] = (
    (("strategy", "ema_long_period"), ("strategy", "warmup_candles")),
    (("supervision", "backoff_initial_seconds"), ("supervision", "backoff_max_seconds")),
)
"""Pairs of which the first may be equal to the second, but not greater."""
_SECRETS: Mapping[Key, str] = {
    ("exchange", "api_key"): "BYBIT_API_KEY",
    ("exchange", "api_secret"): "BYBIT_API_SECRET",
    ("notifications", "telegram_bot_token"): "TELEGRAM_BOT_TOKEN",
    ("notifications", "discord_url"): "DISCORD_URL",
    ("notifications", "slack_url"): "SLACK_URL",
    ("notifications", "email_url"): "EMAIL_URL",
    ("notifications", "other_url"): "OTHER_URL",
    ("notifications", "heartbeat_url"): "HEARTBEAT_URL",
}
"""Files are copied, shown and committed: these come from the environment alone."""


class _UnjudgedError(Exception):
    """A check needs a value that is wrong or not there."""


class _Facts:
    """The values that are allowed by themselves, by key."""

    def __init__(self, tree: Node, wrong: Collection[Key]) -> None:
        self._tree = tree
        self._wrong = wrong

    def text(self, key: Key) -> str:
        content = self._judged(key).content
        if not isinstance(content, str):
            raise _UnjudgedError
        return content

    def number(self, key: Key) -> Decimal:
        return Decimal(self.text(key))

    def flag(self, key: Key) -> bool:
        return flag(self.text(key))

    def place_of_text(self, key: Key) -> Place | None:
        """Return where a text was written; None where there is none."""
        found = self._judged(key)
        return found.place if isinstance(found.content, str) else None

    def keys(self, key: Key) -> list[Key]:
        match self._judged(key).content:
            case list(items):
                return [(*key, i) for i in range(len(items))]
            case dict(entries):
                return [(*key, name) for name in entries]
            case _:
                raise _UnjudgedError

    def enabled_assets(self) -> list[Key]:
        return [key for key in self.keys(_ASSETS) if self.flag((*key, "enabled"))]

    def problem(self, key: Key, text: str) -> Problem:
        return Problem(place=self._tree.nearest(key).place, key=key, text=text)

    def named(self, key: Key) -> str:
        """Return a setting with its value and place, for a text about another setting."""
        place = self._tree.nearest(key).place
        return f"{place.setting or show_key(key)} = {show(self.text(key))} ({place})"

    def _judged(self, key: Key) -> Node:
        if any(key[: len(wrong)] == wrong for wrong in self._wrong):
            raise _UnjudgedError
        return self._tree.nearest(key)


def contradictions(tree: Node, wrong: Collection[Key]) -> list[Problem]:
    """Return what contradicts; `wrong` are the keys that are known to be wrong by themselves."""
    facts = _Facts(tree, wrong)
    found: list[Problem] = []
    for check in _CHECKS:
        with suppress(_UnjudgedError):
            found.extend(check(facts))
    return found


def _order(facts: _Facts) -> Iterator[Problem]:
    for small, large in _RISING:
        with suppress(_UnjudgedError):
            if facts.number(small) >= facts.number(large):
                yield _conflict(facts, small, f"below {facts.named(large)}")
    for small, large in _NOT_FALLING:
        with suppress(_UnjudgedError):
            if facts.number(small) > facts.number(large):
                yield _conflict(facts, small, f"at most {facts.named(large)}")


def _instrument_order(facts: _Facts) -> Iterator[Problem]:
    for key in facts.keys(("instruments",)):
        small, large = (*key, "min_order_qty"), (*key, "max_market_order_qty")
        with suppress(_UnjudgedError):
            if facts.number(small) > facts.number(large):
                yield _conflict(facts, small, f"at most {facts.named(large)}")


def _volatility_warm_up(facts: _Facts) -> Iterator[Problem]:
    window, warmup = ("strategy", "volatility_window"), ("strategy", "warmup_candles")
    if facts.number(window) + 1 > facts.number(warmup):
        yield _conflict(facts, window, f"below {facts.named(warmup)}")


def _total_allocation(facts: _Facts) -> Iterator[Problem]:
    total = ("portfolio", "total_allocation_pct")
    keys = [(*key, "allocation_pct") for key in facts.enabled_assets()]
    used = sum((facts.number(key) for key in keys), Decimal(0))
    if used > facts.number(total):
        parts = ", ".join(facts.named(key) for key in keys)
        yield _conflict(facts, total, f"at least {used}, the sum of the enabled assets' {parts}")


def _stop_before_liquidation(facts: _Facts) -> Iterator[Problem]:
    stop = ("risk", "stop_loss_pct")
    fees = 2 * facts.number(("replay", "taker_fee_rate"))
    for key in facts.enabled_assets():
        leverage = (*key, "leverage")
        with suppress(_UnjudgedError):
            distance = 1 / facts.number(leverage) - _MAINTENANCE_MARGIN_RATE - fees
            if facts.number(stop) >= distance:
                limit = f"below {distance:.4f}, where a short is liquidated"
                yield _conflict(facts, stop, f"{limit} with {facts.named(leverage)}")


def _entry_fits_exposure(facts: _Facts) -> Iterator[Problem]:
    limit = ("portfolio", "max_total_exposure_pct")
    least = facts.number(("portfolio", "min_entry_fraction"))
    for key in facts.enabled_assets():
        share, leverage = (*key, "allocation_pct"), (*key, "leverage")
        with suppress(_UnjudgedError):
            needed = facts.number(share) * facts.number(leverage) * least
            if needed > facts.number(limit):
                why = f"{facts.named(share)} and {facts.named(leverage)} can never enter"
                yield _conflict(facts, limit, f"at least {needed:f}, else {why}")


def _some_asset(facts: _Facts) -> Iterator[Problem]:
    if not facts.enabled_assets():
        yield facts.problem(_ASSETS, "found no enabled asset; allowed: at least one")


def _some_cross(facts: _Facts) -> Iterator[Problem]:
    key = ("strategy", "entry_crosses")
    if not facts.keys(key):
        yield facts.problem(key, "found an empty list, so nothing is ever opened; allowed: a cross")


def _instrument_of_each_asset(facts: _Facts) -> Iterator[Problem]:
    instruments = [key[-1] for key in facts.keys(("instruments",))]
    for key in facts.keys(_ASSETS):
        with suppress(_UnjudgedError):
            symbol = facts.text((*key, "symbol"))
            if facts.flag((*key, "enabled")) and symbol not in instruments:
                allowed = f"a symbol of `instruments`: {', '.join(map(str, instruments))}"
                yield _conflict(facts, (*key, "symbol"), allowed)


def _symbols_once(facts: _Facts) -> Iterator[Problem]:
    first: dict[str, Key] = {}
    for key in facts.keys(_ASSETS):
        with suppress(_UnjudgedError):
            symbol = facts.text((*key, "symbol"))
            if symbol in first:
                allowed = f"each symbol once; it is {facts.named((*first[symbol], 'symbol'))}"
                yield _conflict(facts, (*key, "symbol"), allowed)
            first.setdefault(symbol, key)


def _funding_on_candles(facts: _Facts) -> Iterator[Problem]:
    interval, candle = ("replay", "funding_interval_hours"), ("strategy", "candle_minutes")
    if facts.number(interval) * 60 % facts.number(candle):
        yield _conflict(facts, interval, f"a multiple of {facts.named(candle)}")


def _one_account(facts: _Facts) -> Iterator[Problem]:
    testnet, demo = ("exchange", "testnet"), ("exchange", "demo")
    if facts.flag(testnet) and facts.flag(demo):
        yield _conflict(facts, demo, f"false beside {facts.named(testnet)}")


def _secrets_from_the_environment(facts: _Facts) -> Iterator[Problem]:
    for key, variable in _SECRETS.items():
        place = facts.place_of_text(key)
        if place is not None and not place.variable:
            allowed = f"null, with {variable} set in the environment or in .env"
            yield facts.problem(key, f"found a value that is not shown; allowed: {allowed}")


def _addresses_together(facts: _Facts) -> Iterator[Problem]:
    names = ("rest_url", "public_stream_url", "private_stream_url")
    places = {name: facts.place_of_text(("exchange", name)) for name in names}
    missing = [name for name, place in places.items() if place is None]
    if 0 < len(missing) < len(names):
        key = ("exchange", missing[0])
        yield facts.problem(key, f"found nothing; allowed: all of {', '.join(names)}, or none")


def _clock_of_a_simulation(facts: _Facts) -> Iterator[Problem]:
    speed, url = ("exchange", "clock_speed"), ("exchange", "rest_url")
    if facts.number(speed) == 1:
        return
    place = facts.place_of_text(url)
    if place is None or not facts.text(url).startswith("http://"):
        yield _conflict(facts, speed, "1, unless exchange.rest_url is on this machine")


def _telegram_chat(facts: _Facts) -> Iterator[Problem]:
    token, *chats = (
        ("notifications", f"telegram_{name}")
        for name in ("bot_token", "channel_id", "admin_chat_id")
    )
    place = facts.place_of_text(token)
    if place is not None and place.variable and not any(map(facts.place_of_text, chats)):
        needed = "TELEGRAM_CHANNEL_ID or TELEGRAM_ADMIN_CHAT_ID"
        yield facts.problem(token, f"found a token and no chat; allowed: with {needed} beside it")


def _conflict(facts: _Facts, key: Key, allowed: str) -> Problem:
    return facts.problem(key, f"found {show(facts.text(key))}; allowed: {allowed}")


_CHECKS: tuple[Callable[[_Facts], Iterator[Problem]], ...] = (
    _order,
    _instrument_order,
    _volatility_warm_up,
    _total_allocation,
    _stop_before_liquidation,
    _entry_fits_exposure,
    _some_asset,
    _some_cross,
    _instrument_of_each_asset,
    _symbols_once,
    _funding_on_candles,
    _one_account,
    _secrets_from_the_environment,
    _addresses_together,
    _clock_of_a_simulation,
    _telegram_chat,
)
