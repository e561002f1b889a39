"""The command `bin/run-actors`: reads its options and starts a run."""

from pathlib import Path
from typing import Annotated

import typer

from bin.bootstrap.live import LiveOptions, run_live
from bin.bootstrap.replay import ReplayOptions, run_replay
from bin.command import FAILED, MISUSED, SettingsFile, one_line, start
from domain.errors import ConfigError, JournalError
from infra.operator.terminal.screen import Screen
from infra.venues.modes import Mode, is_stepped, read_mode


def main(
    *,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="sim: a simulated exchange on this machine, the default; "
            "replay: candle files, the default with --candles; "
            "paper: Bybit's real market without a key, fills on paper; "
            "testnet, demo: play money at Bybit; live: real money, needs LIVE_TRADING=yes.",
        ),
    ] = None,
    candles: Annotated[
        Path | None,
        typer.Option(help="Replay: folder with one file per symbol, BTCUSDT.parquet or .csv."),
    ] = None,
    speed: Annotated[
        str | None,
        typer.Option(
            help="max, with --mode sim --candles: the simulated exchange plays the files in "
            "lock-step, over its sockets."
        ),
    ] = None,
    settings: SettingsFile = None,
    from_time: Annotated[
        str | None,
        typer.Option("--from", metavar="ISO", help="Replay: first candle's open time, UTC."),
    ] = None,
    to_time: Annotated[
        str | None,
        typer.Option("--to", metavar="ISO", help="Replay: last candle's close time, UTC."),
    ] = None,
    trades: Annotated[Path | None, typer.Option(help="Replay: write all trades as CSV.")] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Directory for journal and logs; default: var/MODE.")
    ] = None,
    progress: Annotated[bool, typer.Option(help="Replay: show a progress bar.")] = True,
    drill: Annotated[
        list[str] | None,
        typer.Option(
            help="Inject a failure, in the simulation or a replay; repeatable: "
            "crash=P, poison=ASSET@ISO; docs/reliability.md lists all."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the drills.")] = 0,
) -> None:
    """Run the trading system and show what it is doing."""
    screen = Screen(stderr=True)
    # After a journal error the same start may work later, and a service manager retries it.
    with one_line({**MISUSED, JournalError: FAILED}):
        said = None if mode is None else read_mode(mode)
        over_sockets = is_stepped(said, candles, speed, drill)
        chosen = said or (Mode.SIM if candles is None else Mode.REPLAY)
        if chosen is not Mode.REPLAY and not over_sockets:
            code = run_live(
                LiveOptions(
                    mode=chosen,
                    settings=settings,
                    run_dir=run_dir,
                    drills=tuple(drill or ()),
                    seed=seed,
                ),
                screen,
            )
        else:
            options = ReplayOptions(
                candles=_needed(candles),
                settings=settings,
                from_time=from_time,
                to_time=to_time,
                trades=trades,
                run_dir=run_dir,
                has_progress=progress,
                drills=tuple(drill or ()),
                seed=seed,
                is_stepped=over_sockets,
            )
            code = run_replay(options, screen)
    raise typer.Exit(code)


def _needed(candles: Path | None) -> Path:
    if candles is None:
        raise ConfigError("--mode replay needs --candles DIR, a folder of candle files")
    return candles


if __name__ == "__main__":
    start(main, "run-actors")
