"""The operator's commands in the portfolio: which are executed, and what follows from them.

Commands are facts. What is in force until another command ends it (a pause, a panic) is a fold of
them, so that neither a crash nor a restart loses it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from actors.messages import (
    AssetFlat,
    ClosePosition,
    Flatten,
    JournalOutdated,
    ReducePosition,
    RiskRaised,
    SystemChanged,
)
from actors.watch import WalletAudit, journal_outdated
from domain.facts import Fact
from domain.operator.commands import (
    ALL,
    FLAT,
    Command,
    CommandName,
    OperatorCommand,
    OperatorState,
    Reduction,
    fold,
    fraction_of,
)
from domain.operator.pairs import PairAction, PairChange, read_change
from domain.portfolio.rebalancing import Rebalance
from domain.portfolio.state import PortfolioState
from domain.rules import TradingRules
from domain.trading.closing import is_younger
from domain.trading.decisions import Decision, Protection
from domain.trading.orders import ExitReason, Purpose
from domain.trading.positions import ZERO, Position
from domain.trading.transfers import Transfer

_SECOND_MS = 1000
_REPEAT_MS = 30_000
"""Time in which a second reduce of an asset counts as a repeat of the first."""
_Verdict = tuple[bool, str]
"""Whether a command is executed, and the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command, and the facts to store with it: all, or it is not executed."""

    answer: OperatorCommand
    facts: tuple[Fact, ...]

    @property
    def fired(self) -> Protection | None:
        """The protection that the command triggers; None except for a panic."""
        decisions = (fact for fact in self.facts if isinstance(fact, Decision))
        return next((decision.protection for decision in decisions), None)


@dataclass(kw_only=True)
class Operations:
    """The fold of all commands, over the state that they change."""

    rules: TradingRules
    books: PortfolioState
    wallet: WalletAudit
    state: OperatorState = field(default_factory=OperatorState)
    flat: set[str] = field(default_factory=set)
    """Assets confirmed flat by the exchange since a panic or, without one, their liquidation."""

    def read(self, commands: Iterable[OperatorCommand]) -> None:
        """Fold stored commands, and those waiting to be stored."""
        self._take(fold(commands, self._assets))
        self.flat = set() if self.state.panic else set(self.state.flat)

    def undo(self) -> Callable[[], None]:
        """Return a function that restores the present state, if a command cannot be stored."""
        state, flat, books = self.state, set(self.flat), self.books
        protection, balance, wallet = books.protection, books.balance, dict(vars(self.wallet))

        def undo() -> None:
            self.flat, books.protection, books.balance = flat, protection, balance
            vars(self.wallet).update(wallet)
            self._take(state)

        return undo

    @property
    def _assets(self) -> tuple[str, ...]:
        return tuple(asset.asset for asset in self.rules.assets)

    @property
    def not_flat(self) -> tuple[str, ...]:
        """In a panic: assets that may still have open positions."""
        if self.state.panic is None:
            return ()
        return tuple(asset for asset in self._assets if asset not in self.flat)

    def do(self, command: Command, operator: str, t_ms: int) -> Done:
        """Apply a command to the books, or refuse it.

        Args:
            command: one that changes what may be open.
            operator: the requester.
            t_ms: the present; not a close, as decisions use that key.
        """
        argument = self._known(command.argument)
        t_ms = self._own_second(t_ms)
        change = read_change(argument) if command.name is CommandName.PAIRS else None
        if change is not None:
            is_done, result = self._judge_pair(change, t_ms)
        elif command.name is CommandName.REDUCE:
            (is_done, result), argument = self._judge_reduce(command.argument, t_ms)
        else:
            is_done, result = self._judge(command.name, argument)
        answer = OperatorCommand(
            command=command.name.value,
            arguments=argument,
            operator=operator,
            result=result,
            ts_ms=t_ms,
            is_done=is_done,
        )
        facts: list[Fact] = []
        if is_done:
            facts = self._change(command.name, t_ms, change)
            if command.name is CommandName.LIQUIDATE:
                self.flat.discard(argument)
            self._take(self.state.apply(answer, self._assets))
        return Done(answer=answer, facts=(*facts, answer))

    def outdate(
        self, message: JournalOutdated, facts_until_ms: int | None, t_ms: int
    ) -> Done | None:
        """Block entries until a rearm, because facts were lost; None if that was known.

        Args:
            message: what the journal lacks.
            facts_until_ms: when the newest fact before this process was stored.
            t_ms: the present.
        """
        if message.ts_ms <= self.state.outdated_ms:
            return None
        found = journal_outdated(
            message.client_order_id, message.ts_ms, facts_until_ms, self._own_second(t_ms)
        )
        self.books.halt()
        self._take(self.state.apply(found, self._assets))
        return Done(answer=found, facts=(self.books.protection, found))

    def _known(self, argument: str) -> str:
        """Return an asset as written in the settings."""
        names = {name.lower(): name for name in (*self._assets, ALL)}
        names |= {asset.instrument.symbol.lower(): asset.asset for asset in self.rules.assets}
        return names.get(argument.lower(), argument)

    def _own_second(self, t_ms: int) -> int:
        """Return a time in a second without another command: order ids count in seconds."""
        newest_s = self.state.newest_ms // _SECOND_MS
        return t_ms if t_ms // _SECOND_MS > newest_s else (newest_s + 1) * _SECOND_MS + 1

    def _judge(self, name: CommandName, asset: str) -> _Verdict:
        if name is CommandName.PANIC:
            return self._judge_panic()
        if name is CommandName.REARM:
            return self._judge_rearm()
        meant = frozenset(self._assets if asset == ALL else [asset])
        if not meant <= frozenset(self._assets):
            return False, f"unknown asset {asset}; expected {', '.join(self._assets)} or {ALL}"
        if name is CommandName.CLOSE:
            return self._judge_close(meant)
        if name is CommandName.LIQUIDATE:
            return True, _sentence(meant, "closed, canceled, and paused until resume")
        return self._judge_pause(meant, is_pause=name is CommandName.PAUSE)

    def _judge_pause(self, meant: frozenset[str], *, is_pause: bool) -> _Verdict:
        concerned = meant - self.state.paused if is_pause else meant & self.state.paused
        if not concerned:
            return False, _sentence(meant, "paused already" if is_pause else "not paused")
        says = "nothing is opened until resume"
        if not is_pause:
            says = "no longer paused; nothing is opened until rearm"
            says = says if self._is_stopped else "may open again"
        return True, _sentence(concerned, says)

    def _judge_close(self, meant: frozenset[str]) -> _Verdict:
        present = self.books.present()
        held = meant & frozenset({*present.positions, *present.reserved})
        if not held:
            return False, _sentence(meant, "nothing is open")
        return True, _sentence(held, "being closed")

    def _judge_reduce(self, argument: str, t_ms: int) -> tuple[_Verdict, str]:
        """Return the verdict, and the arguments to store: the asset with the qty."""
        name, _, written = argument.partition(" ")
        asset = self._known(name)
        if asset not in self._assets:
            return self._judge(CommandName.CLOSE, asset), argument
        position = self.books.present().positions.get(asset)
        if position is None:
            return (False, f"{asset}: nothing is open"), argument
        before = self.state.reductions.get(asset)
        if before is not None and t_ms - before.t_ms < _REPEAT_MS:
            return (
                False,
                f"{asset}: a reduction was requested a moment ago; check the position first",
            ), argument
        qty = self._part(position, fraction_of(written))
        if not qty:
            why = "less than one step of quantity" if written else "no reduction is advised"
            return (False, f"{asset}: {why}"), argument
        rest = "the rest stays open" if qty < position.qty else "this closes it"
        verdict = True, f"{asset}: being reduced by {qty:f} of {position.qty:f}; {rest}"
        return verdict, Reduction(qty=qty, t_ms=t_ms).written(asset)

    def _part(self, position: Position, fraction: Decimal | None) -> Decimal:
        """Return a fraction of a position on the step, or the advised part; 0: nothing."""
        if fraction is not None:
            instrument = self.rules.asset(position.asset).instrument
            return instrument.round_qty(position.qty * fraction)
        advised = {one.asset: one for one in self.books.present().advice()}
        found = advised.get(position.asset)
        is_reduce = found is not None and found.action is Rebalance.REDUCE
        return found.qty if found is not None and is_reduce else ZERO

    def _judge_pair(self, change: PairChange, t_ms: int) -> _Verdict:
        """Tell whether a pair may join, start leaving, or leave; other checks are the caller's."""
        asset, is_leaving = change.asset, change.asset in self.state.leaving
        if change.action is PairAction.ADD:
            if asset in self._assets and not is_leaving:
                return False, f"{asset} is traded already"
            is_late = not is_leaving and change.from_ms <= t_ms
            says = "stays" if is_leaving else "joins"
            return not is_late, f"{asset} {'came too late for its close' if is_late else says}"
        if asset not in self._assets:
            return False, f"{asset} is not traded; expected one of {', '.join(self._assets)}"
        if change.action is PairAction.REMOVE:
            return self._judge_removal(asset)
        present = self.books.present()
        is_flat = asset not in present.positions and asset not in present.reserved
        return is_leaving and is_flat, f"{asset} has {'left' if is_flat else 'a position yet'}"

    def _judge_removal(self, asset: str) -> _Verdict:
        if asset in self.state.leaving:
            return False, f"{asset} is being removed already"
        if len(self.state.leaving) + 1 == len(self._assets):
            return False, f"{asset} is the last pair; add another first"
        return True, f"{asset} opens nothing more, and leaves once it is flat"

    def _judge_panic(self) -> _Verdict:
        # Also during a panic: positions opened by hand since are not covered by it, and may be
        # known only to the exchange.
        held = ", ".join(sorted({*self.books.present().positions, *self.books.reserved}))
        return True, f"panic: nothing is opened until rearm; closing {held or 'nothing'}"

    def _judge_rearm(self) -> _Verdict:
        difference = self.wallet.difference(self.books.present().balance)
        if not self._is_stopped and not difference:
            if self.wallet.is_in_doubt:
                return False, "something was booked since the balances were compared; try again"
            return (
                False,
                "nothing to rearm: no halt, no panic, and the balance agrees with the books",
            )
        if self.not_flat:
            waits = ", ".join(sorted(self.not_flat))
            return False, f"the panic is not over: the exchange has not shown {waits} to be flat"
        taken = f"; the exchange's balance is taken over ({difference:+f})" if difference else ""
        taken += f"; {self.outdated}" if self.outdated else ""
        return True, f"rearmed: entries are allowed unless something else blocks them{taken}"

    @property
    def _is_stopped(self) -> bool:
        """Tell whether a panic or a halt blocks entries."""
        return self.state.panic is not None or self.books.protection.is_halted

    def _change(self, name: CommandName, t_ms: int, pair: PairChange | None) -> list[Fact]:
        """Change the books, and return the facts to store."""
        match name:
            case CommandName.PAIRS if pair is None or pair.action is not PairAction.REMOVE:
                return []
            case CommandName.PANIC:
                self.flat.clear()
                protection = self.books.panic(t_ms)
                return [self.books.protection, Decision(t_ms=t_ms, protection=protection)]
            case CommandName.REARM:
                return self._rearm(t_ms)
            case CommandName.PAUSE | CommandName.LIQUIDATE | CommandName.PAIRS:
                self.books.begin_epoch()
                return [self.books.protection]
            case _:
                return []

    def _rearm(self, t_ms: int) -> list[Fact]:
        facts: list[Fact] = []
        difference = self.wallet.accept(self.books.present().balance)
        if difference:
            taken = Transfer(
                transfer_id=f"rearm/{t_ms}", ts_ms=t_ms, kind="ADJUSTMENT", amount=difference
            )
            self.books.apply_transfer(taken)
            facts.append(taken)
        if self._is_stopped:
            self.books.rearm()
        return [*facts, self.books.protection]

    def _take(self, state: OperatorState) -> None:
        self.state = state
        # A pair that has left is among our assets until a portfolio without it takes over.
        left = state.left & set(self._assets)
        self.books.paused = state.paused | state.leaving | left
        self.books.panic_since_ms = None if state.panic is None else state.panic.ts_ms

    # Consequences, repeated until they are done.

    @property
    def outdated(self) -> str:
        """What the journal was found to lack; empty after a rearm."""
        return "" if self.state.outdated is None else self.state.outdated.result

    def wanted(self) -> Iterator[ClosePosition | ReducePosition | Flatten]:
        """Return all requests to the executions that are not completed."""
        yield from self._closes()
        yield from self._reductions()
        yield from self._flattenings()

    def _closes(self) -> Iterator[ClosePosition]:
        positions = self.books.present().positions
        for asset, t_ms in self.state.closes.items():
            position = positions.get(asset)
            if position is not None and not is_younger(position, t_ms):
                yield ClosePosition(
                    asset=asset, t_ms=t_ms, purpose=Purpose.OPERATOR, reason=ExitReason.OPERATOR
                )

    def _reductions(self) -> Iterator[ReducePosition]:
        """Return the requested partial closes; repeating completed ones has no effect."""
        positions = self.books.present().positions
        for asset, wanted in self.state.reductions.items():
            position = positions.get(asset)
            if position is not None and not is_younger(position, wanted.t_ms):
                yield ReducePosition(asset=asset, t_ms=wanted.t_ms, qty=wanted.qty)

    def wants_closed(self, asset: str) -> bool:
        """Tell whether an entry that fills now is too late; in a panic it is not flat again."""
        self.flat.discard(asset)
        wanted = {*self.state.closes, *self.state.liquidations}
        return self.state.panic is not None or asset in wanted

    def _flattenings(self) -> Iterator[Flatten]:
        """Return what a panic, or a liquidation, still requires of the executions."""
        positions = self.books.present().positions
        for asset in self._assets:
            t_ms, position = self._flat_since_ms(asset), positions.get(asset)
            if t_ms is None:
                continue
            # An entry that filled too late may have been booked before this incarnation.
            is_held = position is not None and not is_younger(position, t_ms)
            if is_held or asset not in self.flat:
                yield Flatten(asset=asset, t_ms=t_ms)

    def _flat_since_ms(self, asset: str) -> int | None:
        """Return since when an asset must be flat; None if it need not be."""
        panic = self.state.panic
        return self.state.liquidations.get(asset) if panic is None else panic.ts_ms

    def on_flat(self, message: AssetFlat, t_ms: int) -> Iterator[OperatorCommand | RiskRaised]:
        """Note that an asset is flat; return the facts to store, and the notice.

        A completed liquidation is not repeated to later incarnations: the operator may trade there.

        Args:
            message: the confirmation.
            t_ms: the present.
        """
        asset, panic = message.asset, self.state.panic
        if message.t_ms != self._flat_since_ms(asset) or asset in self.flat:
            return
        self.flat.add(asset)
        if panic is None:
            found = _shown_flat(asset, self._own_second(t_ms))
            self._take(self.state.apply(found, self._assets))
            yield found
            yield _liquidated(message)
            return
        left = ", ".join(sorted(self.not_flat))
        yield RiskRaised(
            key=f"panic/{panic.ts_ms}/{message.asset}",
            asset=message.asset,
            what="panic: flat at the exchange",
            figures=f"Not confirmed flat yet: {left}" if left else "No position is open.",
            effect="No entries until rearm",
            advice="" if left else "check, then send rearm",
        )


def _shown_flat(asset: str, t_ms: int) -> OperatorCommand:
    return OperatorCommand(
        command=FLAT,
        arguments=asset,
        operator="reconciliation",
        result=f"{asset}: its liquidation is over",
        ts_ms=t_ms,
        is_done=True,
    )


def _liquidated(message: AssetFlat) -> RiskRaised:
    return RiskRaised(
        key=f"liquidate/{message.t_ms}/{message.asset}",
        asset=message.asset,
        what=f"{message.asset} liquidated: flat at the exchange",
        figures="No position and no order is open there.",
        effect=f"No entries in {message.asset} until resume",
        advice=f"check, then send resume {message.asset}",
    )


def told_of(answer: OperatorCommand) -> SystemChanged:
    """Return the notice of an executed command."""
    return SystemChanged(
        key=f"operator/{answer.ts_ms}/{answer.command}",
        title=f"{answer.command} {answer.arguments.partition(' {')[0]}".strip(),
        detail=f"{answer.result} (by {answer.operator})",
        answered=answer.operator,
    )


def _sentence(assets: frozenset[str], says: str) -> str:
    return f"{', '.join(sorted(assets))}: {says}"
