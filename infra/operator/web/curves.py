"""The equity curve of a report, with few enough points for a browser to draw it at once."""

from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import BadDataError

_SHOWN = 1000


def read_curve(file: Path) -> dict[str, Any]:
    """Return times and gains since the first, as fractions; the lowest of each span of time.

    Args:
        file: as written by `write_equity`.

    Raises:
        BadDataError: it does not hold a curve.
        OSError: it cannot be read.
    """
    rows = np.loadtxt(file, delimiter=",", skiprows=1, ndmin=2)
    if not len(rows) or rows[0, 2] <= 0:
        raise BadDataError(f"{file.name}: expected equity above 0, found none")
    step = len(rows) // _SHOWN + 1
    spans = (rows[at : at + step] for at in range(0, len(rows), step))
    lowest = [span[np.argmin(span[:, 2])] for span in spans]
    shown = np.array([rows[0], *lowest[1:-1], rows[-1]])
    return {
        "time": shown[:, 0].astype(int).tolist(),
        "growth": (shown[:, 2] / rows[0, 2] - 1).tolist(),
    }
