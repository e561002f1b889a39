"""What the OpenAPI page promises, held against the server by schemathesis."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.schemas import BaseSchema

from domain.operator.commands import MANUALS, CommandName
from infra.operator.control.token import own_token, read_address
from tests.operator.control.house import House

PATIENCE_S = 240.0

hostile = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.filter_too_much,
        HealthCheck.too_slow,
    ],
)


@pytest.fixture(scope="module")
def page(running: House) -> BaseSchema:
    address = read_address(running.directory)
    assert address is not None
    url = f"{address.url}/openapi.json"
    return schemathesis.openapi.from_url(url, headers=bearer(running), timeout=PATIENCE_S)


def bearer(house: House) -> dict[str, str]:
    return {"Authorization": f"Bearer {own_token(house.directory)}"}


def operation(page: BaseSchema, name: CommandName) -> Any:
    return page[f"/{name}"]["POST" if MANUALS[name].changes else "GET"]


@hostile
@given(name=st.sampled_from(CommandName), data=st.data())
def test_property_what_fits_the_page_is_answered_as_it_says(
    house: House, page: BaseSchema, name: CommandName, data: st.DataObject
) -> None:
    house.commands.asked.clear()
    case = data.draw(operation(page, name).as_strategy())

    response = case.call_and_validate(headers=bearer(house))

    assert response.status_code in {200, 422}
    assert [command.name for _, command, _ in house.commands.asked] == [name] * (
        response.status_code == 200
    )


@hostile
@given(name=st.sampled_from(CommandName), data=st.data())
def test_property_what_does_not_fit_the_page_changes_nothing(
    house: House, page: BaseSchema, name: CommandName, data: st.DataObject
) -> None:
    house.commands.asked.clear()
    case = data.draw(operation(page, name).as_strategy(GenerationMode.NEGATIVE))

    response = case.call_and_validate(headers=bearer(house))

    # Whether it had to be refused, schemathesis has judged.
    assert response.status_code < 500
    assert bool(house.commands.asked) == (response.status_code == 200)


@hostile
@given(
    name=st.sampled_from(CommandName),
    data=st.data(),
    token=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60),
    mode=st.sampled_from(GenerationMode),
)
def test_property_with_a_wrong_token_nothing_is_done(
    house: House, page: BaseSchema, name: CommandName, data: st.DataObject, token: str, mode: Any
) -> None:
    house.commands.asked.clear()
    case = data.draw(operation(page, name).as_strategy(mode))

    response = case.call(headers={"Authorization": f"Bearer {token}"})

    assert response.status_code == 401
    assert house.commands.asked == []
