"""Segments of a backup: what was sealed comes back, and nothing else opens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import BadDataError
from infra.store.backup.segment import FIRST_PREVIOUS, Header, digest, seal, unseal

KEY = bytes(range(32))
HEADER = Header(
    chain="c",
    number=1,
    after_fact=0,
    through_fact=2,
    recorded_ms=5,
    schema_version=10,
    previous=FIRST_PREVIOUS,
)
ROWS = {"trade": [{"fact_id": 2, "pnl": "-12.345678901234567890", "close": 0.1, "reason": None}]}


def test_rows_come_back_exactly_and_are_not_readable_in_the_file() -> None:
    file = seal(HEADER, ROWS, KEY)

    assert unseal(file, KEY, FIRST_PREVIOUS) == (HEADER, ROWS)
    assert b"12.3456" not in file
    assert b"trade" not in file


@given(st.data())
def test_no_changed_byte_is_ever_taken(data: st.DataObject) -> None:
    file = bytearray(seal(HEADER, ROWS, KEY))
    at = data.draw(st.integers(0, len(file) - 1))
    file[at] ^= data.draw(st.integers(1, 255))

    with pytest.raises(BadDataError):
        unseal(bytes(file), KEY, FIRST_PREVIOUS)


@pytest.mark.parametrize("size", [0, 1, 50, 200])
def test_a_file_that_ends_early_is_refused(size: int) -> None:
    with pytest.raises(BadDataError):
        unseal(seal(HEADER, ROWS, KEY)[:size], KEY, FIRST_PREVIOUS)


def test_another_key_and_another_predecessor_are_refused() -> None:
    file = seal(HEADER, ROWS, KEY)

    with pytest.raises(BadDataError):
        unseal(file, bytes(32), FIRST_PREVIOUS)
    with pytest.raises(BadDataError, match="predecessor"):
        unseal(file, KEY, digest(file))


def test_a_header_that_says_something_else_is_refused() -> None:
    file = seal(HEADER, ROWS, KEY).replace(b'"through_fact":2', b'"through_fact":3')

    with pytest.raises(BadDataError, match="whole segment"):
        unseal(file, KEY, FIRST_PREVIOUS)
