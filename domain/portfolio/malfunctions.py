"""Present malfunctions, which forbid new positions (strategy 8.8)."""

from collections.abc import Collection, Iterable


class Malfunctions:
    """Missing data, and malfunctions reported by others. The present time is always an argument."""

    def __init__(self, assets: Iterable[str], *, stale_ms: int, now_ms: int) -> None:
        """Start with data of all assets as old as the start."""
        self._stale_ms = stale_ms
        self._heard_ms = dict.fromkeys(assets, now_ms)
        self._reported: dict[str, str] = {}

    def hear(self, asset: str, ts_ms: int) -> None:
        """Record that data of an asset arrived."""
        self._heard_ms[asset] = max(self._heard_ms[asset], ts_ms)

    def begin(self, source: str, detail: str) -> None:
        """Record a malfunction, until its source reports that it is over."""
        self._reported[source] = detail

    def end(self, source: str) -> None:
        """Record that a source works again, or no longer exists."""
        self._reported.pop(source, None)

    def found(self, now_ms: int, held: Collection[str]) -> dict[str, str]:
        """Return the malfunctions as text, by source.

        Args:
            now_ms: the present time.
            held: the assets with an open position.
        """
        ages = {asset: now_ms - heard_ms for asset, heard_ms in self._heard_ms.items()}
        silent = [asset for asset, age_ms in ages.items() if age_ms >= self._stale_ms]
        found = dict(self._reported)
        if len(silent) == len(ages):
            found["data"] = f"no data of any asset for {min(ages.values()) // 1000} s"
        for asset in silent:
            if asset in held:
                age_s = ages[asset] // 1000
                found[f"data/{asset}"] = f"no data of {asset}, which is held, for {age_s} s"
        return found
