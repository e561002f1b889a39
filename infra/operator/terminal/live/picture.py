"""The whole screen: distributes the available lines among its parts."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.text import Text

from infra.operator.terminal.live.activity import (
    actors_line,
    actors_table,
    events,
    orders_table,
    trades_table,
)
from infra.operator.terminal.live.assets import AssetRow, asset_table, flat_line, short_lines
from infra.operator.terminal.live.banner import head, reasons
from infra.operator.terminal.live.figures import figures_table
from infra.operator.terminal.live.money import bars, money
from infra.operator.terminal.live.rows import fitted, joined, ruled, safe
from infra.operator.terminal.live.scene import Panel, Scene

_TALL = 16
"""Number of lines below the money from which each limit gets a bar."""
_WIDE = 150
"""Width from which figures and reasons are in the asset's row instead of under it, cells."""
_FEW_EVENTS, _MANY_EVENTS = 3, 6
_HELP = (
    ("q", "stop in order; positions stay under their stops at the exchange"),
    ("p", "pause all: open nothing more; `bin/ctl resume all` ends it"),
    ("!", "panic: close everything, open nothing until `bin/ctl rearm`; asks first"),
    ("tab", "next panel: assets, trades, figures, orders, actors, log"),
    ("?", "this help, and back"),
    ("", ""),
    ("RUNNING", "trades; lines in yellow show what is blocked"),
    ("PAUSED", "you have paused all entries"),
    ("COOLDOWN", "the portfolio is in cooldown until the time shown"),
    ("MALFUNCTION", "something is broken, or a position has no stop: nothing is opened"),
    ("STALE", "prices are too old to trade on"),
    ("HALTED", "a protection closed everything; `bin/ctl rearm` ends it"),
    ("PANIC", "you closed everything; `bin/ctl rearm` ends it"),
    ("DOWN", "the portfolio does not answer"),
)


class Picture:
    """A scene drawn to fill the terminal, whatever its size."""

    def __init__(self, scene: Scene) -> None:
        """Take the scene to draw."""
        self._scene = scene

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield exactly as many lines as the terminal has, each of full width."""
        width, height = options.max_width, options.height or console.height
        lines = drawn(self._scene, width, height)
        for index, line in enumerate(lines):
            yield from console.render_lines(
                line, options.update(width=width, height=1, no_wrap=True), pad=True
            )[0]
            if index < len(lines) - 1:
                yield Segment.line()


def drawn(scene: Scene, width: int, height: int) -> list[Text]:
    """Return the lines of the screen: as many as the terminal has, none wider than it.

    State, reasons, PnL and open positions come first; everything else shares what is left.
    """
    rows = [AssetRow(scene, asset) for asset in scene.assets]
    body = height - 3  # without the head, the money and the keys
    least = len(short_lines(rows, width))
    most = max(1, min(body - least, height // 4))
    top = [head(scene, width), *reasons(scene, width, most), money(scene, width)]
    room = max(0, height - len(top))
    last = [keys(scene, width)] if scene.note or least < room else []
    room -= len(last)
    middle = _panel(scene, rows, width, room)[:room]
    middle += [Text()] * (room - len(middle))
    return [fitted(line, width) for line in [*top, *middle, *last]][:height]


def keys(scene: Scene, width: int) -> Text:
    """Return the last line: the keys, or a note instead."""
    if scene.note:
        return fitted(safe(scene.note, "bold reverse"), width)
    if not scene.has_keys:
        return fitted(Text("Ctrl-C stops in order", "dim"), width)
    after = scene.panel.following
    parts = [("q", "stop"), ("p", "pause all"), ("!", "panic"), ("tab", after), ("?", "help")]
    return joined([Text.assemble((f"{key} ", "bold"), (word, "dim")) for key, word in parts], width)


def _panel(scene: Scene, rows: list[AssetRow], width: int, room: int) -> list[Text]:
    if scene.panel is Panel.ASSETS:
        return _assets(scene, rows, width, room)
    held = short_lines(rows, width, room)
    left = max(0, room - len(held) - 1)
    lines = _PANELS[scene.panel](scene, width, left)[:left]
    return [*held, ruled(scene.panel, width), *lines]


def _log(scene: Scene, width: int, room: int) -> list[Text]:
    return events(scene.events, width, room)


def _help(_scene: Scene, _width: int, _room: int) -> list[Text]:
    return [Text.assemble((f"{key:<12}", "bold"), does) for key, does in _HELP]


_PANELS: Mapping[Panel, Callable[[Scene, int, int], list[Text]]] = {
    Panel.TRADES: lambda scene, width, _: trades_table(scene, width),
    Panel.FIGURES: lambda scene, width, _: figures_table(scene, width),
    Panel.ORDERS: lambda scene, width, _: orders_table(scene, width),
    Panel.ACTORS: lambda scene, width, _: actors_table(scene, width),
    Panel.LOG: _log,
    Panel.HELP: _help,
}


class _Room:
    """The lines still available."""

    def __init__(self, lines: int) -> None:
        self.left = max(0, lines)

    def take(self, lines: Iterable[Text]) -> list[Text]:
        """Return all of some lines if there is room for all, otherwise none."""
        wanted = list(lines)
        if len(wanted) > self.left:
            return []
        self.left -= len(wanted)
        return wanted

    def keep(self, lines: int) -> int:
        """Reserve lines, as far as available, and return how many."""
        kept = min(lines, self.left)
        self.left -= kept
        return kept


def _assets(scene: Scene, rows: list[AssetRow], width: int, lines: int) -> list[Text]:
    room = _Room(lines)
    limits, actors = bars(scene, width, is_short=lines < _TALL), actors_line(scene, width)
    beside = len(limits) + 1 + (_FEW_EVENTS + 1 if scene.events else 0)
    if width < _WIDE and 2 * len(rows) + 1 + beside <= lines:
        found = room.take(_detailed(rows, width))
    else:
        found = _table(rows, width, room)
    kept = room.keep(_FEW_EVENTS if scene.events else 0)
    upper = [*room.take(limits), *found, *room.take([actors])]
    kept += room.keep(_MANY_EVENTS)
    upper += room.take([scene.trace] if scene.trace.cell_len else [])
    upper += room.take([ruled("events", width)] if scene.events else [])
    return [*upper, *events(scene.events, width, kept + room.left)]


def _detailed(rows: list[AssetRow], width: int) -> Iterator[Text]:
    title, *lines = asset_table(rows, width, has_why=False)
    yield title
    for row, line in zip(rows, lines, strict=True):
        yield line
        yield row.detail(width)


def _table(rows: list[AssetRow], width: int, room: _Room) -> list[Text]:
    """Return the largest table that fits, down to only the open positions."""
    held = [row for row in rows if row.held is not None]
    flat = [row for row in rows if row.held is None]
    short = short_lines(rows, width)
    rest = [flat_line(flat, width)] if flat else []
    forms = [asset_table(rows, width, has_why=True), [*short, *rest], short]
    if held and flat:
        forms.insert(1, [*asset_table(held, width, has_why=True), *rest])
    for form, spare in zip(forms, (_FEW_EVENTS, _FEW_EVENTS, 1, 0), strict=False):
        if len(form) + spare <= room.left:
            return room.take(form)
    return room.take(short_lines(rows, width, room.left))
