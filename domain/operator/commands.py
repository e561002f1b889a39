"""The operator's commands, and the state that follows from them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from domain.operator.pairs import PairAction, PairChange, read_change

ALL = "all"
"""In place of an asset: all assets."""
_Value = TypeVar("_Value")
LIST = "list"
_QTY = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_FRACTION = re.compile(r"[0-9]{0,3}\.?[0-9]{0,12}(?<=[0-9])", re.ASCII)
SYMBOL = "[A-Za-z0-9]{1,20}"
"""A pair as the operator writes it: BTC or BTCUSDT."""
LIKE = ("--like", "\u2014like", "like")
"""Spellings of the option; some phones turn two dashes into a long one."""
CONFIRM_S = 30.0
"""How long a command waits for its confirmation."""


class CommandName(StrEnum):
    """Every command, by its word."""

    STATUS = "status"
    POSITIONS = "positions"
    BALANCE = "balance"
    REGIMES = "regimes"
    COOLDOWNS = "cooldowns"
    TRADES = "trades"
    DAILY = "daily"
    WEEKLY = "weekly"
    PERFORMANCE = "performance"
    PORTFOLIO = "portfolio"
    RISK = "risk"
    HEALTH = "health"
    ACTORS = "actors"
    WHY = "why"
    DEADLETTERS = "deadletters"
    DROP = "drop"
    REDELIVER = "redeliver"
    PAUSE = "pause"
    RESUME = "resume"
    CLOSE = "close"
    REDUCE = "reduce"
    LIQUIDATE = "liquidate"
    RESTART = "restart"
    PANIC = "panic"
    REARM = "rearm"
    RELOAD = "reload"
    PAIRS = "pairs"
    LOG = "log"
    VERSION = "version"
    HELP = "help"


class Parameter(StrEnum):
    """What a command may be followed by."""

    ASSET = "ASSET|all"
    ACTOR = "ACTOR"
    COUNT = "N"
    ID = "ID"
    LEVEL = "LEVEL"
    COMMAND = "COMMAND"
    PART = "ASSET [FRACTION]"
    VIEW = "summary|concentration|pairs"
    PERIOD = "all|DAYSd"
    PAIR = "add SYMBOL [--like SYMBOL] | remove SYMBOL | list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manual:
    """How one command is written and what it does."""

    does: str
    parameter: Parameter | None = None
    is_optional: bool = False
    changes: bool = False
    """Whether it changes anything, or only asks."""

    @property
    def usage(self) -> str:
        """What follows the command's word."""
        if self.parameter is None:
            return ""
        return f"[{self.parameter}]" if self.is_optional else str(self.parameter)


MANUALS: Mapping[CommandName, Manual] = {
    CommandName.STATUS: Manual(does="mode, balance, positions and what blocks entries"),
    CommandName.POSITIONS: Manual(does="open positions with their stops and PnL"),
    CommandName.BALANCE: Manual(does="balance, equity, exposure"),
    CommandName.REGIMES: Manual(does="price, averages and regime of each asset"),
    CommandName.COOLDOWNS: Manual(does="what is in cooldown, why and for how long"),
    CommandName.TRADES: Manual(
        does="the newest trades, 10 by default", parameter=Parameter.COUNT, is_optional=True
    ),
    CommandName.DAILY: Manual(does="the report of this UTC day so far"),
    CommandName.WEEKLY: Manual(does="the report of the last seven days"),
    CommandName.PERFORMANCE: Manual(
        does="figures over all trades, or of the last days (30d), and per asset",
        parameter=Parameter.PERIOD,
        is_optional=True,
    ),
    CommandName.PORTFOLIO: Manual(
        does="capital and returns, the largest positions, or each pair",
        parameter=Parameter.VIEW,
        is_optional=True,
    ),
    CommandName.RISK: Manual(does="every limit with its current value"),
    CommandName.HEALTH: Manual(does="actors, mailboxes, feeds, process"),
    CommandName.ACTORS: Manual(
        does="all actors with restarts and waiting messages, or one with its state and mailbox",
        parameter=Parameter.ACTOR,
        is_optional=True,
    ),
    CommandName.WHY: Manual(
        does="why an order or a trade was made, or what an asset is waiting for",
        parameter=Parameter.ID,
    ),
    CommandName.DEADLETTERS: Manual(
        does="messages that were set aside because they crashed an actor, or one of them",
        parameter=Parameter.ID,
        is_optional=True,
    ),
    CommandName.DROP: Manual(
        does="discard a message that was set aside", parameter=Parameter.ID, changes=True
    ),
    CommandName.REDELIVER: Manual(
        does="deliver a message that was set aside to its actor again",
        parameter=Parameter.ID,
        changes=True,
    ),
    CommandName.PAUSE: Manual(
        does="open no new positions", parameter=Parameter.ASSET, changes=True
    ),
    CommandName.RESUME: Manual(does="end a pause", parameter=Parameter.ASSET, changes=True),
    CommandName.CLOSE: Manual(
        does="close the open position", parameter=Parameter.ASSET, changes=True
    ),
    CommandName.REDUCE: Manual(
        does="close part of a position: a fraction, or what rebalancing advises",
        parameter=Parameter.PART,
        changes=True,
    ),
    CommandName.LIQUIDATE: Manual(
        does="close the position, cancel orders, pause; `all` is a panic",
        parameter=Parameter.ASSET,
        changes=True,
    ),
    CommandName.RESTART: Manual(does="restart one actor", parameter=Parameter.ACTOR, changes=True),
    CommandName.PANIC: Manual(does="close everything, open nothing until rearm", changes=True),
    CommandName.REARM: Manual(
        does="end a panic or a halt; accept the exchange's balance if it differs", changes=True
    ),
    CommandName.RELOAD: Manual(does="read the settings again", changes=True),
    CommandName.PAIRS: Manual(
        does="add a pair, like another one, or remove one once it is flat",
        parameter=Parameter.PAIR,
        changes=True,
    ),
    CommandName.LOG: Manual(
        does="set the lowest level that is logged", parameter=Parameter.LEVEL, changes=True
    ),
    CommandName.VERSION: Manual(does="versions of the program, Python and packages"),
    CommandName.HELP: Manual(
        does="all commands, or one of them", parameter=Parameter.COMMAND, is_optional=True
    ),
}


OUTDATED = "outdated"
"""Not a command, but stored as one: the journal was found to be an older copy."""
FLAT = "flat"
"""Not a command, but stored as one: the exchange has shown that an asset's liquidation is over."""
BINDING = (
    CommandName.PAUSE,
    CommandName.RESUME,
    CommandName.CLOSE,
    CommandName.REDUCE,
    CommandName.LIQUIDATE,
    CommandName.PANIC,
    CommandName.REARM,
    CommandName.PAIRS,
)
"""Commands that survive restarts, until they are done or another command ends them."""


PROTECTING = (CommandName.PAUSE, CommandName.CLOSE, CommandName.LIQUIDATE, CommandName.PANIC)
"""Commands that can open nothing: they are carried out even if they cannot be stored."""


_CONFIRMED = (CommandName.REDUCE, CommandName.PANIC, CommandName.REARM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command with its argument."""

    name: CommandName
    argument: str = ""

    @property
    def needs_confirmation(self) -> bool:
        """Tell whether it has to be confirmed."""
        is_close_all = self.name is CommandName.CLOSE and self.argument.lower() == ALL
        return is_close_all or self.name in _CONFIRMED

    @property
    def changes(self) -> bool:
        return MANUALS[self.name].changes and str(self) != f"{CommandName.PAIRS} {LIST}"

    def __str__(self) -> str:
        return f"{self.name} {self.argument}".rstrip()


class UnknownCommandError(ValueError):
    """The text is not a command; the message says what would be."""


_ACTIONS = {
    "list": CommandName.DEADLETTERS,
    "show": CommandName.DEADLETTERS,
    "drop": CommandName.DROP,
    "redeliver": CommandName.REDELIVER,
}
"""Words after `deadletters`, each with the command that it means."""


def parse(text: str) -> Command:
    """Return the command in a text: a word and perhaps its argument.

    `deadletters drop ID` is `drop ID`, as are its other actions.

    Raises:
        UnknownCommandError: it is not a command.
    """
    words = text.split()
    word = words[0].lstrip("/").partition("@")[0].lower() if words else ""
    if word not in {name.value for name in CommandName}:
        raise _unknown(text)
    name, argument = CommandName(word), words[1:]
    if name is CommandName.DEADLETTERS and argument and argument[0].lower() in _ACTIONS:
        name, argument = _ACTIONS[argument[0].lower()], argument[1:]
    return checked(name, " ".join(argument))


def checked(name: CommandName, argument: str) -> Command:
    """Return a command with the argument that it needs; `liquidate all` is a panic.

    Raises:
        UnknownCommandError: the argument is missing, too much, or not what it should be.
    """
    manual, words = MANUALS[name], argument.split()
    usage = f"{name} {manual.usage}".rstrip()
    is_missing = not argument and manual.parameter is not None and not manual.is_optional
    most = _MOST_WORDS.get(manual.parameter, 1)
    if is_missing or (argument and manual.parameter is None) or len(words) > most:
        raise UnknownCommandError(f"expected: {usage}, found: {name} {argument[:40]}".rstrip())
    if argument and manual.parameter is Parameter.COMMAND and argument not in MANUALS:
        raise _unknown(argument)
    is_fit, meaning = _FIT.get(manual.parameter, (lambda _: True, ""))
    if words and not is_fit(words):
        raise UnknownCommandError(f"expected: {usage}{meaning}, found: {argument[:40]!r}")
    if name is CommandName.LIQUIDATE and argument.lower() == ALL:
        return Command(name=CommandName.PANIC)
    return Command(name=name, argument=" ".join(words))


_MOST_WORDS: Mapping[Parameter | None, int] = {Parameter.PART: 2, Parameter.PAIR: 4}
"""Most words of an argument, if more than one is allowed."""


def explained(name: CommandName) -> tuple[str, ...]:
    """Return a command's usage and what it does, one line each."""
    manual = MANUALS[name]
    lines = [f"{name} {manual.usage}".rstrip(), f"{manual.does[0].upper()}{manual.does[1:]}."]
    if name in BINDING:
        lines.append("Survives restarts, until another command ends it.")
    if any(Command(name=name, argument=each).needs_confirmation for each in ("", ALL)):
        who = f" with {ALL}" if name is CommandName.CLOSE else ""
        lines.append(f"Has to be confirmed{who}.")
    return tuple(lines)


def _unknown(text: str) -> UnknownCommandError:
    return UnknownCommandError(f"{text.strip()[:40]!r} is not a command; help lists all")


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text[:5]) <= 1000  # noqa: PLR2004


def _is_part(words: Sequence[str]) -> bool:
    return len(words) == 1 or fraction_of(words[1]) is not None


def _is_pair(words: Sequence[str]) -> bool:
    """Tell whether it is `add` or `remove` with a symbol, or only `list`; see `Parameter.PAIR`."""
    lengths = {"add": (2, 4), "remove": (2,), "list": (1,)}
    is_like = len(words) <= 2 or words[2] in LIKE  # noqa: PLR2004
    return (
        len(words) in lengths.get(words[0], ())
        and is_like
        and all(map(re.compile(SYMBOL).fullmatch, words[1::2]))
    )


def _is_period(text: str) -> bool:
    return text.lower() == ALL or (text[-1:] == "d" and _is_count(text[:-1]))


_FIT: Mapping[Parameter | None, tuple[Callable[[Sequence[str]], bool], str]] = {
    Parameter.COUNT: (lambda words: _is_count(words[0]), " from 1 to 1000"),
    Parameter.PART: (_is_part, " with a fraction above 0 and up to 1, as 0.25"),
    Parameter.VIEW: (lambda words: words[0] in Parameter.VIEW.split("|"), ""),
    Parameter.PERIOD: (lambda words: _is_period(words[0]), " with days from 1 to 1000, as 30d"),
    Parameter.PAIR: (_is_pair, ""),
}
"""By parameter: a check of the argument's words, and what an error adds about those that fit."""


def fraction_of(text: str) -> Decimal | None:
    """Return a fraction above 0 and up to 1 from its text; None if it is not one."""
    if not _FRACTION.fullmatch(text):
        return None
    found = Decimal(text)
    return found if 0 < found <= 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorCommand:
    """A command, who sent it and when, and its outcome. A fact, stored before the command acts."""

    command: str
    arguments: str
    operator: str
    result: str
    ts_ms: int
    is_done: bool
    """False: it was refused, or failed, and changed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChanged:
    """Settings that changed between two starts, or in a running system. A fact."""

    operator: str
    """Who changed them, or that they were found changed at a start."""
    changes: str
    """One line each: key: was -> is now. Of secrets only the name is shown."""
    ts_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """A part of a position that the operator wants closed."""

    qty: Decimal
    """Base units, on the step."""
    t_ms: int
    """When it was requested."""

    def written(self, asset: str) -> str:
        """Return the arguments under which the command is stored."""
        return f"{asset} {self.qty:f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorState:
    """The state that follows from all commands so far.

    Always true: a paused asset stays so until a resume, a panic until a rearm.
    """

    paused: frozenset[str] = frozenset()
    panic: OperatorCommand | None = None
    """The newest panic without a rearm after it."""
    closes: Mapping[str, int] = field(default_factory=dict)
    """When each asset's newest `close` was requested."""
    reductions: Mapping[str, Reduction] = field(default_factory=dict)
    """Each asset's newest `reduce`."""
    liquidations: Mapping[str, int] = field(default_factory=dict)
    """When each asset's newest `liquidate` that no resume has ended was requested."""
    flat: frozenset[str] = frozenset()
    """The liquidations that are over: whatever is open there now is not from us."""
    leaving: frozenset[str] = frozenset()
    """Assets that open nothing more, and are no longer traded once they are flat."""
    left: frozenset[str] = frozenset()
    """Assets that are no longer traded; a portfolio that still has them opens nothing there."""
    newest_ms: int = 0
    outdated: OperatorCommand | None = None
    """The journal was found to lack facts, and there was no rearm since."""
    outdated_ms: int = 0
    """Up to when missing facts were noticed, rearmed or not."""

    def apply(self, fact: OperatorCommand, assets: Sequence[str]) -> "OperatorState":
        """Return the state after one more command.

        Args:
            fact: the command.
            assets: all traded assets, in the order of the settings.
        """
        if not fact.is_done:
            return self
        after = replace(self, newest_ms=max(self.newest_ms, fact.ts_ms))
        if fact.command == OUTDATED:
            newest_ms = max(self.outdated_ms, fact.ts_ms)
            return replace(after, outdated=fact, outdated_ms=newest_ms)
        if fact.command == CommandName.PANIC:
            return replace(after, panic=fact)
        if fact.command == CommandName.REARM:
            # A panic can be rearmed only once everything was shown to be flat.
            flat = self.flat if self.panic is None else frozenset(self.liquidations)
            return replace(after, panic=None, outdated=None, flat=flat)
        if fact.command == CommandName.PAIRS:
            change = read_change(fact.arguments)
            return after if change is None else _of_pair(after, change)
        meant = tuple(assets) if fact.arguments == ALL else (fact.arguments,)
        return _of_assets(after, fact, meant)


def fold(facts: Iterable[OperatorCommand], assets: Sequence[str]) -> OperatorState:
    """Return the state after all commands, oldest first."""
    state = OperatorState()
    for fact in facts:
        state = state.apply(fact, assets)
    return state


def pair_changes(facts: Iterable[OperatorCommand]) -> list[PairChange]:
    """Return the changes of pairs among stored commands, oldest first."""
    done = (f for f in facts if f.is_done and f.command == CommandName.PAIRS)
    found = (read_change(fact.arguments) for fact in done)
    return [change for change in found if change is not None]


def _of_pair(state: OperatorState, change: PairChange) -> OperatorState:
    """Return the state after a pair joins, is about to leave, or has left."""
    asset = frozenset({change.asset})
    if change.action is PairAction.REMOVE:
        return replace(state, leaving=state.leaving | asset)
    if change.action is PairAction.ADD:
        return replace(state, leaving=state.leaving - asset, left=state.left - asset)
    # Its commands do not count for a pair that later joins under the same name.
    return replace(
        state,
        leaving=state.leaving - asset,
        left=state.left | asset,
        paused=state.paused - asset,
        flat=state.flat - asset,
        closes=_without(state.closes, change.asset),
        reductions=_without(state.reductions, change.asset),
        liquidations=_without(state.liquidations, change.asset),
    )


def _without(found: Mapping[str, _Value], asset: str) -> dict[str, _Value]:
    return {name: value for name, value in found.items() if name != asset}


def _of_assets(state: OperatorState, fact: OperatorCommand, meant: Sequence[str]) -> OperatorState:
    """Return the state after a command for single assets."""
    named, after = frozenset(meant), state
    times = dict.fromkeys(meant, fact.ts_ms)
    match fact.command:
        case CommandName.PAUSE:
            after = replace(state, paused=state.paused | named)
        case CommandName.RESUME:
            left = {a: t for a, t in state.liquidations.items() if a not in named}
            paused, flat = state.paused - named, state.flat - named
            after = replace(state, paused=paused, liquidations=left, flat=flat)
        case CommandName.CLOSE:
            after = replace(state, closes={**state.closes, **times})
        case CommandName.LIQUIDATE:
            liquidations = {**state.liquidations, **times}
            paused, flat = state.paused | named, state.flat - named
            after = replace(state, paused=paused, liquidations=liquidations, flat=flat)
        case CommandName.REDUCE:
            after = replace(state, reductions={**state.reductions, **_stored_reduction(fact)})
        case _ if fact.command == FLAT:
            after = replace(state, flat=state.flat | (named & state.liquidations.keys()))
    return after


def _stored_reduction(fact: OperatorCommand) -> dict[str, Reduction]:
    """Return the reduction that `Reduction.written` stored; empty if it is not one."""
    asset, _, qty = fact.arguments.partition(" ")
    if not _QTY.fullmatch(qty):
        return {}
    return {asset: Reduction(qty=Decimal(qty), t_ms=fact.ts_ms)}
