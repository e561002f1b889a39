"""Averages over whole histories at once, bit for bit those of the fold of `domain/indicators`.

A fold cannot be done in parallel, but it forgets: two folds over the same closes that begin at
different values soon give the very same bits. So the histories are cut into chunks that are folded
side by side, each from a guess, and then again from where the chunk before it ended, until no
chunk's beginning changes. Then each chunk began where the one before it ended, and the first at
the first close: that is the fold.
"""

from collections.abc import Sequence

import numpy as np

from domain.candles import Flags
from domain.indicators import Array, ema_alpha, ema_series

_SHORTEST = 1_500
_FORGETS = 6.0
"""Chunk length in units of 1 / alpha; shorter chunks need more rounds."""
_CHUNKS = 16
"""With fewer, folding in python is quicker."""


def ema_arrays(jobs: Sequence[tuple[Array, int]]) -> list[Array]:
    """Return the average after each close, as `ema_next` gives them one by one.

    Args:
        jobs: (n,) float64 closes, quote per base, oldest first, each with a period in candles,
            >= 1; n may be 0 and may differ from job to job.

    Returns:
        (n,) float64 for each job.
    """
    length = max([_SHORTEST, *(int(_FORGETS / ema_alpha(period)) for _, period in jobs)]) + 1
    chunks = [len(closes) // length for closes, _ in jobs]
    if sum(chunks) < _CHUNKS:
        return [np.array(ema_series(closes.tolist(), period)) for closes, period in jobs]
    folded = _fold_all(jobs, chunks, length)
    out, row = [], 0
    for (closes, period), count in zip(jobs, chunks, strict=True):
        begun = folded[row : row + count].reshape(-1)
        out.append(_finish(begun, closes, period))
        row += count
    return out


def _finish(begun: Array, closes: Array, period: int) -> Array:
    rest = closes[len(begun) :].tolist()
    if not len(begun):
        return np.array(ema_series(rest, period))
    return np.concatenate([begun, ema_series([float(begun[-1]), *rest], period)[1:]])


def _fold_all(jobs: Sequence[tuple[Array, int]], chunks: list[int], length: int) -> Array:
    """Return the (sum of chunks, length) averages of the whole chunks of all jobs."""
    body = np.concatenate(
        [
            closes[: count * length].reshape(count, length)
            for (closes, _), count in zip(jobs, chunks, strict=True)
        ]
    )
    alphas = np.repeat([ema_alpha(period) for _, period in jobs], chunks)
    is_first = np.zeros(len(body), dtype=np.bool_)
    is_first[(np.cumsum(chunks) - chunks)[np.array(chunks) > 0]] = True
    starts = _guessed_starts(body, alphas, is_first)
    out, stale = np.empty_like(body), np.arange(len(body))
    while stale.size:
        out[stale] = _fold(body[stale], starts[stale], alphas[stale])
        ends = np.where(is_first[1:], starts[1:], out[:-1, -1])
        stale = 1 + np.flatnonzero(ends != starts[1:])
        starts[1:] = ends
    return out


def _fold(rows: Array, starts: Array, alphas: Array) -> Array:
    columns = np.ascontiguousarray(rows.T)
    value, step = starts, np.empty_like(starts)
    for closes in columns:
        # The very operations of `ema_next`, in its order, on all chunks at once.
        np.subtract(closes, value, out=step)
        np.multiply(step, alphas, out=step)
        np.add(value, step, out=closes)
        value = closes
    return columns.T


def _guessed_starts(body: Array, alphas: Array, is_first: Flags) -> Array:
    length = body.shape[1]
    guess = np.empty(len(body))
    gained = np.empty(len(body))
    for alpha in np.unique(alphas):
        mine = alphas == alpha
        gained[mine] = body[mine] @ (alpha * (1.0 - alpha) ** np.arange(length - 1, -1, -1))
    kept = (1.0 - alphas) ** length
    for row in range(len(body)):
        # The first close is the seed itself: folding it from itself changes nothing.
        guess[row] = body[row, 0] if is_first[row] else kept[row] * guess[row - 1] + gained[row - 1]
    return guess
