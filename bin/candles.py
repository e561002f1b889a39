"""The command `bin/candles`: downloads market history, and checks what lies in a folder."""

import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from loguru import logger
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bin.command import start
from domain.errors import BadDataError, ConfigError, UnavailableError
from domain.market.instruments import MINUTE_MS
from infra.candles.checks import FileReport, Limits, check_folder
from infra.candles.history_files import held
from infra.net.server_clock import ServerClock
from infra.operator.terminal.screen import Screen
from infra.process.times import read_time, show_time
from infra.settings import instruments_section
from infra.venues.bybit.download import Download, Part, Wanted
from infra.venues.bybit.http.client import PATIENCE
from infra.venues.bybit.limits import bybit_limiter
from infra.venues.bybit.listings import NotTradableError, find_listing
from infra.venues.bybit.rest import BybitRest
from infra.venues.bybit.shapes.queries import interval_of
from infra.venues.bybit.venues import mainnet

DONE, FOUND_OR_GAVE_UP, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

_PATIENCE = replace(PATIENCE, answer_s=10.0, read_budget_s=20.0)
"""Nobody trades on these answers: better late than broken off."""

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
        typer.Option("--to", metavar="ISO", help="Last candle's close time, UTC; else now."),
    ] = None,
    interval: Annotated[int, typer.Option(help="Minutes of a candle.")] = 5,
    url: Annotated[
        str, typer.Option(help="Where the exchange is; public data, no key is used.")
    ] = mainnet(None).rest_url,
) -> None:
    """Fetch candles and funding from Bybit: SYMBOL.parquet and SYMBOL.funding.parquet.

    Only what the files lack is fetched, so a broken download goes on with the same command.
    """
    rest = None
    try:
        wanted = Wanted(
            symbols=_symbols(symbols),
            from_ms=read_time("--from", from_time),
            to_ms=None if to_time is None else read_time("--to", to_time),
            candle_ms=_candle_ms(interval),
        )
        rest = _rest(url)
        with held(directory):
            work = Download(rest, directory, wanted)
            parts = work.parts()
            _fetch(parts)
        code = _tell_downloaded(parts)
        _tell_future(wanted, work.to_ms)
    except (ConfigError, BadDataError) as error:
        code = _tell(str(error), WRONG_USE)
    except UnavailableError as error:
        code = _tell(f"{url}: {error}; the same command goes on where it was", FOUND_OR_GAVE_UP)
    except KeyboardInterrupt:
        code = _tell("stopped; the same command goes on where it was", INTERRUPTED)
    finally:
        if rest is not None:
            rest.close()
    raise typer.Exit(code)


@app.command()
def verify(
    *,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the files.")],
    interval: Annotated[
        int | None, typer.Option(help="Minutes of a candle; else each file's most frequent step.")
    ] = None,
    max_jump: Annotated[
        float, typer.Option(help="Fraction from a close to the next open; more is suspicious.")
    ] = Limits().jump,
    max_range: Annotated[
        float, typer.Option(help="Fraction from a candle's low to its high; more is suspicious.")
    ] = Limits().range,
    max_funding_rate: Annotated[
        float, typer.Option(help="Fraction of one settlement; more is suspicious.")
    ] = Limits().funding_rate,
) -> None:
    """Check candle and funding files: gaps, duplicates, order, grid, impossible prices, jumps.

    The exit code is 1 where anything was found.
    """
    limits = Limits(jump=max_jump, range=max_range, funding_rate=max_funding_rate)
    try:
        candle_ms = None if interval is None else _candle_ms(interval)
        reports = check_folder(directory, limits, candle_ms)
    except ConfigError as error:
        raise typer.Exit(_tell(str(error), WRONG_USE)) from error
    Screen().print(_report_table(reports))
    for report in reports:
        _tell_findings(report)
    raise typer.Exit(FOUND_OR_GAVE_UP if any(report.findings for report in reports) else DONE)


@app.command()
def instruments(
    *,
    symbols: Annotated[
        str | None,
        typer.Option(help="USDT perpetuals: BTCUSDT,ETHUSDT; else all that --settings names."),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="Settings file to write them into; else they are printed."),
    ] = None,
    url: Annotated[
        str, typer.Option(help="Where the exchange is; public data, no key is used.")
    ] = mainnet(None).rest_url,
) -> None:
    """Fetch the order filters of perpetuals, as the section `instruments` of the settings."""
    rest = None
    try:
        wanted = _wanted_symbols(symbols, settings)
        rest = _rest(url)
        found = [find_listing(rest, symbol, Decimal(1)).instrument for symbol in wanted]
        if settings is None:
            typer.echo(instruments_section.section(found), nl=False)
        else:
            instruments_section.write(settings, found)
            _screen.print(f"{settings}: {', '.join(wanted)}", highlight=False, soft_wrap=True)
        code = DONE
    except (ConfigError, BadDataError) as error:
        code = _tell(str(error), WRONG_USE)
    except NotTradableError as error:
        code = _tell(f"{error}; nothing was written", FOUND_OR_GAVE_UP)
    except UnavailableError as error:
        code = _tell(f"{url}: {error}; nothing was written", FOUND_OR_GAVE_UP)
    except KeyboardInterrupt:
        code = _tell("stopped; nothing was written", INTERRUPTED)
    finally:
        if rest is not None:
            rest.close()
    raise typer.Exit(code)


def _wanted_symbols(text: str | None, settings: Path | None) -> Sequence[str]:
    if text is not None:
        return _symbols(text)
    if settings is None:
        raise ConfigError("expected --symbols BTCUSDT,ETHUSDT, or --settings FILE that names them")
    return instruments_section.symbols_of(settings)


def _symbols(text: str) -> Sequence[str]:
    symbols = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    wrong = [s for s in symbols if not (s.isascii() and s.isalnum() and s.isupper())]
    if wrong or not symbols:
        raise ConfigError(
            f"--symbols {text!r}: expected perpetuals as the exchange names them, like "
            "BTCUSDT,ETHUSDT"
        )
    return symbols


def _candle_ms(minutes: int) -> int:
    try:
        interval_of(minutes * MINUTE_MS)
    except ValueError as error:
        allowed = "1, 3, 5, 15, 30, 60, 120, 240, 360 or 720"
        raise ConfigError(f"--interval {minutes}: expected minutes: {allowed}") from error
    return minutes * MINUTE_MS


def _rest(url: str) -> BybitRest:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ConfigError(f"--url {url}: expected an address like https://api.bybit.com")
    logger.configure(handlers=[{"sink": _log, "level": "WARNING", "format": "{message}"}])
    return BybitRest(
        None,
        url,
        limiter=bybit_limiter(),
        clock=ServerClock(),
        rng=random.Random(),  # noqa: S311 - spreads retries
        patience=_PATIENCE,
    )


def _fetch(parts: list[Part]) -> None:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("requests, left"),
        TimeRemainingColumn(),
        console=_screen,
        disable=not _screen.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=sum(len(part.missing) for part in parts))
        for part in parts:
            bar.update(task, description=part.what)
            part.run(lambda: bar.advance(task))


def _tell_downloaded(parts: list[Part]) -> int:
    table = _table("file", "rows", "from", "to")
    code = DONE
    for part in parts:
        times = part.file.times
        if len(times):
            ends = show_time(int(times[0])), show_time(int(times[-1]))
            table.add_row(part.file.path.name, f"{len(times):,}", *ends)
            continue
        wanted = " to ".join(map(show_time, part.wanted))
        code = _tell(f"{part.what}: the exchange has none from {wanted}", FOUND_OR_GAVE_UP)
    Screen().print(table)
    return code


def _tell_future(wanted: Wanted, until_ms: int | None) -> None:
    if wanted.to_ms is None or until_ms is None or wanted.to_ms <= until_ms:
        return
    closed_ms = until_ms // wanted.candle_ms * wanted.candle_ms
    text = f"--to {show_time(wanted.to_ms)} is in the future: the newest closed candle ended"
    _screen.print(f"{text} {show_time(closed_ms)} UTC", highlight=False, soft_wrap=True)


def _report_table(reports: list[FileReport]) -> Table:
    table = _table("file", "rows", "step", "from", "to", "wrong")
    for report in reports:
        step = "-" if report.step_ms is None else f"{report.step_ms / MINUTE_MS:g}m"
        ends = ["-" if ms is None else show_time(ms) for ms in (report.first_ms, report.last_ms)]
        count = sum(finding.count for finding in report.findings)
        table.add_row(report.path.name, f"{report.rows:,}", step, *ends, f"{count:,}")
    return table


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _tell_findings(report: FileReport) -> None:
    out = Screen()
    for finding in report.findings:
        more = finding.count - len(finding.examples)
        examples = "; ".join(finding.examples) + (f"; and {more:,} more" if more else "")
        line = f"{report.path.name}: {finding.kind}: {examples}"
        out.print(line, highlight=False, soft_wrap=True)


def _log(message: str) -> None:
    _screen.print(message.rstrip("\n"), style="yellow", highlight=False)


def _tell(text: str, code: int) -> int:
    _screen.print(text, style="red", highlight=False, soft_wrap=True)
    return code


if __name__ == "__main__":
    start(app, "candles")
