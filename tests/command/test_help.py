"""Every command's help, as a terminal of 80 columns shows it."""

import shlex

import pytest
from typer.testing import CliRunner

from infra.operator.terminal.examples import EXAMPLES
from tests.command.commands import OTHERS, application, every, names, wrong_in

FRAME = "│╭╮╰╯─"


def help_of(words: tuple[str, ...], columns: int) -> str:
    name, *inside = words
    end = CliRunner().invoke(
        application(name), [*inside, "--help"], env={"COLUMNS": str(columns)}, prog_name=name
    )
    assert end.exit_code == 0, end.output
    return end.output


@pytest.mark.parametrize("words", list(every()), ids=" ".join)
def test_help_fits_into_80_columns_and_breaks_no_word(words: tuple[str, ...]) -> None:
    wide, narrow = (help_of(words, columns).split("\n") for columns in (400, 80))

    whole = {word for line in wide for word in line.strip(FRAME).split()}
    assert max(map(len, narrow)) <= 80
    assert {word for line in narrow for word in line.strip(FRAME).split()} <= whole


@pytest.mark.parametrize("words", list(every()), ids=" ".join)
def test_help_ends_with_one_example_on_one_line(words: tuple[str, ...]) -> None:
    lines = [line.strip() for line in help_of(words, 80).splitlines() if line.strip()]

    assert [line for line in lines if "Example: " in line] == lines[-1:]
    assert lines[-1] == f"Example: {EXAMPLES[' '.join(words)]}"


def test_every_example_is_of_a_command_that_exists_with_its_options() -> None:
    given = {words: list(wrong_in(shlex.split(line))) for words, line in EXAMPLES.items()}

    assert set(given) == {" ".join(words) for words in every()}
    assert {words: wrong for words, wrong in given.items() if wrong} == {}


def test_all_commands_are_looked_at() -> None:
    assert {words[0] for words in every()} == set(names()) - set(OTHERS)
