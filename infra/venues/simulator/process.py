"""The simulated exchange of the default run: a process of its own, beside the system."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from math import ceil
from pathlib import Path

from loguru import logger

from domain.errors import ConfigError
from infra.process.processor import on_any_processor
from infra.secrets.vault import vault_of
from infra.settings import Settings
from infra.venues.bybit.credentials import Credentials
from infra.venues.bybit.venues import Venue
from infra.venues.simulator.keys import own_keys
from infra.venues.simulator.prices.generator import CANDLE_MS

_ROOT = Path(__file__).resolve().parents[3]
_LISTENING = re.compile(r"listening on http://(\S+)")


def generated_market(settings: Settings, directory: Path) -> dict[str, str]:
    """Return the options of a generated market that continues where it was."""
    candles = settings.trading_rules().candles
    history = ceil(candles.history_candles * candles.candle_ms / CANDLE_MS)
    return {
        "--speed": str(settings.simulation.speed),
        "--seed": str(settings.simulation.seed),
        "--history": str(history),
        "--state": str(directory / "sim-exchange.state"),
    }


def recorded_market(
    candles: Path, *, warmup: int, from_time: str | None, to_time: str | None
) -> dict[str, str]:
    """Return the options of candle files in lock-step, with the warm-up already played."""
    cut = {"--from": from_time, "--to": to_time}
    return {
        "--speed": "max",
        "--candles": str(candles),
        "--history": str(warmup),
        **{name: time for name, time in cut.items() if time is not None},
    }


class SimulatedVenue:
    """The simulated exchange at its address; started here unless it runs separately."""

    def __init__(
        self,
        settings: Settings,
        directory: Path,
        market: Mapping[str, str],
        settings_file: Path | None,
    ) -> None:
        """Start the process and wait until it listens, unless the settings name a running one.

        Args:
            settings: of the run.
            directory: of the run.
            market: options that select its prices and speed.
            settings_file: overrides of settings.yaml, for the exchange too.

        Raises:
            ConfigError: it ended at once.
        """
        host = settings.simulation.address
        file = directory / "sim-keys.json"
        keys = own_keys(file, is_ours=host is None)
        self._speed = float(settings.simulation.speed)
        self._credentials = Credentials(api_key=keys.api_key, api_secret=keys.api_secret)
        self._process: _Process | None = None
        if host is None:
            arguments = {"--keys": str(file.absolute()), **market}
            if settings_file is not None:
                arguments["--settings"] = str(settings_file.absolute())
            self._process = _Process(directory, arguments)
            host = self._process.host
        self._host = host
        logger.info("the simulated exchange is at http://{}", host)

    @property
    def venue(self) -> Venue:
        return Venue(
            rest_url=f"http://{self._host}",
            public_stream_url=f"ws://{self._host}/v5/public/linear",
            private_stream_url=f"ws://{self._host}/v5/private",
            credentials=self._credentials,
            speed=self._speed,
        )

    def close(self) -> None:
        """End the process, if it was started here."""
        if self._process is not None:
            self._process.close()


class _Process:
    """The exchange as a child process."""

    def __init__(self, directory: Path, arguments: Mapping[str, str]) -> None:
        # An encrypted directory holds no plain log: the exchange's lines go where the system's do.
        self._log = None if vault_of(directory) else (directory / "sim-exchange.log").open("a")
        with on_any_processor():
            self._process = subprocess.Popen(  # noqa: S603 (our own command)
                [
                    sys.executable,
                    "-m",
                    "bin.sim_exchange",
                    *("--with-parent", "--port", "0"),
                    *(w for pair in arguments.items() for w in pair),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                env=os.environ | {"PYTHONPATH": str(_ROOT), "PYTHONSAFEPATH": "1"},
                # Ctrl-C is meant for the system, which stops its exchange last.
                start_new_session=True,
            )
        self.host = self._wait()

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                stream.close()

    def _wait(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        found = _LISTENING.search(line)
        if found is None:
            self.close()
            raise ConfigError(f"the simulated exchange did not start: {self._last_words()}")
        return found[1]

    def _last_words(self) -> str:
        if self._log is None:
            return "its last words are on the screen"
        lines = Path(self._log.name).read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")


@contextmanager
def simulated(settings: Settings, directory: Path, file: Path | None) -> Iterator[Venue]:
    """Run a simulated exchange, and yield its venue."""
    market = generated_market(settings, directory)
    with closing(SimulatedVenue(settings, directory, market, file)) as simulated:
        yield simulated.venue
