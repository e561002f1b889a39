"""What all tests share: hypothesis without chance, and the market data beside the project."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from loguru import logger

if TYPE_CHECKING:
    from tests.postgres_server import Cluster

TESTS = Path(__file__).resolve().parent
SHARED_DATA = TESTS.parents[1] / "shared" / "data"

QUICK = ("actors", "candles", "core", "domain", "settings", "store")
"""Folders whose tests start no process of the system: with the files beside them, a minute."""
NOT_QUICK = ("test_setup.py", "test_postgres.py", "test_killed_rekey.py", "test_backup_process.py")
"""Of these, those that start and kill processes of their own."""

# The same examples on each run, and no verdict on time.
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=60)
settings.register_profile("quick", settings.get_profile("ci"), max_examples=10)
settings.load_profile("ci")
logger.remove()
# No page beside each system that a test starts; those of the page say otherwise.
os.environ["WEB_ENABLED"] = "false"


def _is_quick(path: Path) -> bool:
    folder, *files = path.relative_to(TESTS).parts
    if path.name in NOT_QUICK:
        return False
    return folder in QUICK or (not files and folder.endswith(".py"))


def pytest_configure(config: pytest.Config) -> None:
    """Try fewer examples of each property where somebody waits for them."""
    if config.option.markexpr == "quick":
        settings.load_profile("quick")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what `-m quick` would only import: that alone takes seconds."""
    is_ours = config.option.markexpr == "quick" and collection_path.parent == TESTS
    return True if is_ours and not _is_quick(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `bin/test -m quick` runs."""
    for item in items:
        if _is_quick(item.path) and item.get_closest_marker("complete") is None:
            item.add_marker("quick")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the directory of market data and recorded answers that lies beside the project."""
    if SHARED_DATA.is_dir():
        return SHARED_DATA
    reason = "../shared/data, the market data beside the project, is not there"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def cluster() -> Iterator["Cluster"]:
    """Return a server of PostgreSQL that nobody stops; each test makes a database of its own."""
    from tests.postgres_cluster import running_cluster  # noqa: PLC0415 (not where it is not used)

    with running_cluster() as running:
        yield running
