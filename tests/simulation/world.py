"""One world: an exchange that lives through it, and the lives of one system at it, by a seed."""

import hashlib
import shutil
import tempfile
import traceback
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from actors.core.trace import Handling
from actors.core.trace import Outcome as Outcome_
from actors.messages import AssetReported, OperatorAsked
from domain.operator.commands import CommandName, OperatorCommand
from infra.settings import Settings
from infra.venues.simulator.prices.generator import CANDLE_MS
from tests.simulation import channels
from tests.simulation.coverage import Pairs, states_of
from tests.simulation.disk import Disk
from tests.simulation.events import DEEDS, command, times_of
from tests.simulation.exchange import Exchange
from tests.simulation.faults import Misfortune
from tests.simulation.judge import Judge
from tests.simulation.plan import Plan
from tests.simulation.schedule import Schedule, Strike
from tests.simulation.scheduler import ProcessDiedError, Scheduler
from tests.simulation.system import MODE, SPARE_CANDLES, Pace, SystemProcess
from tests.simulation.why import Traces

SETTLE_MINUTES = 40
EVENTS_SHOWN = 25
_AWAY_S = (0.5, 0.5, 0.5, 2.0, 2.0, 2.0, 5.0, 5.0, 30.0, 600.0)
"""At most, between two lives of a process."""
MOST_IDLE_STEPS = 20_000
_MEMORY = Path("/dev/shm")


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What one world showed."""

    seed: int
    event_hash: str = ""
    problems: list[str] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    pairs: Pairs = field(default_factory=Pairs)
    deaths: int = 0
    messages: int = 0
    steps: int = 0
    minutes: float = 0.0
    orders: int = 0
    trades: int = 0
    broken_at_s: float | None = None
    last_events: list[str] = field(default_factory=list)
    """Before a promise was broken, oldest first."""
    strikes: list[Strike] = field(default_factory=list)
    """All that went wrong; empty where no promise was broken."""
    why: list[str] = field(default_factory=list)
    """How it came to that, as `bin/trace why` tells it; empty where nobody has asked."""


class BrokenPromiseError(Exception):
    """What must always be true is not."""


class World:
    """All that one seed leads to."""

    def __init__(
        self,
        seed: int,
        settings: Settings,
        folder: Path,
        plan: Plan,
        on_broken: Callable[["World"], None] = lambda _world: None,
        *,
        is_traced: bool = False,
    ) -> None:
        """Begin the world.

        Args:
            seed: all follows from it.
            settings: of the system.
            folder: empty, for its files.
            plan: which kinds of trouble there are.
            on_broken: called while all stands still that has broken a promise.
            is_traced: what led to a broken promise is told; takes time and memory.
        """
        self._on_broken = on_broken
        self._traces = Traces(folder, MODE) if is_traced else None
        self.outcome = Outcome(seed=seed)
        self.rng = Random(f"{seed}/world")
        self.scheduler = Scheduler(Random(f"{seed}/order"))
        self.plan = plan
        self.scheduler.lag_s = plan.chances.lag_s
        self.schedule = Schedule(plan.only, self.scheduler.now_s)
        self._power_tosses = 0
        self._settings = settings
        self.rules = settings.trading_rules()
        self.exchange = Exchange(
            self.scheduler,
            [asset.instrument for asset in self.rules.assets],
            self.rules.fills,
            seed,
            self.rules.candles.warmup_candles + SPARE_CANDLES + 10,
        )
        self._newest: deque[str] = deque(maxlen=EVENTS_SHOWN)
        self._hash = hashlib.blake2b(digest_size=8)
        self.lives = 0
        self.is_calm = False
        self._idle_steps = 0
        self.alive_since_s: float | None = None
        self.decided_ms: dict[str, int] = {}
        self._commands: list[OperatorCommand] = []
        """That were stored while the message at hand was dealt with."""
        self._acknowledged: list[OperatorCommand] = []
        has_channels = plan.chances.channel > 0.0
        self.places = tuple(map(channels.Place, channels.NAMES if has_channels else ()))
        self.disk = Disk(folder / "journal.sqlite", Random(f"{seed}/disk"))
        self._power = Random(f"{seed}/power")
        self.judge = Judge(self.exchange, self.rules, self.disk.file, self._kept_ids)
        self.system = self._new_life()

    def run(self, troubled_s: float) -> None:
        """Let trouble come for some seconds, then let all settle; ends at a broken promise."""
        for name in sorted(self.plan.deeds):
            for place, at_s in enumerate(times_of(name, self.outcome.seed, troubled_s), 1):
                self.scheduler.call_in(at_s, partial(self._do, name, place))
        try:
            self._run_until(troubled_s)
            self._calm_down()
            self._settle(troubled_s)
        except BrokenPromiseError:
            self.outcome.last_events += self._newest
            self.outcome.broken_at_s = self.scheduler.now_s()
        except Exception:  # noqa: BLE001 (the other worlds are still to be played)
            self.outcome.problems = [f"the world itself failed: {traceback.format_exc()}"]
            self._on_broken(self)

    def _run_until(self, until_s: float) -> None:
        until_us = until_s * 1_000_000
        while self.scheduler.now_us < until_us:
            self.step()

    def _do(self, name: str, place: int) -> None:
        is_possible = not self.is_calm and not self.system.process.is_dead
        if is_possible and self.schedule.lets(f"{name}.{place}"):
            self.schedule.note(name)
            self.note(name)
            self.outcome.hits[name] += 1
            DEEDS[name](self, Random(f"{self.outcome.seed}/{name}/{place}"))

    def _calm_down(self) -> None:
        """Let nothing go wrong any more, and end what the operator has ordered."""
        self.is_calm = True
        self.scheduler.lag_s = 0.0
        self.system.misfortune.is_over = True
        self.exchange.faults.clear()

    def _settle(self, troubled_s: float) -> None:
        """Wait until books and exchange agree, and every asset decides again.

        Raises:
            BrokenPromiseError: they do not in time, or something was broken before.
        """
        left = ["not looked at yet"]
        for minute in range(1, SETTLE_MINUTES + 1):
            self._run_until(troubled_s + minute * 60)
            if minute == 1:
                command(self, CommandName.REARM)
            self._revive()
            if minute % 2 == 0 and minute > 5:
                left = self._unsettled()
                if not left:
                    break
        self._demand([f"not settled after {SETTLE_MINUTES} calm minutes: {one}" for one in left])
        told = channels.broken(
            self.disk.file, self.places, has_power_cuts=self.outcome.hits["power cut"] > 0
        )
        self._demand([*self.judge.whole(), *self._forgotten_commands(), *told])

    def _unsettled(self) -> list[str]:
        if not self.judge.stored.read_on():
            return ["nothing is stored"]
        waiting = channels.waiting(self.disk.file)
        return [*self._undecided(), *self.judge.settled(), *waiting]

    def _revive(self) -> None:
        """Restart what was given up, as an operator would."""
        system = self.system
        if system.supervisor is None or system.process.is_dead:
            return
        for address in sorted(system.system.given_up if system.system else ()):
            self.scheduler.start(system.process, partial(system.supervisor.restart, address, 10.0))

    def _undecided(self) -> list[str]:
        newest_ms = self.exchange.market.open_time_ms
        return [
            f"{asset.asset} has not decided the close of {newest_ms}"
            for asset in self.rules.assets
            if self.decided_ms.get(asset.asset, 0) < newest_ms - CANDLE_MS
        ]

    def _demand(self, problems: list[str]) -> None:
        if problems:
            self.outcome.problems = problems
            self._on_broken(self)
            raise BrokenPromiseError

    def step(self) -> None:
        """Let one thing happen, and see that it has broken no promise."""
        before_us = self.scheduler.now_us
        self.scheduler.step()
        self._idle_steps = 0 if self.scheduler.now_us > before_us else self._idle_steps + 1
        if self._idle_steps > MOST_IDLE_STEPS:
            self._demand(["loops go on for ever, and no time passes"])
        self._demand(self.judge.look(self.scheduler.now_s(), self.alive_since_s))
        system = self.system
        if system.is_over and not system.process.is_dead:
            self.note(f"ended by itself {system.main.error!r}")
            self.outcome.hits[f"ended by itself {system.main.error!r}"[:120]] += 1
            system.process.is_dead = True
        if system.process.is_dead and not system.is_buried:
            self._bury()

    def note(self, what: str) -> None:
        """Make something part of what equal seeds must have in common."""
        line = f"{self.scheduler.now_us / 1e6:.6f} {what}"
        self._hash.update(line.encode())
        self._newest.append(line)

    def finish(self) -> Outcome:
        """End the world, and return what it showed."""
        self.system.bury()
        outcome = self.outcome
        if outcome.problems:
            outcome.strikes = self.schedule.strikes
            if self._traces is not None and self.judge.stored.read_on():
                outcome.why = self._traces.story(self.disk.file, outcome.problems)
        self.judge.close()
        self.disk.close()
        outcome.steps = self.scheduler.switches
        outcome.minutes = self.scheduler.now_s() / 60
        outcome.event_hash = self._hash.hexdigest()
        outcome.deaths = self.lives - 1
        records = self.exchange.records()
        outcome.orders = len(records["orders"])
        outcome.trades = len(self.exchange.account.closed)
        return outcome

    def _new_life(self) -> SystemProcess:
        self.lives += 1
        self.alive_since_s = self.scheduler.now_s()
        return SystemProcess(
            scheduler=self.scheduler,
            exchange=self.exchange,
            misfortune=self._misfortune,
            settings=self._settings,
            rules=self.rules,
            disk=self.disk,
            rng=Random(f"{self.outcome.seed}/life/{self.lives}"),
            record=self._record,
            life=self.lives,
            pace=Pace(),
            places=self.places,
        )

    def _misfortune(self, system: SystemProcess) -> Misfortune:
        def checkpoint() -> None:
            is_cut = not self.is_calm and self._loses_power()
            self.disk.checkpoint(is_cut=is_cut)
            if is_cut:
                self._note_death("power cut inside a checkpoint", system)
                raise ProcessDiedError

        return Misfortune(
            scheduler=self.scheduler,
            seed=f"{self.outcome.seed}/misfortune/{self.lives}",
            chances=self.plan.chances,
            is_dead=lambda: system.process.is_dead,
            die=self.die,
            stored=self._note_commands,
            refusal=lambda: self.disk.refusal(self.scheduler.now_s()),
            # The start of a process is in its requests, each of which has a time-out.
            is_supervised=lambda: self.scheduler.task is not system.main,
            checkpoint=checkpoint,
            hits=self.outcome.hits,
            life=self.lives,
            schedule=self.schedule,
            is_over=self.is_calm,
            note=self.note,
        )

    def die(self, where: str) -> None:
        """Let the process be dead, and perhaps the whole machine."""
        if self._loses_power():
            self.disk.cut_power()
        self._note_death(where, self.system)

    def _loses_power(self) -> bool:
        chance = 0.0 if self.is_calm else self.plan.chances.power
        if chance <= 0.0:
            return False
        self._power_tosses += 1
        is_cut = self._power.random() < chance and self.schedule.lets(f"power.{self._power_tosses}")
        if is_cut:
            self.schedule.note("power cut")
        return is_cut

    def _note_death(self, where: str, system: SystemProcess) -> None:
        if self.disk.is_cut:
            self.outcome.hits["power cut"] += 1
        self._note_states(where)
        self.note(f"{where}{', power cut' if self.disk.is_cut else ''}")
        system.process.is_dead = True

    def _note_states(self, where: str) -> None:
        stored = self.judge.stored
        if not self.is_calm and stored.read_on():
            for state in set(states_of(self.exchange, stored)):
                self.outcome.pairs[where.removeprefix("kill "), state] += 1

    def _bury(self) -> None:
        self.system.bury()
        if self.disk.is_cut:
            self.judge.close()
            self.disk.come_back()
        self.alive_since_s = None
        self._commands.clear()
        away_s = self.rng.choice(_AWAY_S) * self.rng.random()
        if self.is_calm:
            away_s = 1.0
        self.scheduler.call_in(away_s, self._begin_again)

    def _begin_again(self) -> None:
        self.system = self._new_life()

    def _kept_ids(self) -> list[str]:
        return self.system.kept_ids()

    def _note_commands(self, facts: Sequence[object]) -> None:
        self._commands += (fact for fact in facts if isinstance(fact, OperatorCommand))

    def _forgotten_commands(self) -> list[str]:
        stored = [command for _, command in self.judge.journal().commands]
        return [
            f"{command.command} {command.arguments} was acknowledged, and then forgotten"
            for command in self._acknowledged
            if command not in stored
        ]

    def _record(self, handling: Handling) -> None:
        self.outcome.messages += 1
        if self._traces is not None:
            self._traces.take(self.lives, self.system.supervisor, handling)
        envelope = handling.envelope
        message = envelope.message
        name = type(message).__name__
        if isinstance(message, AssetReported) and handling.outcome is Outcome_.DONE:
            asset = message.report.asset
            self.decided_ms[asset] = max(self.decided_ms.get(asset, 0), message.report.t_ms)
        if isinstance(message, OperatorAsked):
            if handling.outcome is Outcome_.DONE:
                self._acknowledged += self._commands
            self._commands.clear()
        self.note(
            f"{envelope.message_id} {envelope.sender}>{envelope.receiver} {name} "
            f"{handling.outcome} {envelope.now_ms} {len(handling.calls)} {len(handling.told)}"
        )


def play(
    seed: int,
    settings: Settings,
    minutes: float,
    plan: Plan,
    on_broken: Callable[[World], None] = lambda _world: None,
    *,
    is_traced: bool = False,
) -> Outcome:
    """Play one world: so many minutes of trouble, then calm until all has settled."""
    base = _MEMORY if _MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="simulate-", dir=base))
    try:
        world = World(seed, settings, folder, plan, on_broken, is_traced=is_traced)
        try:
            world.run(minutes * 60)
        finally:
            outcome = world.finish()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome
