"""The activity of the system: actors, events, trades and orders, each as fitting lines."""

from collections.abc import Sequence

from rich.text import Text

from domain.operator import wording as say
from domain.operator.system import ActorState
from domain.trading.orders import OrderStatus
from infra.operator.terminal.live.rows import Column, fitted, safe, table, wrapped
from infra.operator.terminal.live.scene import Scene

_MANY_WAITING = 20
_ROUTINE = ("TRACE", "DEBUG", "INFO", "SUCCESS")
_TWO_EACH = 12
"""Number of free lines from which routine events get two lines as well."""
_YEAR = len("2026-")


def actors_line(scene: Scene, width: int) -> Text:
    """Return all actors in a line; only those in trouble by name."""
    actors = scene.seen.actors
    line = Text.assemble(("actors ", "dim"), f"{sum(a.is_running for a in actors)} running")
    for actor in sorted(filter(_is_odd, actors), key=_seriousness):
        line.append_text(Text("  ")).append_text(_odd(actor))
    if scene.seen.set_aside:
        line.append(f"  {scene.seen.set_aside} set aside: ctl deadletters", "yellow")
    return fitted(line, width)


def _is_odd(actor: ActorState) -> bool:
    is_busy = actor.depth > _MANY_WAITING
    return bool(actor.is_given_up or actor.restarts or is_busy or not actor.is_running)


def _seriousness(actor: ActorState) -> tuple[bool, bool, int]:
    return not actor.is_given_up, actor.is_running, -actor.depth


def _odd(actor: ActorState) -> Text:
    if actor.is_given_up:
        return safe(f"{actor.address} GIVEN UP", "bold bright_red")
    words = [actor.address]
    words += [] if actor.is_running else ["not running"]
    words += [f"restarted {actor.restarts}x"] if actor.restarts else []
    words += [f"{actor.depth} waiting"] if actor.depth > _MANY_WAITING else []
    return safe(" ".join(words), "yellow" if actor.is_running else "bold bright_red")


def actors_table(scene: Scene, width: int) -> list[Text]:
    """Return all actors, those in trouble first."""
    actors = sorted(scene.seen.actors, key=lambda actor: (not _is_odd(actor), actor.address))
    if not actors:
        return [Text("no actor is known", "dim")]
    columns = [
        Column(title="actor", cells=[safe(actor.address) for actor in actors]),
        Column(title="state", cells=[_actor_state(actor) for actor in actors], rank=1),
        Column(
            title="restarts", cells=[_count(a.restarts) for a in actors], is_number=True, rank=2
        ),
        Column(title="waiting", cells=[_count(a.depth) for a in actors], is_number=True, rank=3),
        Column(title="handled", cells=[_count(a.handled) for a in actors], is_number=True, rank=6),
        Column(title="p50 ms", cells=[_ms(a.p50_ms) for a in actors], is_number=True, rank=7),
        Column(title="p99 ms", cells=[_ms(a.p99_ms) for a in actors], is_number=True, rank=5),
        Column(title="crash", cells=[safe(a.crash_id) for a in actors], rank=4),
        Column(title="cause", cells=[safe(a.last_failure) for a in actors], rank=8, least=20),
    ]
    return table(columns, width)


def _actor_state(actor: ActorState) -> Text:
    if actor.is_given_up:
        return Text("GIVEN UP", "bold bright_red")
    return Text("running", "green") if actor.is_running else Text("not running", "bold bright_red")


def _count(number: int) -> Text:
    return Text(f"{number:,}", "dim" if not number else "")


def _ms(value: float | None) -> Text:
    return Text() if value is None else Text(f"{value:.2f}")


def events(found: Sequence[Text], width: int, room: int) -> list[Text]:
    """Return the newest events, the newest at the bottom, on at most so many lines.

    Warnings and worse get two lines each; routine events get one if there is little room.
    """
    lines: list[Text] = []
    for event in reversed(found):
        most = 1 if _is_routine(event) and room < _TWO_EACH else 2
        shown = wrapped(event, width, min(most, max(1, room)))
        if len(lines) + len(shown) > room:
            break
        lines[:0] = shown
    return lines[-room:] if room > 0 else []


def _is_routine(event: Text) -> bool:
    words = event.plain.split(maxsplit=2)
    return len(words) > 1 and words[1] in _ROUTINE


def trades_table(scene: Scene, width: int) -> list[Text]:
    """Return the newest closed trades, newest first."""
    trades = scene.trades
    if not trades:
        return [Text("no closed trades yet", "dim")]
    columns = [
        Column(title="closed, UTC", cells=[Text(_minute(trade.exit_ms)) for trade in trades]),
        Column(title="asset", cells=[safe(trade.asset, "bold") for trade in trades]),
        Column(title="side", cells=[Text(say.direction(trade.side)) for trade in trades], rank=2),
        Column(title="qty", cells=[Text(f"{t.qty:f}") for t in trades], is_number=True, rank=5),
        Column(
            title="entry",
            cells=[_exact_price(scene, t.asset, t.entry_price) for t in trades],
            is_number=True,
            rank=6,
        ),
        Column(
            title="exit",
            cells=[_exact_price(scene, t.asset, t.exit_price) for t in trades],
            is_number=True,
            rank=6,
        ),
        Column(title="PnL USDT", cells=[_pnl(t.pnl) for t in trades], is_number=True, rank=1),
        Column(
            title="fees", cells=[Text(f"{t.fees:,.2f}") for t in trades], is_number=True, rank=8
        ),
        Column(
            title="held",
            cells=[Text(say.duration(t.exit_ms - t.entry_ms)) for t in trades],
            is_number=True,
            rank=7,
        ),
        Column(title="reason", cells=[Text(str(trade.reason)) for trade in trades], rank=3),
    ]
    return table(columns, width)


def orders_table(scene: Scene, width: int) -> list[Text]:
    """Return the newest orders: unknown ones on top, then newest first."""
    orders = sorted(scene.orders, key=lambda order: order.state.status is not OrderStatus.UNKNOWN)
    if not orders:
        return [Text("no orders yet", "dim")]
    asked = [order.intent.request for order in orders]
    columns = [
        Column(title="decided", cells=[Text(_minute(o.intent.decided_ms)) for o in orders]),
        Column(title="asset", cells=[safe(one.asset, "bold") for one in asked]),
        Column(title="side", cells=[Text(str(one.side)) for one in asked], rank=2),
        Column(title="qty", cells=[Text(f"{one.qty:f}") for one in asked], is_number=True, rank=2),
        Column(title="purpose", cells=[Text(str(o.intent.purpose)) for o in orders], rank=3),
        Column(title="status", cells=[_status(order.state.status) for order in orders], rank=1),
        Column(title="id", cells=[safe(order.client_order_id, "dim") for order in orders], rank=4),
        Column(title="detail", cells=[safe(o.detail) for o in orders], rank=5, least=16),
    ]
    return table(columns, width)


_STATUS = {
    OrderStatus.UNKNOWN: "bold white on red",
    OrderStatus.REJECTED: "bold bright_red",
    OrderStatus.FILLED: "green",
}


def _status(status: OrderStatus) -> Text:
    return Text(str(status), _STATUS.get(status, ""))


def _pnl(value: object) -> Text:
    return Text(f"{value:+,.2f}", "green" if f"{value:+f}".startswith("+") else "red")


def _exact_price(scene: Scene, asset: str, price: object) -> Text:
    found = next((rules for rules in scene.rules.assets if rules.asset == asset), None)
    if found is None:
        return Text(f"{price:,f}")
    return Text(say.price(price, found.instrument).replace("$", ""))  # type: ignore[arg-type]


def _minute(time_ms: int) -> str:
    return say.utc(time_ms).removesuffix(" UTC")[_YEAR:]
