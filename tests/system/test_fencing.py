"""An execution that was replaced wakes up and goes on: what it sends must not leave."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.names import execution_name
from domain.errors import FencedError
from domain.trading.orders import OrderRequest
from tests.system.floor import PATIENCE_S, floor

IMPATIENT = {"supervision": {"hang_seconds": 2, "max_restarts": 1000}}


class Sleeper:
    """An exchange at which the first entry's sender falls asleep before it sends."""

    def __init__(self, submit: Callable[..., Any]) -> None:
        self._submit = submit
        self.order: OrderRequest | None = None
        self.sleeps, self.may_wake, self.is_done = (threading.Event() for _ in range(3))
        self.result: object = None

    def __call__(self, order: OrderRequest, is_ours: Callable[[], bool]) -> Any:
        if order.reduce_only or self.sleeps.is_set():
            return self._submit(order, is_ours)
        self.order = order
        self.sleeps.set()
        self.may_wake.wait(PATIENCE_S)
        try:
            self.result = self._submit(order, is_ours)
        except BaseException as error:
            self.result = error
            raise
        finally:
            self.is_done.set()


def test_an_execution_that_wakes_up_after_it_was_replaced_sends_nothing(tmp_path: Path) -> None:
    with floor(tmp_path / "run", changes=IMPATIENT) as here:
        exchange: Any = here.run.ports.exchange
        exchange.submit = sleeper = Sleeper(exchange.submit)
        assert sleeper.sleeps.wait(PATIENCE_S)
        order = sleeper.order
        assert order is not None
        name = execution_name(order.asset)
        here.wait(lambda: here.run.restarts()[name], "the sleeper is replaced")

        sleeper.may_wake.set()

        assert sleeper.is_done.wait(PATIENCE_S)
        assert isinstance(sleeper.result, FencedError)
        here.wait_for_trades(1)
        here.wait_until_agreed()
        assert here.broken_promises() == []
