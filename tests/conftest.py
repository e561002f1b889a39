"""What all tests share: hypothesis without chance, and the market data beside the project."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from loguru import logger

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# The same examples on each run, and no verdict on time.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci")
logger.remove()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the directory of market data and recorded answers that lies beside the project."""
    if SHARED_DATA.is_dir():
        return SHARED_DATA
    reason = "../shared/data, the market data beside the project, is not there"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
