"""The command `bin/candles`: downloads market history, and checks the files of a folder."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from bin.command import DONE, WRONG_USE, one_line, say_error, start
from domain.errors import ConfigError, UnavailableError
from infra.candles.checks import Limits, check_folder
from infra.candles.history_files import held
from infra.operator.terminal.candle_files import (
    downloaded_table,
    fetch,
    finding_texts,
    future_text,
    missing_texts,
    public_rest,
    report_table,
    wanted_symbols,
)
from infra.operator.terminal.screen import Screen
from infra.process.times import read_time
from infra.settings import instruments_section
from infra.venues.bybit.download import Download, Wanted
from infra.venues.bybit.listings import NotTradableError, find_listing
from infra.venues.bybit.options import read_candle_ms, read_symbols
from infra.venues.bybit.venues import mainnet

FOUND_OR_GAVE_UP, INTERRUPTED = 1, 130

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Market history in files.")
_screen = Screen(stderr=True)


@app.command()
def download(
    *,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the files.")],
    symbols: Annotated[str, typer.Option(help="USDT perpetuals: BTCUSDT,ETHUSDT.")],
    from_time: Annotated[
        str, typer.Option("--from", metavar="ISO", help="First candle's open time, UTC.")
    ],
    to_time: Annotated[
        str | None,
        typer.Option("--to", metavar="ISO", help="Last candle's close time, UTC; default: now."),
    ] = None,
    interval: Annotated[int, typer.Option(help="Candle length in minutes.")] = 5,
    url: Annotated[
        str, typer.Option(help="Address of the exchange; public data, no key is used.")
    ] = mainnet(None).rest_url,
) -> None:
    """Fetch candles and funding from Bybit: SYMBOL.parquet and SYMBOL.funding.parquet.

    Only what the files lack is fetched, so a broken download goes on with the same command.
    """
    with _told(url, "run the same command again to continue"):
        wanted = Wanted(
            symbols=read_symbols(symbols),
            from_ms=read_time("--from", from_time),
            to_ms=None if to_time is None else read_time("--to", to_time),
            candle_ms=read_candle_ms(interval),
        )
        with closing(public_rest(url, _screen)) as rest:
            with held(directory):
                work = Download(rest, directory, wanted)
                parts = work.parts()
                fetch(parts, _screen)
            code = DONE
            for text in missing_texts(parts):
                say_error(text)
                code = FOUND_OR_GAVE_UP
            Screen().print(downloaded_table(parts))
            if work.to_ms is not None and wanted.to_ms is not None and wanted.to_ms > work.to_ms:
                _screen.print(future_text(wanted, work.to_ms), highlight=False, soft_wrap=True)
    raise typer.Exit(code)


@app.command()
def verify(
    *,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the files.")],
    interval: Annotated[
        int | None, typer.Option(help="Candle minutes; default: each file's most frequent step.")
    ] = None,
    max_jump: Annotated[
        float, typer.Option(help="Report larger moves from a close to the next open (fraction).")
    ] = Limits().jump,
    max_range: Annotated[
        float, typer.Option(help="Report candles with a larger range, low to high (fraction).")
    ] = Limits().range,
    max_funding_rate: Annotated[
        float, typer.Option(help="Report larger funding rates (fraction).")
    ] = Limits().funding_rate,
) -> None:
    """Check candle and funding files: gaps, duplicates, order, grid, impossible prices, jumps.

    The exit code is 1 where anything was found.
    """
    limits = Limits(jump=max_jump, range=max_range, funding_rate=max_funding_rate)
    with one_line({ConfigError: WRONG_USE}):
        candle_ms = None if interval is None else read_candle_ms(interval)
        reports = check_folder(directory, limits, candle_ms)
    out = Screen()
    out.print(report_table(reports))
    for text in (text for report in reports for text in finding_texts(report)):
        out.print(text, highlight=False, soft_wrap=True)
    raise typer.Exit(FOUND_OR_GAVE_UP if any(report.findings for report in reports) else DONE)


@app.command()
def instruments(
    *,
    symbols: Annotated[
        str | None,
        typer.Option(help="USDT perpetuals: BTCUSDT,ETHUSDT; default: all in --settings."),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="Settings file to add them to; without it they are printed."),
    ] = None,
    url: Annotated[
        str, typer.Option(help="Address of the exchange; public data, no key is used.")
    ] = mainnet(None).rest_url,
) -> None:
    """Fetch the order filters of perpetuals for the section `instruments` of the settings."""
    with _told(url, "nothing was written"):
        wanted = wanted_symbols(symbols, settings)
        with closing(public_rest(url, _screen)) as rest:
            found = [find_listing(rest, symbol, Decimal(1)).instrument for symbol in wanted]
        if settings is None:
            typer.echo(instruments_section.section(found), nl=False)
        else:
            instruments_section.write(settings, found)
            _screen.print(f"{settings}: {', '.join(wanted)}", highlight=False, soft_wrap=True)


@contextmanager
def _told(url: str, and_then: str) -> Iterator[None]:
    """Exit with one line on an error; the line says what was not done."""
    code, text = FOUND_OR_GAVE_UP, "stopped"
    try:
        with one_line():
            yield
            return
    except NotTradableError as error:
        text = str(error)
    except UnavailableError as error:
        text = f"{url}: {error}"
    except KeyboardInterrupt:
        code = INTERRUPTED
    say_error(f"{text}; {and_then}")
    raise typer.Exit(code)


if __name__ == "__main__":
    start(app, "candles")
