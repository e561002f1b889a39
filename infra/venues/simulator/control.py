"""The control interface: faults, prices and positions by request, and the exchange's records."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from domain.errors import ConfigError
from infra.venues.simulator.core import Simulator
from infra.venues.simulator.faults.kinds import Kind
from infra.venues.simulator.faults.reading import read_specs
from infra.venues.simulator.gate import Keys
from infra.venues.simulator.refusals import RefusedError
from infra.venues.simulator.shapes.orders import execution_push, order_push
from infra.venues.simulator.shapes.positions import position_push

_ACTIONS = {
    "close": Kind.POSITION_CLOSED,
    "open": Kind.POSITION_OPENED,
    "liquidate": Kind.LIQUIDATION,
    "adl": Kind.ADL,
    "remove_stops": Kind.STOP_REMOVED,
    "funding": Kind.FUNDING,
}


class Control:
    """Answers the requests under /sim, which need no keys."""

    def __init__(self, core: Simulator) -> None:
        self._core = core

    def routes(self) -> list[Route | WebSocketRoute]:
        """Return the routes of the control interface."""
        handlers: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "/sim/state"): self.state,
            ("GET", "/sim/records"): self.records,
            ("POST", "/sim/faults"): self.add_faults,
            ("DELETE", "/sim/faults"): self.clear_faults,
            ("POST", "/sim/price"): self.price,
            ("POST", "/sim/position"): self.position,
            ("POST", "/sim/transfer"): self.transfer,
            ("POST", "/sim/keys"): self.add_key,
            ("DELETE", "/sim/keys"): self.remove_key,
            ("POST", "/sim/advance"): self.advance,
        }
        return [
            WebSocketRoute("/sim/steps", self.steps),
            *(
                Route(path, _endpoint(handler), methods=[method])
                for (method, path), handler in handlers.items()
            ),
        ]

    def state(self, _: Any) -> Any:
        """Return time, prices, money, positions and faults."""
        core = self._core
        return {
            "time_ms": core.clock.now_ms(),
            "told_ms": core.clock.told_ms(),
            "speed": core.options.speed,
            "seed": core.seed,
            "done": core.market.is_over,
            "candle_open_ms": core.market.open_time_ms,
            "prices": {
                symbol: {
                    "last": str(core.market.last_price(symbol)),
                    "mark": str(core.market.mark_price(symbol)),
                }
                for symbol in core.market.instruments
            },
            "wallet": str(core.account.engine.wallet),
            "equity": str(core.venue.margins.equity()),
            "margin_mode": core.account.margin_mode.value,
            "is_hedged": bool(core.account.hedged),
            "positions": [
                position_push(core.venue.view(symbol)) for symbol in core.account.engine.positions
            ],
            "open_orders": [order_push(order) for order in core.venue.ledger.open_orders()],
            "streams": [
                {"path": stream.path, "topics": sorted(stream.topics)}
                for stream in core.hub.streams
            ],
            "streams_joined": core.hub.joined,
            "faults": core.faults.views(),
        }

    def records(self, _: Any) -> Any:
        """Return every order ever accepted, every execution, and the history of stops."""
        venue = self._core.venue
        return {
            "orders": [
                {**order_push(order), "seq": order.seq} for order in venue.ledger.orders.values()
            ],
            "executions": [
                execution_push(transaction.execution, transaction.cash_flow)
                for transaction in venue.account.transactions
            ],
            "stops": [
                {
                    name: str(value) if isinstance(value, Decimal) else value
                    for name, value in asdict(record).items()
                }
                for record in venue.protection.records
            ],
        }

    def add_faults(self, found: Any) -> Any:
        """Take one fault or a list of them."""
        specs = read_specs(found, "faults")
        return {"ids": [self._core.acts.add(spec).number for spec in specs]}

    def clear_faults(self, _: Any) -> Any:
        self._core.faults.clear()
        return {}

    def price(self, found: Any) -> Any:
        """Move a price: {symbol, price or factor, gap, mark}; mark null lets it follow again."""
        core, symbol = self._core, str(found["symbol"])
        instrument = core.venue.ledger.instrument(symbol)
        if "mark" in found:
            mark = found["mark"]
            core.market.move_mark(symbol, None if mark is None else Decimal(str(mark)))
        wanted = None
        if "price" in found:
            wanted = Decimal(str(found["price"]))
        elif "factor" in found:
            wanted = core.market.last_price(symbol) * Decimal(str(found["factor"]))
        price = core.market.last_price(symbol)
        if wanted is not None:
            price = instrument.round_price_down(wanted)
        core.hand.move_price(symbol, price, is_gap=bool(found.get("gap", False)))
        return {"last": str(price), "mark": str(core.market.mark_price(symbol))}

    def position(self, found: Any) -> Any:
        """Act on a position: {symbol, action, qty, side, fraction, rate}."""
        wanted = dict(found)
        action = str(wanted.pop("action"))
        if action not in _ACTIONS:
            raise ConfigError(f"action: found {action}, expected one of {', '.join(_ACTIONS)}")
        (spec,) = read_specs({"kind": _ACTIONS[action].value, **wanted}, "position")
        self._core.acts.act(spec)
        return {}

    def transfer(self, found: Any) -> Any:
        """Bring money in: {amount}; negative: take it out."""
        self._core.hand.deposit(Decimal(str(found["amount"])))
        return {"wallet": str(self._core.account.engine.wallet)}

    def add_key(self, found: Any) -> Any:
        """Accept another key: {api_key, api_secret, uid, ips, days_left, is_read_only}."""
        given = {**found, "ips": tuple(found["ips"])} if "ips" in found else dict(found)
        key = Keys(**given)
        self._core.gate.known[key.api_key] = key
        return {"keys": len(self._core.gate.known)}

    def remove_key(self, found: Any) -> Any:
        """Revoke a key: {api_key}."""
        del self._core.gate.known[str(found["api_key"])]
        return {"keys": len(self._core.gate.known)}

    def advance(self, found: Any) -> Any:
        """Move a lock-step clock over `candles` closes, one by default."""
        core = self._core
        if not core.clock.is_lockstep:
            raise ConfigError("advance: expected an exchange at --speed max")
        jumps = int(found.get("candles", 1)) if isinstance(found, dict) else 1
        made = sum(core.timeline.advance() for _ in range(jumps))
        return {"time_ms": core.clock.now_ms(), "candles": made, "done": core.market.is_over}

    async def steps(self, socket: WebSocket) -> None:
        """Answer `settle` once all clients have processed all that they were sent.

        `move` first moves a lock-step clock to its next event, unless something was still
        unprocessed: a client may yet act on it. `?topics=` names topics that must have a
        subscriber first.
        """
        await socket.accept()
        core, topics = self._core, {*filter(None, socket.query_params.get("topics", "").split(","))}
        with suppress(WebSocketDisconnect, RuntimeError):
            while core.clock.is_lockstep:
                wants_move = await socket.receive_text() == "move"
                await core.hub.wait_heard(topics)
                may_move = not await core.hub.wait_taken() and wants_move
                has_moved = may_move and core.timeline.step()
                await core.hub.wait_taken()
                now_ms = core.clock.now_ms()
                answer = {
                    "time_ms": now_ms,
                    "closed": has_moved and core.market.is_at_open,
                    "next_ms": now_ms if core.market.is_over else core.market.next_ms(),
                    "over": may_move and not has_moved,
                }
                await socket.send_text(orjson.dumps(answer).decode())
            await socket.close(1008, "expected an exchange at --speed max")


def _endpoint(handler: Callable[[Any], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            body = await request.body()
            found = handler(orjson.loads(body) if body else {})
        except (ConfigError, RefusedError) as error:
            return _json({"error": str(error)}, 400)
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)
        return _json(found)

    return answer


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
