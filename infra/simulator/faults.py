"""What goes wrong, and when: each fault once, for a time, or with a probability, all seeded."""

import random
import time
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from domain.errors import ConfigError


class Kind(StrEnum):
    """What goes wrong."""

    # With one request; `path` says with which.
    REQUEST_LOST = "request_lost"
    """The connection drops before the request is read."""
    ANSWER_LOST = "answer_lost"
    """The request is done, then the connection drops; `hang_s` keeps it open first."""
    ANSWER_LATE = "answer_late"
    """The request is done, the answer comes after `seconds`."""
    HTTP_STATUS = "http_status"
    """`status` instead of an answer, saying to come back after `retry_after_s`; with `processed`
    the request is done all the same. On a stream's path the handshake is refused."""
    RET_CODE = "ret_code"
    """`code` instead of an answer; with `processed` the request is done all the same."""
    UNREADABLE_BODY = "unreadable_body"
    """The request is done, the answer is not JSON."""

    # With the network, for a time.
    REFUSE = "refuse"
    """New connections are refused; open ones live on."""
    DOWN = "down"
    """All connections drop and new ones are refused."""
    CUT = "cut"
    """Open streams drop at once; `path` says which."""
    HALF_OPEN = "half_open"
    """Open streams neither send nor answer any more, and are not closed."""

    # With messages of streams; `topic` says with which.
    MUTE = "mute"
    """Streams pong but send no data."""
    LOSE_CONFIRM = "lose_confirm"
    """The message that ends a candle is not sent."""
    DUPLICATE = "duplicate"
    """A message is sent twice."""
    REORDER = "reorder"
    """A message is sent after the next one."""
    UNREADABLE_MESSAGE = "unreadable_message"
    """A message breaks off in the middle: it is no JSON."""
    WRONG_TYPES = "wrong_types"
    """The fields of a message hold lists instead of what they should."""
    UNKNOWN_TOPIC = "unknown_topic"
    """A message comes under a topic that nobody has asked for."""
    INSTANT = "instant"
    """Acknowledgements and data come without the usual 5 to 20 ms."""

    # With what the exchange does.
    PARTIAL_FILL = "partial_fill"
    """A market order fills by `fraction` and is canceled."""
    REJECT = "reject"
    """An order is acknowledged, then rejected with `reason`."""
    SLOW_MATCHING = "slow_matching"
    """An acknowledged order waits `seconds` for the matching."""
    HISTORY_LAG = "history_lag"
    """Order history leaves out what is newer than `seconds` of exchange time."""
    FORGET_CLOSED = "forget_closed"
    """order/realtime knows open orders only."""
    CLOCK_OFFSET = "clock_offset"
    """The clock that clients see is `ms` ahead; negative: behind."""

    # Acts: done when they are due; with a probability or for a time, at closed candles.
    FUNDING = "funding"
    """Funding is settled now, at `rate`."""
    STOP_REMOVED = "stop_removed"
    """Somebody removes a position's stops."""
    POSITION_CLOSED = "position_closed"
    """Somebody closes a position."""
    POSITION_OPENED = "position_opened"
    """Somebody trades `qty` on `side` (Sell by default)."""
    LIQUIDATION = "liquidation"
    """A position is taken over."""
    ADL = "adl"
    """A position is reduced by `fraction`."""
    PRICE_GAP = "price_gap"
    """The price jumps by `fraction` without trading between."""


ACTS = frozenset(
    {
        Kind.CUT,
        Kind.HALF_OPEN,
        Kind.FUNDING,
        Kind.STOP_REMOVED,
        Kind.POSITION_CLOSED,
        Kind.POSITION_OPENED,
        Kind.LIQUIDATION,
        Kind.ADL,
        Kind.PRICE_GAP,
        Kind.REFUSE,
        Kind.DOWN,
    }
)
"""Faults that are done rather than met."""
_OUTAGES = frozenset({Kind.REFUSE, Kind.DOWN})
_SHARES = frozenset({Kind.PARTIAL_FILL, Kind.ADL})
LASTING = frozenset(
    {Kind.MUTE, Kind.INSTANT, Kind.HISTORY_LAG, Kind.FORGET_CLOSED, Kind.CLOCK_OFFSET}
)
"""Faults that last until they are cleared, unless something else is asked for."""


class FaultSpec(BaseModel):
    """A fault as it is asked for. Durations are real seconds.

    Without `times`, `for_s` and `probability` it happens once; what is a state of the exchange
    rather than an event (LASTING) then lasts until it is cleared.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    path: str = ""
    """Begin of the request's or stream's path; empty: /v5/order/create for faults of requests,
    every stream for faults of streams."""
    symbol: str = ""
    topic: str = ""
    """Begin of the message's topic; empty: all."""
    times: int | None = Field(default=None, ge=1)
    for_s: float | None = Field(default=None, gt=0)
    after_s: float = Field(default=0.0, ge=0)
    probability: float | None = Field(default=None, gt=0, le=1)

    processed: bool = False
    status: int = Field(default=502, ge=400, le=599)
    retry_after_s: int | None = Field(default=None, ge=0)
    code: int = 10016
    text: str = ""
    seconds: float = Field(default=2.0, ge=0)
    hang_s: float = Field(default=0.0, ge=0)
    fraction: Decimal = Field(default=Decimal("0.5"), gt=-1)
    """Of the price; of a quantity it is from 0 to 1."""
    ms: int = 3000
    reason: str = "EC_PerCancelRequest"
    rate: Decimal | None = None
    qty: Decimal | None = Field(default=None, gt=0)
    side: Literal["Buy", "Sell"] = "Sell"

    @model_validator(mode="after")
    def _has_a_share(self) -> Self:
        if self.kind in _SHARES and not 0 < self.fraction <= 1:
            raise ValueError(f"fraction: found {self.fraction}, expected above 0, up to 1")
        return self

    @property
    def recurs(self) -> bool:
        """Tell whether it is an act that is done at closed candles, again and again."""
        is_for_a_time = self.for_s is not None and self.kind not in _OUTAGES
        return self.kind in ACTS and (self.probability is not None or is_for_a_time)

    @property
    def outage_s(self) -> float:
        """How long the exchange is away; with a probability `for_s` says when that may begin."""
        return self.seconds if self.for_s is None or self.probability is not None else self.for_s


_SPECS = TypeAdapter(list[FaultSpec])
_REQUESTS = frozenset(
    {
        Kind.REQUEST_LOST,
        Kind.ANSWER_LOST,
        Kind.ANSWER_LATE,
        Kind.HTTP_STATUS,
        Kind.RET_CODE,
        Kind.UNREADABLE_BODY,
    }
)


class Fault:
    """A fault that waits to happen."""

    def __init__(self, number: int, spec: FaultSpec, now_s: float) -> None:
        """Let it begin after its delay."""
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
        """Tell whether it is about such a request, message or order."""
        spec = self.spec
        about = spec.path or ("/v5/order/create" if spec.kind in _REQUESTS else "")
        return (
            (not path or path.startswith(about))
            and (not spec.symbol or not symbol or symbol == spec.symbol)
            and (not topic or topic.startswith(spec.topic))
        )

    def happen(self) -> None:
        """Count once."""
        self.fired += 1
        if self.left is not None:
            self.left -= 1

    def view(self, now_s: float) -> dict[str, Any]:
        """Return the fault for people."""
        asked = self.spec.model_dump(mode="json", exclude_defaults=True)
        counts = {"fired": self.fired, "left": self.left, "is_over": self.is_over(now_s)}
        return {"id": self.number, **counts, **asked}


class FaultBook:
    """All faults that wait or were."""

    def __init__(self, seed: int, now_s: Callable[[], float] = time.monotonic) -> None:
        """Start with none."""
        self._chance = random.Random(f"{seed}/faults")  # noqa: S311 - a drill, not a secret
        self._now_s = now_s
        self._faults: list[Fault] = []
        self._numbers = 0

    def add(self, spec: FaultSpec) -> Fault:
        """Take a fault in."""
        self._numbers += 1
        fault = Fault(self._numbers, spec, self._now_s())
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """End all faults."""
        self._faults.clear()

    def take(
        self, kind: Kind, *, path: str = "", symbol: str = "", topic: str = ""
    ) -> FaultSpec | None:
        """Return the fault that happens here and now, and count it; None where none does."""
        now_s = self._now_s()
        for fault in self._faults:
            if fault.spec.kind is not kind or not fault.is_active(now_s):
                continue
            if fault.concerns(path, symbol, topic) and self.is_tossed(fault):
                fault.happen()
                return fault.spec
        return None

    def is_tossed(self, fault: Fault) -> bool:
        """Toss a fault's probability; without one it always happens."""
        probability = fault.spec.probability
        return probability is None or self._chance.random() < probability

    def knows(self, fault: Fault) -> bool:
        """Tell whether a fault was not cleared."""
        return fault in self._faults

    def recurring_acts(self) -> list[Fault]:
        """Return the acts that may be done at a closed candle."""
        now_s = self._now_s()
        return [fault for fault in self._faults if fault.spec.recurs and fault.is_active(now_s)]

    def views(self) -> list[dict[str, Any]]:
        """Return all faults for people."""
        return [fault.view(self._now_s()) for fault in self._faults]


def read_specs(found: Any, where: str) -> list[FaultSpec]:
    """Return faults from plain data: one, or a list of them.

    Raises:
        ConfigError: they are not faults; says all that is wrong.
    """
    try:
        return _SPECS.validate_python(found if isinstance(found, list) else [found])
    except ValidationError as error:
        lines = [
            f"{where}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from error


def read_file(path: Path) -> list[FaultSpec]:
    """Return the faults of a YAML file.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be opened: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML: {error}") from error
    return read_specs(found or [], str(path))
