"""Options of an exchange from settings and a command line."""

from pathlib import Path

from domain.errors import ConfigError
from infra.settings import Settings
from infra.venues.simulator.options import SimulatorOptions
from infra.venues.simulator.prices.listed import others_than, with_settings

_FASTEST = 1000.0


def options_of(settings: Settings, candles: Path | None) -> SimulatorOptions:
    """Return the options of an exchange that lists the symbols of settings.

    Args:
        settings: of the system that trades there.
        candles: folder of candle files; None: the market is generated.

    Raises:
        ConfigError: the settings are wrong.
    """
    rules = settings.trading_rules()
    traded = [asset.instrument for asset in rules.assets]
    # A market lists more than what is traded in it today: there may be positions in the rest.
    instruments = traded if candles is not None else with_settings(settings, traded)
    return SimulatorOptions(
        instruments=instruments,
        others=others_than({instrument.symbol for instrument in instruments}),
        # The account may hold more than the system may use of it.
        fills=settings.replay.rules(),
        walked=frozenset(asset.instrument.symbol for asset in rules.trailing),
        candles=candles,
    )


def read_speed(text: str) -> float | None:
    """Return exchange seconds per second of `--speed`; None: lock-step.

    Raises:
        ConfigError: it is not a speed.
    """
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= _FASTEST:
        raise ConfigError(f"--speed {text}: expected a number up to {_FASTEST:g}, or max")
    return speed
