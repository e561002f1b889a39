"""The results of downloading and checking candle files."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from loguru import logger
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from domain.errors import ConfigError
from domain.market.instruments import MINUTE_MS
from infra.candles.checks import FileReport
from infra.operator.terminal.screen import Screen
from infra.process.times import show_time
from infra.settings.instruments_section import symbols_of
from infra.venues.bybit.download import Part, Wanted
from infra.venues.bybit.options import read_symbols
from infra.venues.bybit.patient import patient_rest
from infra.venues.bybit.rest import BybitRest


def wanted_symbols(text: str | None, settings: Path | None) -> Sequence[str]:
    """Return the perpetuals that the options or a settings file name.

    Raises:
        ConfigError: neither is given, or cannot be read.
    """
    if text is not None:
        return read_symbols(text)
    if settings is None:
        raise ConfigError("expected --symbols BTCUSDT,ETHUSDT, or --settings FILE that names them")
    return symbols_of(settings)


def public_rest(url: str, screen: Screen) -> BybitRest:
    """Return a client for public data; its warnings go to the screen.

    Raises:
        ConfigError: the address is not an HTTP address.
    """

    def show(message: str) -> None:
        screen.print(message.rstrip("\n"), style="yellow", highlight=False)

    logger.configure(handlers=[{"sink": show, "level": "WARNING", "format": "{message}"}])
    return patient_rest(url)


def fetch(parts: Sequence[Part], screen: Screen) -> None:
    """Fetch what is missing, and show the progress."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("requests, left"),
        TimeRemainingColumn(),
        console=screen,
        disable=not screen.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=sum(len(part.missing) for part in parts))
        for part in parts:
            bar.update(task, description=part.what)
            part.run(lambda: bar.advance(task))


def downloaded_table(parts: Iterable[Part]) -> Table:
    """Return a row for each file with the times that it now covers."""
    table = _table("file", "rows", "from", "to")
    for part in parts:
        times = part.file.times
        if len(times):
            ends = show_time(int(times[0])), show_time(int(times[-1]))
            table.add_row(part.file.path.name, f"{len(times):,}", *ends)
    return table


def missing_texts(parts: Iterable[Part]) -> Iterator[str]:
    """Yield a line for each file of which the exchange has nothing."""
    for part in parts:
        if not len(part.file.times):
            wanted = " to ".join(map(show_time, part.wanted))
            yield f"{part.what}: the exchange has none from {wanted}"


def future_text(wanted: Wanted, until_ms: int) -> str:
    """Return the text for a download whose end is in the future; until_ms is the present."""
    closed_ms = until_ms // wanted.candle_ms * wanted.candle_ms
    asked = "" if wanted.to_ms is None else show_time(wanted.to_ms)
    text = f"--to {asked} is in the future: the newest closed candle ended"
    return f"{text} {show_time(closed_ms)} UTC"


def report_table(reports: Iterable[FileReport]) -> Table:
    """Return a row for each file that was checked."""
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


def finding_texts(report: FileReport) -> Iterator[str]:
    """Yield a line for each kind of finding in a file."""
    for finding in report.findings:
        more = finding.count - len(finding.examples)
        examples = "; ".join(finding.examples) + (f"; and {more:,} more" if more else "")
        yield f"{report.path.name}: {finding.kind}: {examples}"
