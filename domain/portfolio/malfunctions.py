"""What is broken at the moment, so that nothing new is opened (strategy 8.8)."""

from collections.abc import Collection, Iterable


class Malfunctions:
    """Data that is missing, and what others found broken. The present is always an argument."""

    def __init__(self, assets: Iterable[str], *, stale_ms: int, now_ms: int) -> None:
        """Begin with data of all assets that is as old as the start."""
        self._stale_ms = stale_ms
        self._heard_ms = dict.fromkeys(assets, now_ms)
        self._reported: dict[str, str] = {}

    def hear(self, asset: str, ts_ms: int) -> None:
        """Take note of data of an asset."""
        self._heard_ms[asset] = max(self._heard_ms[asset], ts_ms)

    def begin(self, source: str, detail: str) -> None:
        """Take note that something is broken until its source says that it works."""
        self._reported[source] = detail

    def end(self, source: str) -> None:
        """Take note that a source works, or is no more."""
        self._reported.pop(source, None)

    def found(self, now_ms: int, held: Collection[str]) -> dict[str, str]:
        """Return what is broken, in words, by its source.

        Args:
            now_ms: the present.
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
