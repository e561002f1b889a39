"""Where a run trades: its mode, and what the mode requires."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from pydantic import SecretStr

from domain.errors import ConfigError
from infra.secrets.keystore import Keystore, Pair, asset_of, entry_of
from infra.settings import Settings
from infra.venues.bybit import venues
from infra.venues.bybit.credentials import Credentials
from infra.venues.bybit.venues import Venue

LIVE_TRADING, YES = "LIVE_TRADING", "yes"
_KEY, _SECRET = "BYBIT_API_KEY", "BYBIT_API_SECRET"


class Mode(StrEnum):
    """Where prices come from and where orders go."""

    SIM = "sim"
    REPLAY = "replay"
    PAPER = "paper"
    TESTNET = "testnet"
    DEMO = "demo"
    LIVE = "live"

    @property
    def has_account(self) -> bool:
        """Tell whether it trades an account at Bybit, and so needs a key."""
        return self in _ACCOUNTS

    @property
    def has_market(self) -> bool:
        """Tell whether it reads one of Bybit's markets."""
        return self is Mode.PAPER or self.has_account


STEPPED = "sim-max"
"""A simulated exchange in lock-step, whose runs have a directory of their own."""


def read_mode(text: str) -> Mode:
    """Return the mode of a command line.

    Raises:
        ConfigError: there is no mode of that name.
    """
    return Mode(_known(text, tuple(Mode)))


def read_run_name(text: str) -> str:
    """Return the name under var/ of the run that a command line refers to: a mode, or `stepped`.

    Raises:
        ConfigError: there is no mode of that name.
    """
    return _known(text, (*Mode, STEPPED))


def _known(text: str, names: Sequence[str]) -> str:
    if text not in names:
        raise ConfigError(f"--mode {text}: expected one of {', '.join(names)}")
    return text


_ACCOUNTS: Mapping[Mode, Callable[[Credentials], Venue]] = {
    Mode.TESTNET: venues.testnet,
    Mode.DEMO: venues.demo,
    Mode.LIVE: venues.mainnet,
}


def market_of(
    mode: Mode, settings: Settings, environ: Mapping[str, str], drills: Sequence[str]
) -> Venue | None:
    """Return the venue of a mode; None: a simulation that is yet to be started.

    Raises:
        ConfigError: as `venue_of`, or drills are given, which need a simulation.
    """
    if not mode.has_market:
        return None
    if drills:
        raise ConfigError(f"--drill is for the simulation and replays, not for {mode}")
    return venue_of(mode, settings, environ)


def venue_of(mode: Mode, settings: Settings, environ: Mapping[str, str]) -> Venue:
    """Return the venue of a mode that reads one of Bybit's markets.

    Raises:
        ConfigError: the mode is not allowed, or lacks its keys; lists all problems.
    """
    problems = [*_forbidden(mode, settings, environ), *_missing(mode, settings)]
    if problems:
        raise ConfigError("\n".join([f"--mode {mode} cannot start:", *problems]))
    exchange = settings.exchange
    make = _ACCOUNTS.get(mode)
    venue = venues.mainnet(None) if make is None else make(_credentials(mode, settings))
    return venue.at(
        rest_url=exchange.rest_url,
        public_stream_url=exchange.public_stream_url,
        private_stream_url=exchange.private_stream_url,
        speed=float(exchange.clock_speed),
        least_tls=exchange.least_tls,
        of_assets={} if make is None else _of_assets(mode, settings),
    )


def _credentials(mode: Mode, settings: Settings) -> Credentials:
    exchange, keystore = settings.exchange, keystore_of(settings)
    if keystore is None:
        return Credentials(api_key=_text(exchange.api_key), api_secret=_text(exchange.api_secret))
    return credentials_of(entry_of(keystore, mode).used)


def _of_assets(mode: Mode, settings: Settings) -> dict[str, Credentials]:
    keystore = keystore_of(settings)
    found = {} if keystore is None else Keystore(keystore).entries()
    known = ((*asset_of(name), entry.used) for name, entry in found.items())
    return {asset: credentials_of(used) for of, asset, used in known if of == mode and asset}


def keystore_of(settings: Settings) -> Path | None:
    """Return the keystore; None: the keys are in the environment, which takes precedence."""
    exchange = settings.exchange
    if exchange.keystore is None or exchange.api_key is not None:
        return None
    return Path(exchange.keystore)


def credentials_of(pair: Pair) -> Credentials:
    """Return a stored key as credentials for signing."""
    return Credentials(api_key=pair.api_key, api_secret=pair.api_secret, ips=pair.ips)


def _forbidden(mode: Mode, settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    # Not read from .env: a file left lying around must not be able to allow this.
    if mode is Mode.LIVE and environ.get(LIVE_TRADING) != YES:
        yield f"- it trades real money, and needs {LIVE_TRADING}={YES} in the environment"
    if not mode.has_account:
        return
    for name, said, of_mode in (
        ("testnet", settings.exchange.testnet, mode is Mode.TESTNET),
        ("demo", settings.exchange.demo, mode is Mode.DEMO),
    ):
        if said not in {None, of_mode}:
            yield (
                f"- exchange.{name} (BYBIT_{name.upper()}) is {str(said).lower()}, expected"
                f" {str(of_mode).lower()} or nothing: the key is marked as another account's"
            )


def _missing(mode: Mode, settings: Settings) -> Iterator[str]:
    if not mode.has_account or settings.exchange.keystore is not None:
        return
    keys = {_KEY: settings.exchange.api_key, _SECRET: settings.exchange.api_secret}
    names = [name for name, value in keys.items() if value is None]
    if names:
        yield f"- {' and '.join(names)} must be set, in the environment or in .env (.env.example)"


def _text(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def is_stepped(
    mode: Mode | None, candles: Path | None, speed: str | None, drills: Sequence[str] | None
) -> bool:
    """Tell whether the simulated exchange plays candle files in lock-step.

    Raises:
        ConfigError: the options `--mode`, `--candles`, `--speed` and `--drill` do not go together.
    """
    if speed not in (None, "max"):
        raise ConfigError(
            f"--speed {speed}: expected max; how fast the default run's clock runs is "
            "simulation.speed in the settings"
        )
    wanted = (mode is Mode.SIM, candles is not None, speed is not None)
    if speed is not None and not all(wanted):
        raise ConfigError("--speed max needs --mode sim and --candles DIR")
    if wanted == (True, True, False):
        raise ConfigError("--mode sim --candles DIR needs --speed max")
    if all(wanted) and drills:
        raise ConfigError("--drill is for a replay or the default run, not for --speed max")
    return all(wanted)
