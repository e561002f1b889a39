"""Changes of pairs, as facts and as what follows of them."""

import pytest

from domain.operator.commands import (
    CommandName,
    OperatorCommand,
    UnknownCommandError,
    fold,
    pair_changes,
    parse,
)
from domain.operator.pairs import (
    PairAction,
    PairChange,
    changes_at,
    joined_ms,
    newest_changes,
    read_change,
)

ADD, REMOVE, LEAVE = PairAction
SETTINGS = {"symbol": "AVAXUSDT", "parameters": {"level": "50 %"}}


def change(action: PairAction, from_ms: int, symbol: str = "AVAXUSDT") -> PairChange:
    settings = SETTINGS if action is ADD else None
    return PairChange(action=action, symbol=symbol, from_ms=from_ms, settings=settings)


def stored(arguments: str, *, is_done: bool = True) -> OperatorCommand:
    return OperatorCommand(
        command=CommandName.PAIRS,
        arguments=arguments,
        operator="test",
        result="",
        ts_ms=1,
        is_done=is_done,
    )


def test_a_change_is_read_as_it_was_written():
    for action in PairAction:
        assert read_change(change(action, 5).written()) == change(action, 5)


def test_what_was_only_asked_for_is_no_change():
    asked = [stored("add AVAXUSDT"), stored(change(ADD, 5).written(), is_done=False)]

    assert pair_changes(asked) == []


LIFE = [change(ADD, 100), change(REMOVE, 150), change(LEAVE, 200), change(ADD, 300)]


@pytest.mark.parametrize(
    ("t_ms", "action"), [(99, LEAVE), (100, ADD), (150, REMOVE), (200, LEAVE), (300, ADD)]
)
def test_a_pair_that_was_added_takes_part_from_the_close_at_which_it_joins(t_ms, action):
    newest = newest_changes(changes_at(LIFE, t_ms))["AVAXUSDT"]

    assert newest.action is action


@pytest.mark.parametrize(("t_ms", "is_traded"), [(10, True), (150, True), (200, False)])
def test_a_pair_of_the_file_is_traded_until_it_has_left(t_ms, is_traded):
    newest = newest_changes(changes_at(LIFE[1:3], t_ms))["AVAXUSDT"]

    assert (newest.action is not LEAVE) == is_traded


def test_a_pair_that_has_left_keeps_the_settings_it_had():
    assert newest_changes(LIFE[:3])["AVAXUSDT"].settings == SETTINGS


def test_the_close_of_joining_is_forgotten_once_a_pair_has_left():
    assert joined_ms(LIFE[:2]) == {"AVAX": 100}
    assert joined_ms(LIFE[:3]) == {}


def test_nothing_that_was_asked_of_a_pair_counts_once_it_has_left():
    pause = OperatorCommand(
        command="pause", arguments="AVAX", operator="", result="", ts_ms=1, is_done=True
    )
    facts = [pause, stored(change(REMOVE, 150).written())]
    leaving = fold(facts, ["BTC", "AVAX"])
    left = fold([*facts, stored(change(LEAVE, 200).written())], ["BTC", "AVAX"])

    assert (leaving.leaving, leaving.paused) == ({"AVAX"}, {"AVAX"})
    assert (left.leaving, left.paused, left.left) == (frozenset(), frozenset(), {"AVAX"})
    assert (
        fold(
            [*facts, stored(change(LEAVE, 200).written()), stored(change(ADD, 300).written())],
            ["BTC"],
        ).left
        == frozenset()
    )


@pytest.mark.parametrize(
    "text", ["pairs list", "pairs add AVAX", "/pairs add AVAXUSDT \u2014like SOL", "pairs remove x"]
)
def test_what_is_written_of_pairs_is_read(text):
    assert parse(text).changes == ("list" not in text)


@pytest.mark.parametrize(
    "text", ["pairs", "pairs add", "pairs list x", "pairs add A B", "pairs remove A --like B"]
)
def test_what_is_no_change_of_pairs_is_refused(text):
    with pytest.raises(UnknownCommandError, match=r"expected: pairs add SYMBOL \[--like SYMBOL\]"):
        parse(text)
