"""What may follow a command to a running system."""

import os
from collections.abc import Iterator

from domain.errors import ConfigError
from domain.operator.commands import MANUALS, CommandName, Parameter
from infra.settings import load_settings


def command_words(word: str) -> tuple[str, ...]:
    """Return the arguments of a command that are known beforehand; none where it is unknown."""
    if word not in set(CommandName):
        return ()
    assets = _assets()
    known: dict[Parameter | None, tuple[str, ...]] = {
        Parameter.ASSET: ("all", *assets),
        Parameter.PART: assets,
        Parameter.ACTOR: ("portfolio", "notifier", *_actors(assets)),
        Parameter.ID: assets,
        Parameter.LEVEL: ("DEBUG", "INFO", "WARNING", "ERROR"),
        Parameter.COMMAND: tuple(CommandName),
        Parameter.VIEW: tuple(Parameter.VIEW.split("|")),
        Parameter.PERIOD: ("all", "7d", "30d"),
    }
    return known.get(MANUALS[CommandName(word)].parameter, ())


def _actors(assets: tuple[str, ...]) -> Iterator[str]:
    return (f"{kind}/{asset}" for kind in ("asset", "execution") for asset in assets)


def _assets() -> tuple[str, ...]:
    try:
        rules = load_settings(None, environ=os.environ, dotenv=None).trading_rules()
    except ConfigError:  # bin/check tells it
        return ()
    return tuple(asset.asset for asset in rules.assets)
