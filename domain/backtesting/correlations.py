"""Rough correlations of the open positions, at every close of a span at once.

They only rule out closes that cannot fire a correlation emergency; the rest are judged exactly.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from domain.backtesting.market import AssetMarket
from domain.market.candles import Flags
from domain.market.indicators import Array
from domain.market.instruments import Side

MARGIN = 1e-5
"""Largest error of a rough correlation."""
_BLOCK = 512
_SMALLEST_PART = 1e-6
"""A window with a smaller share of its block's variance is judged exactly: the difference of two
running sums has lost too many digits there."""


class RoughCorrelations:
    """Rolling correlations of log returns by running sums, made block by block on request.

    Values are NaN where a pair is not judged yet, infinite where they must be computed exactly.
    """

    def __init__(self, window: int) -> None:
        """Set the number of log returns in a window."""
        self._window = window
        self._blocks: dict[tuple[str, str, int], Array] = {}

    def may_exceed(
        self, held: Sequence[tuple[AssetMarket, Side]], first: int, end: int, limit: float
    ) -> Flags:
        """Return for each close in [first, end) whether the mean over all pairs may exceed a limit.

        Between a long and a short the correlation counts with the opposite sign.
        """
        total, judged = np.zeros(end - first), np.zeros(end - first)
        for (left, its_side), (right, other_side) in combinations(held, 2):
            values = self._between(left, right, first, end)
            known = ~np.isnan(values)
            found = values[known]
            if its_side is not other_side:
                found = np.where(np.isinf(found), found, -found)
            total[known] += found
            judged += known
        with np.errstate(invalid="ignore", divide="ignore"):
            flags: Flags = np.nan_to_num(total / judged, nan=-1.0) > limit - MARGIN
        return flags

    def _between(self, left: AssetMarket, right: AssetMarket, first: int, end: int) -> Array:
        blocks = range(first // _BLOCK, (end - 1) // _BLOCK + 1)
        parts = [self._block(left, right, block) for block in blocks]
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
        skipped = blocks[0] * _BLOCK
        return whole[first - skipped : end - skipped]

    def _block(self, left: AssetMarket, right: AssetMarket, block: int) -> Array:
        key = (left.asset, right.asset, block)
        if key not in self._blocks:
            self._blocks[key] = self._computed(left, right, block * _BLOCK)
        return self._blocks[key]

    def _computed(self, left: AssetMarket, right: AssetMarket, first: int) -> Array:
        out = np.full(_BLOCK, np.nan)
        # The first close at which both have a whole window, and the end of both.
        begin = max(first, left.offset + self._window, right.offset + self._window)
        end = min(first + _BLOCK, left.end, right.end)
        if begin < end:
            x, y = (
                asset.log_returns(begin - asset.offset - self._window, end - asset.offset - 1)
                for asset in (left, right)
            )
            out[begin - first : end - first] = self._rolled(x, y)
        return out

    def _rolled(self, x: Array, y: Array) -> Array:
        n = self._window
        # Centered first, so that a common level does not cost precision.
        x, y = x - x.mean(), y - y.mean()
        sums = np.zeros((5, len(x) + 1))
        np.cumsum(np.stack([x, y, x * x, y * y, x * y]), axis=1, out=sums[:, 1:])
        sx, sy, sxx, syy, sxy = sums[:, n:] - sums[:, :-n]
        vx, vy = sxx - sx * sx / n, syy - sy * sy / n
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Array = (sxy - sx * sy / n) / np.sqrt(vx * vy)
        lost = (vx <= _SMALLEST_PART * sums[2, -1]) | (vy <= _SMALLEST_PART * sums[3, -1])
        found[lost] = np.inf
        return found
