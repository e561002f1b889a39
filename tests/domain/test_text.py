"""Numbers with their nouns."""

import pytest

from domain.text import counted


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((0, "trade"), "0 trades"),
        ((1, "trade"), "1 trade"),
        ((2, "trade"), "2 trades"),
        ((1250, "loss", "losses"), "1,250 losses"),
        ((1, "loss", "losses"), "1 loss"),
    ],
)
def test_a_noun_stands_in_the_singular_beside_one_alone(words: tuple, said: str) -> None:
    assert counted(*words) == said
