"""The environment variables that override settings (strategy section 11)."""

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dotenv.parser import Binding, parse_stream
from pydantic_core import PydanticCustomError

from domain.strategies.registry import CONFIRMED_TREND_LONG
from infra.settings.fields import ALLOWED_FLAGS, flag
from infra.settings.problems import Key, Place, Problem, show
from infra.settings.tree import EVERY, Node, UnreadableError, put, read_text

VARIABLES: Mapping[str, Key] = {
    "BYBIT_API_KEY": ("exchange", "api_key"),
    "BYBIT_API_SECRET": ("exchange", "api_secret"),
    "BYBIT_TESTNET": ("exchange", "testnet"),
    "BYBIT_DEMO": ("exchange", "demo"),
    "ASSET_ALLOCATION_PCT": ("portfolio", "assets", EVERY, "allocation_pct"),
    "LEVERAGE_PER_ASSET": ("portfolio", "assets", EVERY, "leverage"),
    "STOP_LOSS_PCT": ("risk", "stop_loss_pct"),
    "TAKE_PROFIT_PCT": ("risk", "take_profit_pct"),
    "MAX_DAILY_LOSS_PCT": ("risk", "max_daily_loss_pct"),
    "MAX_PORTFOLIO_DRAWDOWN_PCT": ("risk", "max_portfolio_drawdown_pct"),
    "MAX_PORTFOLIO_EXPOSURE": ("portfolio", "max_total_exposure_pct"),
    "TELEGRAM_BOT_TOKEN": ("notifications", "telegram_bot_token"),
    "TELEGRAM_CHANNEL_ID": ("notifications", "telegram_channel_id"),
    "TELEGRAM_ADMIN_CHAT_ID": ("notifications", "telegram_admin_chat_id"),
    "TELEGRAM_USER_IDS": ("notifications", "telegram_user_ids"),
    "TELEGRAM_SERVER": ("notifications", "telegram_server"),
    "DISCORD_URL": ("notifications", "discord_url"),
    "SLACK_URL": ("notifications", "slack_url"),
    "EMAIL_URL": ("notifications", "email_url"),
    "OTHER_URL": ("notifications", "other_url"),
    "HEARTBEAT_URL": ("notifications", "heartbeat_url"),
    "WEB_ENABLED": ("web", "enabled"),
    "MAX_WORKERS": ("replay", "max_workers"),
    "POSTGRES_HOST": ("database", "host"),
    "POSTGRES_PORT": ("database", "port"),
    "POSTGRES_DB": ("database", "name"),
    "POSTGRES_USER": ("database", "user"),
    "POSTGRES_PASSWORD": ("database", "password"),
    "REDIS_URL": ("events", "redis_url"),
    "REDIS_HOST": ("events", "redis_host"),
    "REDIS_PORT": ("events", "redis_port"),
    "REDIS_DB": ("events", "redis_db"),
    "REDIS_PASSWORD": ("events", "redis_password"),
    "WEBHOOK_URL": ("events", "webhook_url"),
    "WEBHOOK_SECRET": ("events", "webhook_secret"),
    "LOG_LEVEL": ("logging", "level"),
}
_DEBUG = "DEBUG_MODE"
_STRATEGIES: Mapping[str, str] = {
    "STOP_LOSS_PCT": "stop_loss_pct",
    "TAKE_PROFIT_PCT": "take_profit_pct",
}
"""Variables that apply to each asset, whatever its strategy, with their keys."""


def read_names() -> frozenset[str]:
    """Return the names of all variables that have a meaning in .env."""
    return frozenset((*VARIABLES, _DEBUG))


def read_variables(environ: Mapping[str, str], dotenv: Path | None) -> dict[str, Node]:
    """Return the variables that are set; the process's own take precedence over the .env file's.

    An empty variable counts as not set.

    Raises:
        UnreadableError: the .env file cannot be read, or a line is not NAME=value.
    """
    known = (*VARIABLES, _DEBUG)
    found = {} if dotenv is None else read_dotenv(dotenv)
    found |= {name: Node(text, Place(variable=name)) for name, text in _filled(environ).items()}
    return {name: found[name] for name in known if name in found}


def override(tree: Node, variables: Mapping[str, Node]) -> tuple[Node, list[Problem]]:
    """Return the settings with the variables applied, and any problem with DEBUG_MODE."""
    for name, key in VARIABLES.items():
        if name in variables:
            tree = put(tree, key, _marked(variables[name], key))
    for name, setting in _STRATEGIES.items():
        if name in variables:
            tree = _for_each_strategy(tree, setting, variables[name])
    if _DEBUG not in variables:
        return tree, []
    node = variables[_DEBUG]
    try:
        wanted = flag(node.content)
    except PydanticCustomError:
        text = f"found {show(str(node.content))}; allowed: {ALLOWED_FLAGS}"
        return tree, [Problem(place=node.place, text=text)]
    return (put(tree, VARIABLES["LOG_LEVEL"], Node("DEBUG", node.place)) if wanted else tree), []


def _for_each_strategy(tree: Node, setting: str, node: Node) -> Node:
    """Return the tree with a value also set for assets that override it, or use others."""
    assets: Key = ("portfolio", "assets")
    found = tree.nearest(assets).content
    for index, asset in enumerate(found) if isinstance(found, list) else ():
        strategy, own = asset.child("strategy"), asset.child(setting)
        if strategy is not None and strategy.content == CONFIRMED_TREND_LONG:
            key: Key = (CONFIRMED_TREND_LONG, setting)
            tree = put(tree, key, _marked(node, key))
        if own is not None and own.content is not None:
            place = _marked(node, (*assets, EVERY, setting))
            tree = put(tree, (*assets, index, setting), place)
    return tree


def read_dotenv(file: Path) -> dict[str, Node]:
    """Return the variables of a .env file, with their places; empty ones are left out.

    Raises:
        UnreadableError: it cannot be read, or a line is not NAME=value.
    """
    bindings = list(parse_stream(io.StringIO(read_text(file))))
    wrong = [
        Problem(
            place=Place(file=str(file), line=_line(binding)),
            text="found a line that is not NAME=value; allowed: NAME=value, # comment",
        )
        for binding in bindings
        if binding.error or (binding.key is not None and binding.value is None)
    ]
    if wrong:
        raise UnreadableError(*wrong)
    lines = {binding.key: _line(binding) for binding in bindings if binding.key is not None}
    texts = {binding.key: binding.value or "" for binding in bindings if binding.key is not None}
    return {
        name: Node(text, Place(file=str(file), line=lines[name], variable=name))
        for name, text in _filled(texts).items()
    }


def _line(binding: Binding) -> int:
    # The parser counts lines from the blank lines before a binding.
    text = binding.original.string
    blank = text[: len(text) - len(text.lstrip())]
    return binding.original.line + blank.count("\n")


def _filled(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text.strip() for name, text in texts.items() if text.strip()}


def _marked(node: Node, key: Key) -> Node:
    setting = ".".join(map(str, key)).replace(f".{EVERY}", f"[{EVERY}]")
    return replace(node, place=replace(node.place, setting=setting))
