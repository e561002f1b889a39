"""The top of the screen: the state, the clocks, and every reason for concern."""

from datetime import UTC, datetime

from rich.text import Text

from domain.market.instruments import MINUTE_MS
from domain.operator.system import Reason, SystemState
from infra.operator.terminal.live.rows import fitted, joined, safe, wrapped
from infra.operator.terminal.live.scene import Scene

_BADGE = {
    SystemState.RUNNING: "bold white on green4",
    SystemState.PAUSED: "bold black on yellow",
    SystemState.COOLDOWN: "bold black on yellow",
    SystemState.MALFUNCTION: "bold white on red",
    SystemState.STALE: "bold white on dark_orange3",
    SystemState.HALTED: "bold white on red",
    SystemState.PANIC: "bold white on red",
    SystemState.DOWN: "bold white on red",
}
_LINE = {
    SystemState.RUNNING: "yellow",
    SystemState.PAUSED: "yellow",
    SystemState.COOLDOWN: "yellow",
    SystemState.STALE: "bold dark_orange",
}
_ALARM = "bold bright_red"
_WIDE = 120
"""Width from which the head shows dates, cells."""
_PARTED_MS = 2_000
"""Difference between the two clocks from which it is highlighted."""
_ORDER = (0, 3, 1, 2, 4, 5)
"""Priority of the head's parts: the feed's age comes before the mode and the clocks."""


def head(scene: Scene, width: int) -> Text:
    """Return the first line."""
    seen = scene.seen
    state = Text(f" {seen.state} ", _BADGE[seen.state])
    mode = Text(seen.mode or "replay", "bold")
    clock = _clock if width >= _WIDE else _time
    exchange = Text.assemble(("exchange ", "dim"), clock(seen.now_ms))
    machine = _machine(scene, clock(seen.machine_ms))
    parts = [state, mode, exchange, _feed(scene), machine, safe(seen.account, "dim")]
    return joined(parts, width, _ORDER)


def reasons(scene: Scene, width: int, room: int) -> list[Text]:
    """Return the reasons, the worst first, on at most so many lines.

    With enough room each gets two lines; with little, those left out are counted.
    """
    found = scene.seen.reasons
    if not found or room < 1:
        return []
    lines = [wrapped(_reason(each, scene), width, 2) for each in found]
    if sum(map(len, lines)) <= room:
        return [line for each in lines for line in each]
    short = [fitted(_reason(each, scene), width) for each in found]
    if len(short) <= room:
        return short
    more = Text(f" +{len(short) - room} more", _ALARM)
    last = fitted(_reason(found[room - 1], scene), width - more.cell_len)
    return [*short[: room - 1], Text.assemble(last, more)]


def _reason(reason: Reason, scene: Scene) -> Text:
    style = _LINE.get(reason.state, _ALARM)
    is_said = reason.text.lower().startswith(reason.state.lower())
    state = "" if is_said or reason.state is SystemState.RUNNING else f"{reason.state} "
    line = Text.assemble(("! ", style), (state, style), safe(reason.text, style))
    if reason.until_ms is not None:
        left = max(0, reason.until_ms - scene.seen.now_ms) // MINUTE_MS
        line.append(f", {left} min left, until {_clock(reason.until_ms)}", style)
    return line


def _feed(scene: Scene) -> Text:
    ages = [feed.age_s for feed in scene.seen.feeds.values()]
    known = [age for age in ages if age is not None]
    if not ages:
        return Text()
    if not known:
        return Text("no prices yet", "yellow")
    is_stale = any(feed.is_stale for feed in scene.seen.feeds.values())
    style = "bold white on dark_orange3" if is_stale else "green"
    words = " STALE " if is_stale else ""
    return Text.assemble(("prices ", "dim"), (f"{max(known):.1f} s old{words}", style))


def _machine(scene: Scene, clock: str) -> Text:
    seen = scene.seen
    apart_ms = seen.now_ms - seen.machine_ms
    is_simulated = seen.mode == "sim"
    text = Text.assemble(("machine ", "dim"), clock)
    if not is_simulated and abs(apart_ms) >= _PARTED_MS:
        text.append(f" ({-apart_ms / 1000:+.1f} s)", "bold yellow")
    return text


def _clock(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _time(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%H:%M:%S}"
