"""A server of PostgreSQL for a test."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.postgres_server import MISSING, Cluster, binaries, made_cluster


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Make a cluster and run it; skip the test where there are no programs for it."""
    if binaries() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with made_cluster() as cluster:
        yield cluster
