"""Runs of a sweep on a Dask cluster: a dying worker costs time, but no run."""

import logging
import pickle
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, Self

from domain.backtesting.market import Market
from domain.backtesting.sweep import Batch, Score, play
from domain.errors import ConfigError, UnavailableError

_PATIENCE_S = 10.0
_UNREADABLE = "deserialization of the task graph"
"""Part of Dask's error for a scheduler that cannot import what a task needs."""
_WARNS_FROM = "distributed.admin.large-graph-warning-threshold"
_TALKATIVE = ("distributed.client", "distributed.utils", "distributed.core", "distributed.comm")
_IN_THE_FOLDER = "start {} in the project's folder: PYTHONPATH=. .venv/bin/dask"
_START_A_SCHEDULER = f"{_IN_THE_FOLDER.format('it')} scheduler"
_START_A_WORKER = f"{_IN_THE_FOLDER.format('some')} worker --nthreads 1"


class Cluster:
    """A connection to a scheduler; `with Cluster(address) as cluster`."""

    def __init__(self, address: str) -> None:
        """Connect.

        Raises:
            ConfigError: Dask is not installed, or there is no scheduler or no worker.
        """
        try:
            self._dask: Any = import_module("distributed")
            self._dask_config: Any = import_module("dask.config")
        except ImportError as error:
            raise ConfigError(
                "--scheduler: Dask is not installed; "
                ".venv/bin/python -m pip install -r requirements.txt -r requirements-cluster.txt"
            ) from error
        for name in _TALKATIVE:
            # Failures are reported once, by the errors of `play`.
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.address = address
        try:
            self._client = self._dask.Client(address, timeout=_PATIENCE_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ConfigError(f"--scheduler {address}: no Dask scheduler answers there") from error
        try:
            self._client.wait_for_workers(1, timeout=_PATIENCE_S)
        except TimeoutError as error:
            self._client.close()
            raise ConfigError(
                f"--scheduler {address}: it has no workers; {_START_A_WORKER} {address}"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def cores(self) -> int:
        """Return how many batches the workers can play at once."""
        return sum(self._client.nthreads().values())

    def play(self, market: Market, batches: Sequence[Batch]) -> Iterator[tuple[int, list[Score]]]:
        """Yield each batch's number and scores, as they arrive.

        Raises:
            ConfigError: the scheduler or the workers do not have this project.
            UnavailableError: a batch could not be played, on any worker.
        """
        # The candles are the result of a task, not data placed on workers: if a worker dies
        # with them, the scheduler computes them again on another.
        packed = pickle.dumps(market, protocol=pickle.HIGHEST_PROTOCOL)
        with self._dask_config.set({_WARNS_FROM: "100 GiB"}):
            candles = self._client.submit(pickle.loads, packed, pure=False)
        futures = [self._client.submit(_numbered, candles, batch, pure=False) for batch in batches]
        for future in self._dask.as_completed(futures, loop=self._client.loop):
            yield self._result(future)

    def _result(self, future: Any) -> tuple[int, list[Score]]:
        try:
            found: tuple[int, list[Score]] = future.result()
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"--scheduler {self.address}: a worker does not have this project ({error}); "
                f"{_START_A_WORKER} {self.address}"
            ) from error
        except RuntimeError as error:
            if _UNREADABLE not in str(error):
                raise
            raise ConfigError(
                f"--scheduler {self.address}: the scheduler does not have this project "
                f"({error.__cause__}); {_START_A_SCHEDULER}"
            ) from error
        except self._dask.KilledWorker as error:
            raise UnavailableError(
                f"--scheduler {self.address}: a batch killed each worker that tried it"
            ) from error
        except (OSError, self._dask.client.FutureCancelledError) as error:
            raise UnavailableError(
                f"--scheduler {self.address}: the scheduler went away"
            ) from error
        return found


def _numbered(market: Market, batch: Batch) -> tuple[int, list[Score]]:
    return batch.number, play(market, batch)
