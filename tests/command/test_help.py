"""Every command's help, as a terminal of 80 columns shows it."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

BIN = Path(__file__).resolve().parents[2] / "bin"
FRAME = "│╭╮╰╯─"


def commands() -> Iterator[tuple[str, ...]]:
    """Yield each command of bin/ as words, and each command inside it."""
    for file in sorted(BIN.glob("*.py")):
        if (BIN / file.stem.replace("_", "-")).exists():
            yield (file.stem,)
            inside = getattr(typer.main.get_command(application(file.stem)), "commands", {})
            yield from ((file.stem, word) for word in inside)


def application(name: str) -> typer.Typer:
    module = import_module(f"bin.{name}")
    if hasattr(module, "app"):
        return module.app
    made = typer.Typer(add_completion=False)
    made.command()(module.main)
    return made


def help_of(words: tuple[str, ...], columns: int) -> str:
    name, *inside = words
    end = CliRunner().invoke(
        application(name), [*inside, "--help"], env={"COLUMNS": str(columns)}, prog_name=name
    )
    assert end.exit_code == 0, end.output
    return end.output


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_help_fits_into_80_columns_and_breaks_no_word(words: tuple[str, ...]) -> None:
    wide, narrow = (help_of(words, columns).split("\n") for columns in (400, 80))

    whole = {word for line in wide for word in line.strip(FRAME).split()}
    assert max(map(len, narrow)) <= 80
    assert {word for line in narrow for word in line.strip(FRAME).split()} <= whole


def test_all_commands_are_looked_at() -> None:
    found = {words[0].replace("_", "-") for words in commands()}

    others = {
        "test",
        "docs",
        "bench",
        "chaos",
    }  # no Python of bin/; the first two have their own tests
    scripts = {file.name for file in BIN.iterdir() if file.is_file() and not file.suffix}
    assert found == scripts - others
