"""Executes commands: asks the actors, with a time-out, and stores who asked what and the result."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from loguru import logger

from actors.core.envelope import Origin
from actors.core.system import ActorCrashedError, DeadLetterError
from actors.messages import OperatorAsked, SystemChanged
from actors.names import NOTIFIER, PORTFOLIO
from actors.operator.dead_letters import DeadLetters
from actors.operator.portfolio_view import before_reduce
from actors.operator.ports import FactStore, NoticeChannels, PanicFile, PoisonStore
from actors.operator.repeats import ACCESS, Asked, Repeats
from actors.operator.views import Views
from actors.runtime import Runtime
from domain.errors import ConfigError, JournalError
from domain.operator.commands import (
    BINDING,
    CONFIRM_S,
    Command,
    CommandName,
    OperatorCommand,
    UnknownCommandError,
    parse,
)
from domain.operator.replies import Reply, ReplyCode
from domain.operator.wording import SIREN

_CHANGE_S = 10.0
"""How long the portfolio may take to store a command."""
_LONGEST_RESULT = 200

Handler = Callable[[str], Reply]
"""Takes a command's argument."""
Reloader = Callable[[str, Callable[[], Origin]], Reply]
"""Takes the requester, and a function that returns the causing message of what is stored."""
PairsHandler = Callable[[str, str, Origin | None], Reply]
"""Takes the requester, the argument, and the message that causes what is stored."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One command in progress."""

    operator: str
    command: Command
    origin: Origin


class CommandService:
    """One set of handlers for all command channels."""

    def __init__(
        self,
        runtime: Runtime,
        views: Views,
        store: FactStore,
        channels: NoticeChannels,
        make_panic_file: Callable[[Callable[[str], bool]], PanicFile],
        reload: Reloader,
        more: Mapping[CommandName, Handler],
        pairs: PairsHandler | None = None,
    ) -> None:
        """Take commands for an assembled run.

        Args:
            runtime: the actors.
            views: answer queries.
            store: where commands are stored.
            channels: of the notifications.
            make_panic_file: constructs the panic file from what latches a panic.
            reload: executes the command of that name.
            more: handlers of commands that need more than actors.
            pairs: executes the command of that name; None: the pairs of the run are fixed.
        """
        self._runtime, self._store, self._channels = runtime, store, channels
        self._reload, self._pairs = reload, pairs or _fixed_pairs
        self.panic_file = make_panic_file(self._latch_panic)
        self._is_panic_latched = False
        """Whether the portfolio has taken the newest panic, which a kill might still lose."""
        self._panic_asked_ms: int | None = None
        """When the newest unanswered one was requested; None: there is none."""
        self._views = views
        self._more = more
        self._dead_letters = DeadLetters(runtime)
        self._handlers = {
            **self._views.handlers(),
            **self._dead_letters.handlers(),
            **more,
            CommandName.WHY: self._why,
            CommandName.RESTART: self._restart,
        }
        self._repeats = Repeats(self._store_asked, runtime.clock.now_ms)
        self._lock = threading.Lock()
        """Guards the lease, and what waits for confirmation."""
        self._unconfirmed: dict[tuple[str, str], float] = {}
        """Until when each command of each operator can be confirmed; monotonic."""

    def answer_text(self, operator: str, text: str) -> Reply:
        """Answer a written command; writing it again confirms it."""
        try:
            command = parse(text)
        except UnknownCommandError as error:
            return Reply(code=ReplyCode.WRONG, title=str(error))
        return self.answer(operator, command)

    def answer(self, operator: str, command: Command, *, is_confirmed: bool = False) -> Reply:
        """Execute a command, or answer a query.

        Args:
            operator: the requester, and the channel.
            command: to execute.
            is_confirmed: whether it is already confirmed.
        """
        if not command.changes:
            return self._answer_question(operator, command)
        asked = _Asked(operator, command, self._note(operator, command))
        if (
            command.needs_confirmation
            and not is_confirmed
            and not self._confirms(operator, command)
        ):
            title = f"Really {command}? Send it again within {CONFIRM_S:.0f} s."
            reply = Reply(code=ReplyCode.CONFIRM, title=f"{self._asks_before(command)}{title}")
            return self._stored(asked, reply)
        if command.name is CommandName.PANIC:
            return self._panic(operator)
        if command.name is CommandName.PAIRS:
            return self._change_pairs(asked)
        if command.name in BINDING:
            return self._change(asked)
        return self._do_stored(asked)

    def note_access(self, operator: str, what: str, result: str) -> None:
        """Store an access that led to no command.

        Raises:
            JournalError: it cannot be stored.
        """
        access = Asked(
            operator=operator, command=ACCESS, arguments=what, result=result, is_done=False
        )
        self._repeats.note(access, lambda: self._runtime.note(what, result, operator))

    def recall(self, kept: PoisonStore) -> None:
        """Also set aside messages that crashed actors of earlier processes, unless dealt with."""
        self._dead_letters.recall(kept)

    def close(self) -> None:
        """Store what is still to be stored."""
        self._repeats.close()

    def _answer_question(self, operator: str, command: Command) -> Reply:
        reply = self._do(command, lambda: self._note(operator, command), operator)
        is_done = reply.code is ReplyCode.DONE
        question = Asked(
            operator=operator,
            command=command.name.value,
            arguments=command.argument,
            result="answered" if is_done else reply.title,
            is_done=is_done,
        )
        try:
            self._repeats.note(question, lambda: self._note(operator, command))
        except JournalError as error:
            return _unnoted(reply, error)
        return reply

    def _note(self, operator: str, command: Command) -> Origin:
        message = OperatorAsked(command=command, operator=operator)
        return self._runtime.system.note(message, sender=operator)

    def _do(self, command: Command, cause: Callable[[], Origin], operator: str) -> Reply:
        try:
            if command.name is CommandName.RELOAD:
                return self._reload(operator, cause)
            if command.name is CommandName.PAIRS:
                return self._pairs(operator, command.argument, cause())
            return self._handlers[command.name](command.argument)
        except ConfigError as error:
            return Reply(code=ReplyCode.REFUSED, title=str(error))
        except JournalError as error:
            return Reply(code=ReplyCode.REFUSED, title=f"{command}: {error}")
        except TimeoutError:
            return Reply(code=ReplyCode.LATE, title=f"no answer in time to {command}")

    def _confirms(self, operator: str, command: Command) -> bool:
        """Tell whether the same was requested shortly before; otherwise wait for confirmation."""
        key, now_s = (operator, str(command)), time.monotonic()
        with self._lock:
            self._unconfirmed = {k: s for k, s in self._unconfirmed.items() if s >= now_s}
            if self._unconfirmed.pop(key, None) is not None:
                return True
            self._unconfirmed[key] = now_s + CONFIRM_S
            return False

    def _asks_before(self, command: Command) -> str:
        """Return what must be known before a command, about its position or the journal."""
        is_asked = command.name in (CommandName.REARM, CommandName.REDUCE)
        found = self._runtime.portfolio_snapshot() if is_asked else None
        if found is not None and command.name is CommandName.REDUCE:
            return before_reduce(command.argument, found, self._runtime.rules)
        if found is None or not found.outdated:
            return ""
        return (
            f"{found.outdated[:1].upper()}{found.outdated[1:]}. A panic, a halt or a pause after "
            "that is forgotten. Is the system that wrote the newer facts dead? "
        )

    # Commands that change something.

    def _do_stored(self, asked: _Asked) -> Reply:
        """Execute a command that is not a fact itself, once its request is stored."""
        command = asked.command
        try:
            self._store_reply(asked, Reply(code=ReplyCode.LATE, title="the result follows"))
        except JournalError as error:
            title = f"{command} is not done, because it cannot be stored: {error}"
            return Reply(code=ReplyCode.REFUSED, title=title)
        return self._stored(asked, self._do(command, lambda: asked.origin, asked.operator))

    def _panic(self, operator: str) -> Reply:
        """Request it by the file, which survives everything, and wait for it to be stored."""
        self.panic_file.request(operator)
        if not self.panic_file.wait_taken(_CHANGE_S):
            title = (
                "panic is requested, and is latched as soon as the portfolio answers; until then "
                "nothing is closed, and only the stops at the exchange protect"
            )
            return Reply(code=ReplyCode.LATE, title=title)
        return Reply(
            code=ReplyCode.DONE, title="panic: closing everything, nothing is opened until rearm"
        )

    def _latch_panic(self, operator: str) -> bool:
        if not self._is_panic_latched:
            self._is_panic_latched = self._ask_panic(operator)
        if not self._is_panic_latched or not self._store.is_kept:
            # If even the reserve has failed, the next process finds the file.
            return False
        self._is_panic_latched, self._panic_asked_ms = False, None
        return True

    def _ask_panic(self, operator: str) -> bool:
        if self._panic_asked_ms is not None:
            # The previous one was executed late, or waits in the mailbox: avoid a second panic.
            found = self._runtime.portfolio_snapshot()
            if found is None:
                return False
            if (found.panic_since_ms or 0) >= self._panic_asked_ms:
                return True
        self._panic_asked_ms = self._runtime.clock.now_ms()
        command = Command(name=CommandName.PANIC)
        try:
            answer = self._ask(_Asked(operator, command, self._note(operator, command)))
        except (TimeoutError, ActorCrashedError, DeadLetterError) as error:
            logger.warning(
                "the panic has not taken effect yet and is requested again: {}",
                type(error).__name__,
            )
            return False
        logger.warning("{}", answer.result)
        return answer.is_done

    def _change_pairs(self, asked: _Asked) -> Reply:
        """Let a pair join or leave; the portfolio has stored as a fact what is done."""
        reply = self._do(asked.command, lambda: asked.origin, asked.operator)
        return reply if reply.code is ReplyCode.DONE else self._stored(asked, reply)

    def _change(self, asked: _Asked) -> Reply:
        command = asked.command
        if command.name is CommandName.REARM and self.panic_file.path.exists():
            title = f"the file {self.panic_file.path} requests a panic; delete it first"
            return self._stored(asked, Reply(code=ReplyCode.REFUSED, title=title))
        try:
            answer = self._ask(asked)
        except TimeoutError:
            title = f"the portfolio has not answered in {_CHANGE_S:.0f} s; {command} waits for it"
            return Reply(code=ReplyCode.LATE, title=title)
        except (ActorCrashedError, DeadLetterError) as error:
            return Reply(code=ReplyCode.REFUSED, title=f"the portfolio failed: {error}")
        code = ReplyCode.DONE if answer.is_done else ReplyCode.REFUSED
        return Reply(code=code, title=answer.result, data={"ts_ms": answer.ts_ms})

    def _ask(self, asked: _Asked) -> OperatorCommand:
        message = OperatorAsked(command=asked.command, operator=asked.operator)
        found: OperatorCommand = self._runtime.system.address(PORTFOLIO).ask(
            message, sender="operator", timeout_s=_CHANGE_S, origin=asked.origin
        )
        return found

    def _why(self, wanted: str) -> Reply:
        return self._views.why(wanted.upper()) or self._more[CommandName.WHY](wanted)

    def _restart(self, address: str) -> Reply:
        """Restart an actor, and show that the others kept running."""
        before = self._incarnations()
        if address not in before:
            return Reply(
                code=ReplyCode.REFUSED,
                title=f"no actor {address}; expected one of {', '.join(before)}",
            )
        if address == NOTIFIER:
            self._channels.start_over()
        began_s = time.monotonic()
        is_ready = self._runtime.supervisor.restart(address, _CHANGE_S)
        took_ms = round((time.monotonic() - began_s) * 1000)
        after = self._incarnations()
        others = {name: incarnation for name, incarnation in after.items() if name != address}
        went_on = [name for name, incarnation in others.items() if incarnation == before[name]]
        data: dict[str, Any] = {
            "actor": address,
            "old_generation": before[address],
            "new_generation": after[address],
            "ready_ms": took_ms if is_ready else None,
            "went_on": went_on,
            "others": len(others),
        }
        if not is_ready:
            title = f"{address} has not been replaced in {_CHANGE_S:.0f} s; it is being retried"
            return Reply(code=ReplyCode.LATE, title=title, data=data)
        lines = (
            f"generation {before[address]} -> {after[address]}, ready after {took_ms} ms",
            f"{len(went_on)} of {len(others)} other actors kept running",
        )
        return Reply(code=ReplyCode.DONE, title=f"{address} restarted", lines=lines, data=data)

    def _incarnations(self) -> dict[str, int]:
        return {
            child.spec.address: child.generation for child in self._runtime.supervisor.children()
        }

    # The audit trail.

    def _stored(self, asked: _Asked, reply: Reply) -> Reply:
        if reply.code is ReplyCode.DONE:
            self._tell_people(asked, reply)
        try:
            self._store_reply(asked, reply)
        except JournalError as error:
            return _unnoted(reply, error)
        return reply

    def _store_reply(self, asked: _Asked, reply: Reply) -> None:
        done = Asked(
            operator=asked.operator,
            command=asked.command.name.value,
            arguments=asked.command.argument,
            result=reply.title,
            is_done=reply.code is ReplyCode.DONE,
        )
        self._store_asked(done, asked.origin)

    def _tell_people(self, asked: _Asked, reply: Reply) -> None:
        key = f"operator/{self._runtime.clock.now_ms()}/{asked.command.name}"
        detail = f"{reply.title} (by {asked.operator})"
        message = SystemChanged(
            key=key, title=str(asked.command), detail=detail, answered=asked.operator
        )
        address = self._runtime.system.address(NOTIFIER)
        address.tell(message, sender="operator", origin=asked.origin)

    def _store_asked(self, asked: Asked, origin: Origin) -> None:
        fact = OperatorCommand(
            command=asked.command,
            arguments=asked.arguments[:_LONGEST_RESULT],
            operator=asked.operator,
            result=asked.result[:_LONGEST_RESULT],
            ts_ms=self._runtime.clock.now_ms(),
            is_done=asked.is_done,
        )
        with self._lock, self._store.connected():
            self._store.open("operator", lambda: origin).append(fact)


def _fixed_pairs(_operator: str, _argument: str, _origin: Origin | None) -> Reply:
    return Reply(code=ReplyCode.REFUSED, title="the pairs of this run cannot be changed")


def _unnoted(reply: Reply, error: JournalError) -> Reply:
    """Return an answer with the warning that it is missing in the audit trail."""
    logger.warning("an answer could not be recorded: {}", error)
    return replace(reply, lines=(*reply.lines, f"{SIREN} This could not be recorded: {error}"))
