"""Averages over whole histories at once, bit for bit those of `indicators.py`.

A fold cannot run in parallel, but it forgets: two folds over the same closes that begin at
different values soon give the very same bits. So the histories are cut into chunks that are folded
side by side, each from a guess, and then again from where the chunk before it ended, until no
chunk's beginning changes. Then each chunk began where the one before it ended, and the first at
the first close, as in the plain fold.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from domain.market.candles import Flags
from domain.market.indicators import Array, ema_alpha, ema_series

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
    out, column = [], 0
    for (closes, period), count in zip(jobs, chunks, strict=True):
        begun = folded[:, column : column + count].T.reshape(-1)
        out.append(_finish(begun, closes, period))
        column += count
    return out


def _finish(begun: Array, closes: Array, period: int) -> Array:
    rest = closes[len(begun) :].tolist()
    if not len(begun):
        return np.array(ema_series(rest, period))
    return np.concatenate([begun, ema_series([float(begun[-1]), *rest], period)[1:]])


def _fold_all(jobs: Sequence[tuple[Array, int]], chunks: list[int], length: int) -> Array:
    """Return the (length, sum of chunks) averages of the whole chunks of all jobs, in columns."""
    closes = np.empty((length, sum(chunks)))
    starts, alphas = np.empty(sum(chunks)), np.empty(sum(chunks))
    is_first = np.zeros(sum(chunks), dtype=np.bool_)
    column = 0
    for (values, period), count in zip(jobs, chunks, strict=True):
        mine, body = slice(column, column + count), values[: count * length].reshape(count, length)
        closes[:, mine] = body.T
        alphas[mine] = ema_alpha(period)
        starts[mine] = _guessed_starts(body, ema_alpha(period))
        is_first[column : column + min(count, 1)] = True
        column += count
    # The first round only finds where each chunk ends, and so where the next begins.
    starts[1:] = np.where(is_first[1:], starts[1:], _fold(closes, starts, alphas, None)[:-1])
    out = np.empty_like(closes)
    _fold(closes, starts, alphas, out)
    while (stale := _stale(out, starts, is_first)).size:
        starts[stale] = out[-1, stale - 1]
        part = np.empty((length, len(stale)))
        _fold(closes[:, stale], starts[stale], alphas[stale], part)
        out[:, stale] = part
    return out


def _stale(out: Array, starts: Array, is_first: Flags) -> NDArray[np.int64]:
    """Return which chunks did not begin where the one before them ends."""
    return 1 + np.flatnonzero(~is_first[1:] & (out[-1, :-1] != starts[1:]))


def _fold(closes: Array, starts: Array, alphas: Array, out: Array | None) -> Array:
    """Fold each column from its start, store every value in `out` if given, and return the last."""
    step = np.empty_like(starts)
    value, spare = starts, np.empty_like(starts)
    for index, row in enumerate(closes):
        # The same operations as in `ema_next`, in the same order, on all chunks at once.
        np.subtract(row, value, out=step)
        np.multiply(step, alphas, out=step)
        value = np.add(value, step, out=spare if out is None else out[index])
    return value


def _guessed_starts(body: Array, alpha: float) -> Array:
    """Return roughly where each of a job's (chunks, length) chunks begins."""
    chunks, length = body.shape
    guess = np.empty(chunks)
    gained = body @ (alpha * (1.0 - alpha) ** np.arange(length - 1, -1, -1))
    kept = (1.0 - alpha) ** length
    for chunk in range(chunks):
        # The first close is the seed itself: folding it from itself changes nothing.
        guess[chunk] = kept * guess[chunk - 1] + gained[chunk - 1] if chunk else body[0, 0]
    return guess
