"""Runs the simulated exchange: in this process or by `bin/sim-exchange`."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from infra.venues.simulator.control import Control
from infra.venues.simulator.core import Simulator
from infra.venues.simulator.options import SimulatorOptions
from infra.venues.simulator.recording.recorder import Recorder
from infra.venues.simulator.rest.answers import Rest
from infra.venues.simulator.rest.trade_stream import PATH as TRADE
from infra.venues.simulator.rest.trade_stream import TradeStream
from infra.venues.simulator.streams.stream import ELSEWHERE, PRIVATE, PUBLIC, STATUS

_START_S = 60.0
_STOP_S = 15.0


async def serve(simulator: Simulator, until: Callable[[], Awaitable[object]]) -> None:
    """Serve an exchange until an awaitable is done."""
    rest = Rest(simulator)
    app = Starlette(
        routes=[
            *Control(simulator).routes(),
            *(
                WebSocketRoute(path, simulator.reception.serve)
                for path in (PUBLIC, PRIVATE, STATUS, *ELSEWHERE)
            ),
            WebSocketRoute(TRADE, TradeStream(simulator, rest).serve),
            WebSocketRoute("/{path:path}", _refuse_stream),
            Route("/{path:path}", rest.answer, methods=["GET", "POST"]),
        ]
    )
    recorder = Recorder(app, path) if (path := simulator.options.record) else None
    await simulator.wire.open(recorder or app)
    simulator.start()
    ends = [asyncio.ensure_future(until()), asyncio.ensure_future(simulator.tasks.failed.wait())]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for end in ends:
            end.cancel()
        await simulator.close()
        if recorder is not None:
            recorder.close()
    if simulator.tasks.failure is not None:
        raise simulator.tasks.failure


async def _refuse_stream(socket: WebSocket) -> None:
    await socket.send_denial_response(Response("404 page not found", 404))


class SimulatedExchange:
    """An exchange in a thread of its own.

    Use:
        with SimulatedExchange(SimulatorOptions(instruments=..., fills=...)) as sim:
            requests.get(f"{sim.base_url}/v5/market/time")
    """

    def __init__(self, options: SimulatorOptions) -> None:
        """Prepare the exchange; it listens inside the `with`."""
        self._simulator = Simulator(options)
        self.port = self._simulator.wire.port
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.ws_url = f"ws://127.0.0.1:{self.port}"
        self.keys = options.keys
        self._thread = threading.Thread(target=self._run, name="simulated-exchange", daemon=True)
        self._is_ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._is_ready.wait(_START_S) or self._failure is not None:
            raise RuntimeError("the simulated exchange did not start") from self._failure
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop serving and wait for the thread."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._is_ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = stop = asyncio.Event()

        async def until() -> None:
            self._is_ready.set()
            await stop.wait()

        await serve(self._simulator, until)
