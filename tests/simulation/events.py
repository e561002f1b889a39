"""What happens around a system: deeds of the exchange and of people, by the seed."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from actors.messages import OperatorAsked
from actors.names import NOTIFIER, PORTFOLIO, asset_name, execution_name
from domain.operator.commands import Command, CommandName
from infra.venues.simulator.faults.kinds import Kind
from infra.venues.simulator.faults.spec import FaultSpec
from tests.simulation.faults import REFUSALS

if TYPE_CHECKING:
    from tests.simulation.world import World

Deed = Callable[["World", Random], None]
MEAN_PAUSE_S = 600.0
"""Between two deeds of a kind, where it is on."""


def _act(kind: Kind, **more: Any) -> Deed:
    def do(world: "World", rng: Random) -> None:
        symbol = rng.choice(list(world.exchange.market.instruments))
        world.exchange.act(symbol, FaultSpec(kind=kind, **more))

    return do


def _gap(world: "World", rng: Random) -> None:
    symbol = rng.choice(list(world.exchange.market.instruments))
    fraction = Decimal(rng.choice(("-0.03", "-0.01", "0.01", "0.02", "0.04")))
    world.exchange.act(symbol, FaultSpec(kind=Kind.PRICE_GAP, fraction=fraction))


def _run(world: "World", rng: Random) -> None:
    """Let a price go one way for some minutes, so that trailing stops follow."""
    symbol = rng.choice(list(world.exchange.market.instruments))
    step = Decimal(rng.choice(("-0.004", "0.004")))

    def gap() -> None:
        world.exchange.act(symbol, FaultSpec(kind=Kind.PRICE_GAP, fraction=step))

    for number in range(rng.randint(3, 12)):
        world.scheduler.call_in(number * rng.uniform(2.0, 30.0), gap)


def _fault(**spec: Any) -> Deed:
    return lambda world, _rng: world.exchange.faults.add(FaultSpec(**spec)) and None


def _slow_matching(world: "World", rng: Random) -> None:
    world.exchange.faults.add(FaultSpec(kind=Kind.SLOW_MATCHING, seconds=rng.uniform(0.5, 30.0)))


def _cut_account(world: "World", rng: Random) -> None:
    world.system.streams.cut_account(rng.choice((0.5, 5.0, 60.0)))


def _cut_market(world: "World", rng: Random) -> None:
    symbol = rng.choice(list(world.exchange.market.instruments))
    world.system.streams.market.reconnect(symbol, rng.choice((0.5, 30.0, 400.0)))


def _kill(world: "World", _rng: Random) -> None:
    world.die("kill between two steps")


def _stop(world: "World", _rng: Random) -> None:
    """Stop in order, as a signal asks for it."""
    system = world.system
    run = system.run
    if run is not None and system.is_started:

        def stop() -> None:
            run.stop(15.0)
            world.die("stopped")

        world.scheduler.start(system.process, stop)


def _jump(world: "World", rng: Random) -> None:
    """Let the machine's clock be set to another time."""
    world.system.wall_jump_s = rng.uniform(-3600.0, 3600.0)


def _refuse_writes(world: "World", rng: Random) -> None:
    """Let the disk refuse all writes for a while, over deaths of the process."""
    until_s = world.scheduler.now_s() + rng.choice((5.0, 60.0, 400.0))
    world.disk.refuses(rng.choice(REFUSALS), until_s)


def _restart(world: "World", rng: Random) -> None:
    supervisor = world.system.supervisor
    if supervisor is None or not world.system.is_started:
        return
    assets = [asset.asset for asset in world.rules.assets]
    addresses = [NOTIFIER, PORTFOLIO, *map(asset_name, assets), *map(execution_name, assets)]
    address = rng.choice(addresses)
    world.scheduler.start(world.system.process, lambda: supervisor.restart(address, 10.0) and None)


def _reload(world: "World", rng: Random) -> None:
    """Let the settings be read anew, in which others stand now."""
    system = world.system
    if system.is_started:
        world.scheduler.start(system.process, lambda: system.reload(rng), "reload")


def command(world: "World", name: CommandName, argument: str = "") -> None:
    """Let the operator command something, where the system listens."""
    if world.system.system is None or not world.system.is_started:
        return
    message = OperatorAsked(command=Command(name=name, argument=argument), operator="simulated")
    world.system.system.address(PORTFOLIO).tell(message, sender="runtime")


def _command(name: CommandName, end: CommandName | None, *, of_asset: bool = True) -> Deed:
    def do(world: "World", rng: Random) -> None:
        asset = rng.choice([asset.asset for asset in world.rules.assets]) if of_asset else ""
        part = f" {rng.choice(('0.25', '0.5'))}" if name is CommandName.REDUCE else ""
        command(world, name, f"{asset}{part}")
        if end is not None:
            later_s = rng.choice((10.0, 100.0, 600.0)) * rng.random()
            world.scheduler.call_in(later_s, lambda: command(world, end, asset))

    return do


DEEDS: dict[str, Deed] = {
    "stop removed": _act(Kind.STOP_REMOVED),
    "position closed": _act(Kind.POSITION_CLOSED),
    "deleveraged": _act(Kind.ADL, fraction=Decimal("0.5")),
    "funding": _act(Kind.FUNDING),
    "price gap": _gap,
    "price runs": _run,
    "partial fill": _fault(kind=Kind.PARTIAL_FILL, times=1),
    "order rejected": _fault(kind=Kind.REJECT, times=1),
    "slow matching": _slow_matching,
    "history lags": _fault(kind=Kind.HISTORY_LAG, seconds=600, times=4),
    "closed orders forgotten": _fault(kind=Kind.FORGET_CLOSED, times=4),
    "account stream cut": _cut_account,
    "market stream cut": _cut_market,
    "disk refuses": _refuse_writes,
    "clock jumps": _jump,
    "process killed": _kill,
    "process stopped": _stop,
    "actor restarted": _restart,
    "pause": _command(CommandName.PAUSE, CommandName.RESUME),
    "close": _command(CommandName.CLOSE, None),
    "reduce": _command(CommandName.REDUCE, None),
    "liquidate": _command(CommandName.LIQUIDATE, CommandName.RESUME),
    "panic": _command(CommandName.PANIC, CommandName.REARM, of_asset=False),
    "settings reloaded": _reload,
}


def times_of(name: str, seed: int, until_s: float) -> Iterator[float]:
    """Yield when deeds of a kind are done."""
    rng = Random(f"{seed}/{name}")
    at_s = rng.expovariate(1 / MEAN_PAUSE_S)
    while at_s < until_s:
        yield at_s
        at_s += rng.expovariate(1 / MEAN_PAUSE_S)
