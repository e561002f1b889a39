"""Counts requests, their results and their durations."""

import math
import threading
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from infra.venues.bybit.limits import Kind

BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the histogram's buckets; the last one has none."""
RECENT_S = 300.0
"""How far back the quantiles look."""
_MOST_RECENT = 1000


class Result(StrEnum):
    """How a request ended."""

    OK = "ok"
    REFUSED = "refused"
    SILENT = "silent"
    """No readable answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStats:
    """All requests so far, and the newest ones' durations."""

    counts: Mapping[tuple[Kind, Result], int]
    buckets: Sequence[int]
    """Cumulative counts: requests that took no longer than each of `BUCKETS_S`, then all."""
    sum_s: float
    p50_s: float | None
    """Over the last `RECENT_S`; None if there was no request."""
    p99_s: float | None
    symbols: Mapping[str, tuple[float | None, float | None]]
    """The same two quantiles for the requests about one symbol."""


class RequestMeter:
    """Counts; thread-safe.

    A duration is the time of the exchange with the venue, including connecting but not waiting for
    the rate limit. An unanswered request counts with the time waited for it.
    """

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._counts: Counter[tuple[Kind, Result]] = Counter()
        self._buckets = [0] * (len(BUCKETS_S) + 1)
        self._sum_s = 0.0
        self._recent: deque[tuple[float, float, str]] = deque(maxlen=_MOST_RECENT)

    def note(self, kind: Kind, result: Result, took_s: float, symbol: str = "") -> None:
        """Count a finished request; the symbol is the one that it was about, if any."""
        with self._lock:
            self._counts[kind, result] += 1
            self._buckets[bisect_left(BUCKETS_S, took_s)] += 1
            self._sum_s += took_s
            self._recent.append((self._monotonic_s(), took_s, symbol))

    def stats(self) -> RequestStats:
        oldest_s = self._monotonic_s() - RECENT_S
        with self._lock:
            counts, buckets, sum_s = dict(self._counts), list(self._buckets), self._sum_s
            recent = [each for each in self._recent if each[0] >= oldest_s]
        by_symbol: defaultdict[str, list[float]] = defaultdict(list)
        for _, took_s, symbol in recent:
            by_symbol[symbol].append(took_s)
        all_s = [took_s for _, took_s, _ in recent]
        return RequestStats(
            counts=counts,
            buckets=[sum(buckets[: index + 1]) for index in range(len(buckets))],
            sum_s=sum_s,
            p50_s=_quantile(all_s, 0.5),
            p99_s=_quantile(all_s, 0.99),
            symbols={
                symbol: (_quantile(found, 0.5), _quantile(found, 0.99))
                for symbol, found in by_symbol.items()
                if symbol
            },
        )


def _quantile(found: Sequence[float], fraction: float) -> float | None:
    """Return the nearest-rank quantile: the smallest value not exceeded by the given fraction."""
    ordered = sorted(found)
    return ordered[math.ceil(fraction * len(ordered)) - 1] if ordered else None
