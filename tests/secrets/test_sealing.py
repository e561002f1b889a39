"""What is sealed opens under its own key alone, and unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import BadDataError
from infra.secrets.sealing import derived_key, new_key, new_salt, seal, stretched_key, unseal

KEY = new_key()


@given(st.binary(max_size=2_000), st.binary(max_size=100))
def test_what_was_sealed_opens_again_and_cannot_be_read_without(text: bytes, beside: bytes) -> None:
    sealed = seal(KEY, text, beside)

    assert unseal(KEY, sealed, beside) == text
    assert len(text) < 4 or text not in sealed


@given(st.binary(min_size=1, max_size=200), st.integers(0), st.integers(1, 255))
def test_a_changed_byte_anywhere_is_noticed(text: bytes, place: int, change: int) -> None:
    sealed = bytearray(seal(KEY, text))
    sealed[place % len(sealed)] ^= change

    with pytest.raises(BadDataError):
        unseal(KEY, bytes(sealed))


def test_what_lies_beside_it_must_not_be_changed() -> None:
    with pytest.raises(BadDataError):
        unseal(KEY, seal(KEY, b"text", b"of one place"), b"of another")


@pytest.mark.parametrize("sealed", [b"", b"short"])
def test_what_is_too_short_is_no_sealed_text(sealed: bytes) -> None:
    with pytest.raises(BadDataError):
        unseal(KEY, sealed)


def test_each_purpose_and_each_key_has_a_key_of_its_own() -> None:
    keys = {derived_key(key, purpose) for key in (KEY, new_key()) for purpose in ("journal", "b")}

    assert len(keys) == 4
    assert derived_key(KEY, "journal") in keys


def test_a_passphrase_gives_one_key_for_each_salt() -> None:
    salt, other = new_salt(), new_salt()

    assert stretched_key("correct horse", salt) == stretched_key("correct horse", salt)
    assert len({stretched_key("correct horse", each) for each in (salt, other)}) == 2
    assert stretched_key("correct horse", salt) != stretched_key("correct hors", salt)
