"""Texts about the system itself: actors, connections, start and stop."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from actors.core.messages import Ending, GivenUp
from actors.messages import ConnectionLost, ConnectionRestored, SystemChanged
from actors.names import PORTFOLIO, asset_of
from domain.operator import wording as say
from domain.operator.commands import SettingsChanged
from domain.operator.notices import Notice, NoticeKind
from domain.rules import TradingRules
from domain.trading.positions import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """The description of a run in notices."""

    mode: str
    account: str
    """The account that orders go to."""
    started_ms: int

    @property
    def start_key(self) -> str:
        """Key of the notice of its start."""
        return f"start/{self.started_ms}"


START, STOP = "start", "stop"
START_AND_STOP = (START, STOP)
_RESTARTED = "restarted "
_ASSETS = 6
"""Most assets named in a title."""
_CHANGES = 20
"""Most changed settings named in a notice."""


def restarted(address: str, ending: Ending, generation: int, t_ms: int) -> Notice:
    """Return the notice that an actor crashed or hung, and is back."""
    count = [f"Restart {ending.failures} of {ending.allowed} allowed"]
    if ending.failures > ending.allowed:
        count = [_too_many(ending.failures, ending.allowed), "Given up, but restarted anyway"]
    lines = [
        f"⚠️ {address} {'hung' if ending.is_hang else 'crashed'}, is back",
        f"Cause: {say.words(ending.cause)}",
        *count,
        f"Back after {say.duration(ending.down_ms)}",
        f"Crash id {ending.crash_id}",
        say.utc_second(t_ms),
    ]
    return Notice(
        key=f"restart/{address}/{generation}/{t_ms}",
        kind=NoticeKind.ACTOR,
        asset=asset_of(address),
        cause=f"{_RESTARTED}{address}",
        t_ms=t_ms,
        text="\n".join(lines),
    )


def _too_many(failures: int, allowed: int) -> str:
    return f"Failures {failures}, restarts allowed {allowed}"


def restarts_by_address(causes: Mapping[str, int]) -> dict[str, int]:
    """Return the restarts of each actor, counted by the causes of notices."""
    return {
        cause.removeprefix(_RESTARTED): count
        for cause, count in causes.items()
        if cause.startswith(_RESTARTED)
    }


def given_up(message: GivenUp, run: RunInfo, t_ms: int) -> Notice:
    """Return the notice that an actor failed too often. It is a risk: something is suspended."""
    address, crash = message.address, message.crash_id
    asset = asset_of(address)
    suspended = ["Its part of the system is suspended."]
    if asset is not None:
        suspended = [f"{asset} opens nothing.", "A position stays under its stop."]
    elif address == PORTFOLIO:
        suspended = ["Nothing more is opened.", "The system shuts down."]
    lines = [
        f"{say.SIREN} {address} was given up",
        f"Cause: {say.words(message.cause)}",
        *([_too_many(message.failures, message.allowed)] if message.failures else []),
        *([] if crash is None else [f"Crash id {crash}"]),
        *suspended,
        "You can: restart it, or the system.",
        say.utc_second(t_ms),
    ]
    return Notice(
        key=f"given up/{address}/{run.started_ms}/{crash or ''}",
        kind=NoticeKind.RISK,
        asset=asset,
        cause=given_up_cause(address),
        t_ms=t_ms,
        text="\n".join(lines),
    )


def given_up_cause(address: str) -> str:
    """Return the common cause of all notices that an actor was given up."""
    return f"given up {address}"


def connection_lost(lost: Sequence[ConnectionLost], lasting_ms: int | None, t_ms: int) -> Notice:
    """Return the notice of lost connections.

    Args:
        lost: connections of one kind, at least one.
        lasting_ms: how long, if already notified; None: it is new.
        t_ms: the present.
    """
    what, cause = lost[0].what, say.words(lost[0].detail) or "not known"
    state = "lost" if lasting_ms is None else "still lost"
    lines = [
        f"🔌 {_assets(each.asset for each in lost)}: {what} {state}",
        *([] if lasting_ms is None else [f"For {say.duration(lasting_ms)} now"]),
        f"Cause: {cause}",
        "It is connected again without your help.",
        say.utc_second(t_ms),
    ]
    return _connection([each.asset for each in lost], f"{what} lost", t_ms, lines)


def connection_restored(back: Sequence[ConnectionRestored], t_ms: int) -> Notice:
    """Return the notice of restored connections of one kind."""
    what, down_ms = back[0].what, max(each.down_ms for each in back)
    candles = [each.candles for each in back if each.candles is not None]
    lines = [
        f"🔌 {_assets(each.asset for each in back)}: {what} is back",
        f"It was lost for {say.duration(down_ms)}",
        *([f"Candles fetched: {sum(candles)}"] if candles else []),
        say.utc_second(t_ms),
    ]
    return _connection([each.asset for each in back], f"{what} back", t_ms, lines)


def _assets(found: Iterable[str]) -> str:
    names = sorted(found)
    more = len(names) - _ASSETS
    return ", ".join(names[:_ASSETS]) + (f" and {more} more" if more > 0 else "")


def _connection(assets: Sequence[str], cause: str, t_ms: int, lines: list[str]) -> Notice:
    names = ",".join(sorted(assets))
    return Notice(
        key=f"connection/{names}/{cause}/{t_ms}",
        kind=NoticeKind.CONNECTION,
        asset=assets[0] if len(assets) == 1 else None,
        cause=cause,
        t_ms=t_ms,
        text="\n".join(lines),
    )


def started(
    run: RunInfo,
    *,
    balance: Decimal | None,
    positions: Sequence[Position],
    was_ended: bool,
    rules: TradingRules,
) -> Notice:
    """Return the notice that the system has started.

    Args:
        run: its description.
        balance: of the wallet; None if the portfolio did not answer.
        positions: that were found open.
        was_ended: whether the previous run, if any, shut down cleanly.
        rules: names the assets.
    """
    lines = [
        f"🚀 Started: {run.mode}",
        f"Account: {run.account}",
        *say.listed("Assets:", (asset.asset for asset in rules.assets)),
        f"Balance {'not known' if balance is None else say.usdt(balance)}",
        f"Open positions found: {len(positions) or 'none'}",
        *(position_line(position, rules) for position in positions),
        *([] if was_ended else ["The last run did not shut down cleanly."]),
        say.utc_second(run.started_ms),
    ]
    return _system(run.start_key, START, run.started_ms, lines)


def stopping(run: RunInfo, why: str, positions: Sequence[Position], t_ms: int) -> Notice:
    """Return the notice that the system is about to stop."""
    lines = [
        f"🛑 Stopping: {run.mode}",
        f"Reason: {say.words(why)}",
        f"Open, under their stops: {len(positions) or 'none'}",
        say.utc_second(t_ms),
    ]
    return _system(f"stop/{run.started_ms}", STOP, t_ms, lines)


def system_changed(message: SystemChanged, t_ms: int) -> Notice:
    """Return the notice of a change that has its own text."""
    lines = [f"⚙️ {say.words(message.title)}", say.words(message.detail), say.utc_second(t_ms)]
    return _system(f"system/{message.key}", message.title, t_ms, [line for line in lines if line])


def settings_changed(fact_id: int, changed: SettingsChanged) -> Notice:
    # Values that a new pair leaves to its strategy are not changes.
    changes = [c for c in changed.changes.splitlines() if not c.endswith(": nothing -> null")]
    more = len(changes) - _CHANGES
    lines = [
        f"⚙️ Settings changed ({say.words(changed.operator)})",
        *map(say.words, changes[:_CHANGES]),
        *([f"and {more} more: bin/ctl audit"] if more > 0 else []),
        say.utc_second(changed.ts_ms),
    ]
    return _system(f"settings/{fact_id}", "settings changed", changed.ts_ms, lines)


def position_line(position: Position, rules: TradingRules) -> str:
    """Return an open position as one line of a list."""
    price = say.price(position.avg_entry_price, rules.asset(position.asset).instrument)
    return f"  {position.asset} {say.direction(position.side)} {position.qty:f} at {price}"


def _system(key: str, cause: str, t_ms: int, lines: list[str]) -> Notice:
    return Notice(
        key=key,
        kind=NoticeKind.SYSTEM,
        asset=None,
        cause=cause,
        t_ms=t_ms,
        text="\n".join(lines),
    )
