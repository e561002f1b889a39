"""Pending and past faults: each happens once, for a time, or with a probability, all seeded."""

import random
import time
from collections.abc import Callable
from typing import Any

from infra.venues.simulator.faults.kinds import LASTING, REQUESTS, Kind
from infra.venues.simulator.faults.oddities import with_an_oddity
from infra.venues.simulator.faults.spec import FaultSpec


class Fault:
    """A fault that was requested."""

    def __init__(self, number: int, spec: FaultSpec, now_s: float) -> None:
        """Schedule the fault after its delay."""
        self.number = number
        self.spec = spec
        self.begins_s = now_s + spec.after_s
        self.ends_s = None if spec.for_s is None else self.begins_s + spec.for_s
        is_once = (
            spec.times is None
            and spec.for_s is None
            and spec.probability is None
            and spec.kind not in LASTING
        )
        self.left = 1 if is_once else spec.times
        self.fired = 0

    def is_active(self, now_s: float) -> bool:
        """Tell whether it may happen now."""
        return (
            self.left != 0
            and self.begins_s <= now_s
            and (self.ends_s is None or now_s < self.ends_s)
        )

    def is_over(self, now_s: float) -> bool:
        """Tell whether it can never happen again."""
        return self.left == 0 or (self.ends_s is not None and now_s >= self.ends_s)

    def concerns(self, path: str, symbol: str, topic: str) -> bool:
        """Tell whether it applies to such a request, message or order."""
        spec = self.spec
        about = spec.path or ("/v5/order/create" if spec.kind in REQUESTS else "")
        return (
            (not path or path.startswith(about))
            and (not spec.symbol or not symbol or symbol == spec.symbol)
            and (not topic or topic.startswith(spec.topic))
        )

    def happen(self) -> None:
        """Count one occurrence."""
        self.fired += 1
        if self.left is not None:
            self.left -= 1

    def view(self, now_s: float) -> dict[str, Any]:
        """Return the fault as JSON, for display."""
        asked = self.spec.model_dump(mode="json", exclude_defaults=True)
        counts = {"fired": self.fired, "left": self.left, "is_over": self.is_over(now_s)}
        return {"id": self.number, **counts, **asked}


class FaultBook:
    """All pending and past faults."""

    def __init__(self, seed: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._chance = random.Random(f"{seed}/faults")  # noqa: S311 - a drill, not a secret
        self._now_s = now_s
        self._faults: list[Fault] = []
        self._numbers = 0

    def add(self, spec: FaultSpec) -> Fault:
        self._numbers += 1
        fault = Fault(self._numbers, spec, self._now_s())
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        self._faults.clear()

    def take(
        self, kind: Kind, *, path: str = "", symbol: str = "", topic: str = ""
    ) -> FaultSpec | None:
        """Return the fault that happens here and now, and count it; None if none does."""
        if not self._faults:
            return None
        now_s = self._now_s()
        for fault in self._faults:
            if fault.spec.kind is not kind or not fault.is_active(now_s):
                continue
            if fault.concerns(path, symbol, topic) and self.is_tossed(fault):
                fault.happen()
                return fault.spec
        return None

    def with_an_oddity(self, found: Any) -> Any:
        """Return parsed JSON in which one field holds an unexpected value."""
        return with_an_oddity(self._chance, found)

    def is_tossed(self, fault: Fault) -> bool:
        """Draw whether a fault happens by its probability; without one it always does."""
        probability = fault.spec.probability
        return probability is None or self._chance.random() < probability

    def knows(self, fault: Fault) -> bool:
        """Tell whether a fault has not been cleared."""
        return fault in self._faults

    def recurring_acts(self) -> list[Fault]:
        """Return the acts that may be done when a candle closes."""
        now_s = self._now_s()
        return [fault for fault in self._faults if fault.spec.recurs and fault.is_active(now_s)]

    def views(self) -> list[dict[str, Any]]:
        """Return all faults as JSON, for display."""
        return [fault.view(self._now_s()) for fault in self._faults]
