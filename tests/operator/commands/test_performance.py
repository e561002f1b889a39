"""The figures of all trades."""

from actors.operator.performance_view import performance


def test_a_figure_that_there_is_not_says_why() -> None:
    found = performance([])

    assert (found["won"], found["profit factor"]) == ("no trades", "no trades")
    assert all(found.values())
