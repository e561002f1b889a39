"""The command `bin/sim-exchange`: the simulated exchange as a separate process."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bin.command import SettingsFile, one_line, start
from infra.process.times import read_time
from infra.settings import load_settings
from infra.venues.simulator.core import Simulator
from infra.venues.simulator.faults.reading import read_file
from infra.venues.simulator.gate import DEFAULT_KEYS, IP_LIMIT, Keys
from infra.venues.simulator.keys import read_keys
from infra.venues.simulator.profiles import ProfileName, with_profile
from infra.venues.simulator.reading import options_of, read_speed
from infra.venues.simulator.recording.player import Player
from infra.venues.simulator.until_signal import play, serve

_PROFILES = f"A market day to test bots with: {', '.join(ProfileName)}."


def main(
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free port.")] = 8899,
    speed: Annotated[
        str, typer.Option(help="Exchange seconds per real second, up to 1000; max: lock-step.")
    ] = "1",
    seed: Annotated[int, typer.Option(help="Random seed of market, delays and faults.")] = 0,
    candles: Annotated[
        Path | None, typer.Option(help="Folder of candle files; without it, prices are generated.")
    ] = None,
    from_time: Annotated[
        str | None,
        typer.Option("--from", metavar="ISO", help="First candle's open time, UTC."),
    ] = None,
    to_time: Annotated[
        str | None,
        typer.Option("--to", metavar="ISO", help="Last candle's close time, UTC."),
    ] = None,
    history: Annotated[int, typer.Option(min=1, help="Past candles at the start.")] = 3_500,
    faults: Annotated[Path | None, typer.Option(help="YAML list of faults to inject.")] = None,
    state: Annotated[
        Path | None, typer.Option(help="File to resume from and to save the state to.")
    ] = None,
    settings: SettingsFile = None,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="Exit when standard input closes.")
    ] = False,
    profile: Annotated[ProfileName | None, typer.Option(metavar="NAME", help=_PROFILES)] = None,
    record: Annotated[
        Path | None, typer.Option(help="Record all traffic to this file, without keys.")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Answer only from this recorded traffic.")
    ] = None,
    ip_limit: Annotated[
        int,
        typer.Option(
            min=0, help="Requests per address in 5 s before 10 minutes of 403; 0: unlimited."
        ),
    ] = IP_LIMIT,
    keys: Annotated[
        Path | None, typer.Option(help="JSON file with key and secret, instead of the next two.")
    ] = None,
    api_key: Annotated[str, typer.Option(help="The accepted API key.")] = DEFAULT_KEYS.api_key,
    api_secret: Annotated[str, typer.Option(help="Its secret.")] = DEFAULT_KEYS.api_secret,
) -> None:
    """Run a simulated exchange on this machine until it is stopped."""
    with one_line():
        options = replace(
            options_of(load_settings(settings, environ={}, dotenv=None), candles),
            port=port,
            speed=read_speed(speed),
            seed=seed,
            from_ms=None if from_time is None else read_time("--from", from_time),
            to_ms=None if to_time is None else read_time("--to", to_time),
            history=history,
            faults=() if faults is None else read_file(faults),
            keys=Keys(api_key=api_key, api_secret=api_secret) if keys is None else read_keys(keys),
            state=state,
            ip_limit=ip_limit,
            record=record,
        )
        if replay is not None:
            asyncio.run(play(Player(replay), port, _tell, is_bound=with_parent))
            return
        simulator = Simulator(options if profile is None else with_profile(options, profile))
        asyncio.run(serve(simulator, _tell, is_bound=with_parent))


def _tell(port: int) -> None:
    print(f"listening on http://127.0.0.1:{port}", flush=True)


if __name__ == "__main__":
    start(main, "sim-exchange")
