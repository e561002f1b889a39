"""What was planned, and what really happened."""

from collections import Counter

from tests.chaos.harness.report import coverage, render
from tests.chaos.harness.run import struck
from tests.chaos.harness.scenario import Outcome

OUTCOMES = [
    Outcome(seed=1, planned=frozenset({"adl", "cut"}), hits=Counter(adl=2)),
    Outcome(seed=2, planned=frozenset({"adl"}), hits=Counter(adl=1, hang=1)),
]


def test_what_was_planned_stands_beside_what_was_met() -> None:
    rows = {row.name: (row.planned, row.met, row.times) for row in coverage(OUTCOMES)}

    assert rows["adl"] == (2, 2, 3)
    assert rows["cut"] == (1, 0, 0)
    assert rows["hang"] == (0, 1, 1)
    assert rows["kill order_sent.after"] == (0, 0, 0)


def test_the_page_has_the_same_table() -> None:
    page = render(OUTCOMES, "bin/chaos --seed {seed}")

    assert "<td>cut</td><td class=n>1</td><td class=n>0</td><td class=n>0</td>" in page


def test_a_drill_counts_where_the_log_says_that_it_struck() -> None:
    lines = [
        '"asset/BTC crashed in life 1 (1.7): DrillError: crash drill: before work"',
        '"asset/ETH crashed in life 2 (1.8): SystemExit: exit drill: start"',
        '"asset/ETH crashed in life 3 (1.9): KeyboardInterrupt: interrupt drill: start"',
        '"asset/SOL crashed in life 1 (2.9): worked on one message for 3.1 s, 3 s are allowed"',
        '"execution/SOL crashed in life 1 (2.9): DrillError: poison drill"',
        '"portfolio: facts wait to be stored, and nothing is opened: database or disk is full"',
        '"asset/ETH crashed in life 4 (2.9): IndexError: tuple index out of range"',
        '"asset/ETH crashed, is back; Cause: DrillError: crash drill: before work"',
    ]

    assert struck(lines) == Counter(
        ["crash", "exit", "interrupt", "hang", "poison", "full"],
    )
