"""What the operator can ask of the system, and what follows from all that was asked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

ALL = "all"
"""In the place of an asset: every one of them."""
CONFIRM_S = 30.0
"""How long a command that needs it waits to be confirmed."""


class CommandName(StrEnum):
    """Every command, by the word that is written."""

    STATUS = "status"
    POSITIONS = "positions"
    BALANCE = "balance"
    REGIMES = "regimes"
    COOLDOWNS = "cooldowns"
    TRADES = "trades"
    DAILY = "daily"
    WEEKLY = "weekly"
    PERFORMANCE = "performance"
    RISK = "risk"
    HEALTH = "health"
    ACTORS = "actors"
    WHY = "why"
    PAUSE = "pause"
    RESUME = "resume"
    CLOSE = "close"
    RESTART = "restart"
    PANIC = "panic"
    REARM = "rearm"
    RELOAD = "reload"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Manual:
    """How one command is written and what it does."""

    does: str
    parameter: Parameter | None = None
    is_optional: bool = False
    changes: bool = False
    """Whether it changes anything; else it only asks."""

    @property
    def usage(self) -> str:
        """What follows the command's word."""
        if self.parameter is None:
            return ""
        return f"[{self.parameter}]" if self.is_optional else str(self.parameter)


MANUALS: Mapping[CommandName, Manual] = {
    CommandName.STATUS: Manual(does="mode, money, positions and what keeps entries back"),
    CommandName.POSITIONS: Manual(does="open positions with their stops and PnL"),
    CommandName.BALANCE: Manual(does="balance, equity, exposure"),
    CommandName.REGIMES: Manual(does="price, averages and regime of each asset"),
    CommandName.COOLDOWNS: Manual(does="who rests, why and for how long"),
    CommandName.TRADES: Manual(
        does="the newest trades, 10 by default", parameter=Parameter.COUNT, is_optional=True
    ),
    CommandName.DAILY: Manual(does="the report of this UTC day so far"),
    CommandName.WEEKLY: Manual(does="the report of the last seven days"),
    CommandName.PERFORMANCE: Manual(does="all trades in figures"),
    CommandName.RISK: Manual(does="every limit with its present figure"),
    CommandName.HEALTH: Manual(does="actors, mailboxes, feeds, process"),
    CommandName.ACTORS: Manual(does="all actors with restarts and waiting messages"),
    CommandName.WHY: Manual(
        does="why an order or trade came about, or what an asset waits for",
        parameter=Parameter.ID,
    ),
    CommandName.PAUSE: Manual(
        does="open nothing more there", parameter=Parameter.ASSET, changes=True
    ),
    CommandName.RESUME: Manual(does="end a pause", parameter=Parameter.ASSET, changes=True),
    CommandName.CLOSE: Manual(
        does="close what is open there", parameter=Parameter.ASSET, changes=True
    ),
    CommandName.RESTART: Manual(
        does="replace an actor by a new life", parameter=Parameter.ACTOR, changes=True
    ),
    CommandName.PANIC: Manual(does="close all, open nothing until rearm", changes=True),
    CommandName.REARM: Manual(
        does="end a panic or a halt; take over a balance in doubt", changes=True
    ),
    CommandName.RELOAD: Manual(does="read the settings again", changes=True),
    CommandName.LOG: Manual(
        does="lowest level that is logged", parameter=Parameter.LEVEL, changes=True
    ),
    CommandName.VERSION: Manual(does="versions of program, Python, packages"),
    CommandName.HELP: Manual(
        does="all commands, or one of them", parameter=Parameter.COMMAND, is_optional=True
    ),
}


OUTDATED = "outdated"
"""No command, but stored as one: the journal was found to be an older copy of itself."""
BINDING = (
    CommandName.PAUSE,
    CommandName.RESUME,
    CommandName.CLOSE,
    CommandName.PANIC,
    CommandName.REARM,
)
"""What holds over restarts, until another command ends it."""


PROTECTING = (CommandName.PAUSE, CommandName.CLOSE, CommandName.PANIC)
"""What can open nothing: it is done also while it cannot be stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What somebody asks of the system."""

    name: CommandName
    argument: str = ""

    @property
    def needs_confirmation(self) -> bool:
        """Tell whether it is done only once it was asked for twice."""
        is_close_all = self.name is CommandName.CLOSE and self.argument.lower() == ALL
        return is_close_all or self.name in (CommandName.PANIC, CommandName.REARM)

    @property
    def changes(self) -> bool:
        """Tell whether it changes anything."""
        return MANUALS[self.name].changes

    def __str__(self) -> str:
        return f"{self.name} {self.argument}".rstrip()


class UnknownCommandError(ValueError):
    """What was written is no command; the text says what would be."""


def parse(text: str) -> Command:
    """Return the command that somebody wrote: a word and perhaps its argument.

    Raises:
        UnknownCommandError: it is none.
    """
    words = text.split()
    word = words[0].lstrip("/").partition("@")[0].lower() if words else ""
    if word not in {name.value for name in CommandName}:
        raise _unknown(text)
    return checked(CommandName(word), " ".join(words[1:]))


def checked(name: CommandName, argument: str) -> Command:
    """Return a command with the argument that it needs.

    Raises:
        UnknownCommandError: the argument is missing, too much, or no count.
    """
    manual = MANUALS[name]
    usage = f"{name} {manual.usage}".rstrip()
    is_missing = not argument and manual.parameter is not None and not manual.is_optional
    if is_missing or (argument and manual.parameter is None) or len(argument.split()) > 1:
        raise UnknownCommandError(f"expected: {usage}, found: {name} {argument[:40]}".rstrip())
    if argument and manual.parameter is Parameter.COUNT and not _is_count(argument):
        raise UnknownCommandError(f"expected: {usage} from 1 to 1000, found: {argument[:40]!r}")
    if argument and manual.parameter is Parameter.COMMAND and argument not in MANUALS:
        raise _unknown(argument)
    return Command(name=name, argument=argument)


def explained(name: CommandName) -> tuple[str, ...]:
    """Return how a command is written and what it does, a line each."""
    manual = MANUALS[name]
    lines = [f"{name} {manual.usage}".rstrip(), f"{manual.does[0].upper()}{manual.does[1:]}."]
    if name in BINDING:
        lines.append("Holds over restarts, until another command ends it.")
    if any(Command(name=name, argument=each).needs_confirmation for each in ("", ALL)):
        who = f" with {ALL}" if name is CommandName.CLOSE else ""
        lines.append(f"Has to be confirmed{who}.")
    return tuple(lines)


def _unknown(text: str) -> UnknownCommandError:
    return UnknownCommandError(f"{text.strip()[:40]!r} is no command; help names all")


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text[:5]) <= 1000  # noqa: PLR2004


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorCommand:
    """A command with who asked, when, and what came of it. A fact, stored before it acts."""

    command: str
    arguments: str
    operator: str
    result: str
    ts_ms: int
    is_done: bool
    """Else it was refused, or failed, and changed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChanged:
    """Settings that are not what they were before, by a start or while running. A fact."""

    operator: str
    """Who changed them, or that a start found them changed."""
    changes: str
    """A line each: key: was -> is now. Secrets are named, and not shown."""
    ts_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorState:
    """What follows from all commands so far.

    Always true: a paused asset stays so until a resume, a panic until a rearm.
    """

    paused: frozenset[str] = frozenset()
    panic: OperatorCommand | None = None
    """The one that is still latched."""
    closes: Mapping[str, int] = field(default_factory=dict)
    """When each asset's newest `close` was asked for."""
    newest_ms: int = 0
    outdated: OperatorCommand | None = None
    """The journal was found to lack facts, and no rearm has come since."""
    outdated_ms: int = 0
    """Up to when what the journal lacks was seen, rearmed or not."""

    def apply(self, fact: OperatorCommand, assets: Sequence[str]) -> "OperatorState":
        """Return the state after one more command.

        Args:
            fact: the command.
            assets: all that are traded, in the order of the settings.
        """
        if not fact.is_done:
            return self
        meant = tuple(assets) if fact.arguments == ALL else (fact.arguments,)
        paused, panic, closes = self.paused, self.panic, dict(self.closes)
        outdated, outdated_ms = self.outdated, self.outdated_ms
        match fact.command:
            case CommandName.PAUSE:
                paused |= frozenset(meant)
            case CommandName.RESUME:
                paused -= frozenset(meant)
            case CommandName.CLOSE:
                closes |= dict.fromkeys(meant, fact.ts_ms)
            case CommandName.PANIC:
                panic = panic or fact
            case CommandName.REARM:
                panic, outdated = None, None
            case _ if fact.command == OUTDATED:
                outdated, outdated_ms = fact, max(outdated_ms, fact.ts_ms)
        newest_ms = max(self.newest_ms, fact.ts_ms)
        return OperatorState(
            paused=paused,
            panic=panic,
            closes=closes,
            newest_ms=newest_ms,
            outdated=outdated,
            outdated_ms=outdated_ms,
        )


def fold(facts: Iterable[OperatorCommand], assets: Sequence[str]) -> OperatorState:
    """Return what follows from all commands, oldest first."""
    state = OperatorState()
    for fact in facts:
        state = state.apply(fact, assets)
    return state
