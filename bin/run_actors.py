"""The command `bin/run-actors`: reads its options and hands over."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bin.replay import WRONG_USE, ReplayOptions, run_replay
from domain.errors import BadDataError, ConfigError


class Mode(StrEnum):
    """Where prices come from and where orders go."""

    REPLAY = "replay"


def main(
    *,
    candles: Annotated[
        Path, typer.Option(help="Folder with a candle file per symbol: BTCUSDT.parquet or .csv.")
    ],
    mode: Annotated[Mode, typer.Option(help="Where prices come from.")] = Mode.REPLAY,  # noqa: ARG001
    settings: Annotated[Path | None, typer.Option(help="What differs from settings.yaml.")] = None,
    from_time: Annotated[
        str | None, typer.Option("--from", metavar="ISO", help="First candle's open time, UTC.")
    ] = None,
    to_time: Annotated[
        str | None, typer.Option("--to", metavar="ISO", help="Last candle's close time, UTC.")
    ] = None,
    trades: Annotated[Path | None, typer.Option(help="Write all trades as csv.")] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Journal and logs of the run; var/replay by default.")
    ] = None,
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
    drill: Annotated[
        list[str] | None,
        typer.Option(help="crash=P, suspend=ASSET@ISO or poison=ASSET@ISO; may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the crash drill.")] = 0,
) -> None:
    """Run the system on recorded candles and show what it did."""
    screen = Console(stderr=True)
    options = ReplayOptions(
        candles=candles,
        settings=settings,
        from_time=from_time,
        to_time=to_time,
        trades=trades,
        run_dir=run_dir,
        has_progress=progress,
        drills=tuple(drill or ()),
        seed=seed,
    )
    try:
        code = run_replay(options, screen)
    except (ConfigError, BadDataError) as error:
        screen.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        code = WRONG_USE
    raise typer.Exit(code)


if __name__ == "__main__":
    typer.run(main)
