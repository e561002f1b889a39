from collections.abc import Iterator

import pytest

from domain.operator.replies import ReplyCode
from tests.operator.control.house import PER_SECOND, House, served


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = served(tmp_path_factory.mktemp("run"), PER_SECOND)
    yield house
    house.server.close()


@pytest.fixture
def house(running: House) -> House:
    running.commands.asked.clear()
    running.commands.noted.clear()
    running.commands.code = ReplyCode.DONE
    return running
