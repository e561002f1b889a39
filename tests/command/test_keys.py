"""The live terminal of a real process in a real terminal: what its keys do, and what is seen."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from infra.operator.terminal.live.scene import Panel
from infra.store.reader import FactReader
from tests.command.terminal_run import TerminalRun

TAB = "\t"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[TerminalRun]:
    begun = TerminalRun(tmp_path)
    yield begun
    begun.end()


def stored_commands(run: TerminalRun) -> list[str]:
    with closing(FactReader(run.run_dir / "journal.sqlite")) as facts:
        done = [one for one in facts.commands() if one.is_done]
        return [f"{one.operator} {one.command} {one.arguments}".rstrip() for one in done]


def is_panel(panel: Panel, lines: list[str]) -> bool:
    return any(f"── {panel} ──" in line for line in lines)


def is_whole(lines: list[str]) -> bool:
    return lines[0].startswith(" RUNNING   sim ") and lines[-1].startswith("q stop")


def test_each_key_does_what_the_last_line_says(run: TerminalRun) -> None:
    run.wait_for(lambda lines: lines[0].startswith(" RUNNING   sim "), "the first picture")
    run.wait_for(lambda lines: any(line.startswith("BTC ") for line in lines), "the assets")

    for panel in [Panel.TRADES, Panel.FIGURES, Panel.ORDERS, Panel.ACTORS, Panel.LOG]:
        run.press(TAB)
        lines = run.wait_for(partial(is_panel, panel), panel)
        assert lines[-1].startswith("q stop  p pause all  ! panic  tab ")
    run.press(TAB)
    run.wait_for(lambda lines: any(each.startswith("asset ") for each in lines), "the assets again")
    run.press("?")
    run.wait_for(partial(is_panel, Panel.HELP), "the help")
    run.press("?")
    run.wait_for(lambda lines: any(each.startswith("asset ") for each in lines), "no help any more")

    for width, height in [(60, 15), (120, 40)]:
        run.resize(width, height)
        lines = run.wait_for(is_whole, "a picture of another size")
        for once in ("equity ", "actors ", "q stop"):
            assert sum(line.startswith(once) for line in lines) == 1, "\n".join(lines)

    run.press("p")
    run.wait_for(lambda lines: lines[0].startswith(" PAUSED "), "a pause")
    run.press("!")
    run.wait_for(lambda lines: "y: do it" in lines[-1], "the question")
    run.press("n")
    run.wait_for(lambda lines: "nothing was done" in lines[-1], "no panic")
    assert stored_commands(run) == ["terminal pause all"]
    run.press("!")
    run.wait_for(lambda lines: "y: do it" in lines[-1], "the question again")
    run.press("y")
    run.wait_for(lambda lines: lines[0].startswith(" PANIC "), "a panic")
    # Who asked for it comes with the portfolio's next answer.
    run.wait_for(
        lambda lines: lines[1].startswith("! PANIC by terminal until rearm"), "who asked for it"
    )
    assert stored_commands(run) == ["terminal pause all", "terminal panic"]

    run.press("q")

    assert run.code() == 0
    assert run.modes() == run.modes_before
    for taken, given_back in ((b"1049h", b"1049l"), (b"25l", b"25h"), (b"7l", b"7h")):
        assert run.raw.rindex(b"\x1b[?" + given_back) > run.raw.rindex(b"\x1b[?" + taken)
    assert run.raw.rindex(b"\x1b[?2004l") > run.raw.rindex(b"\x1b[?2004h")


def test_pasted_text_and_the_keys_of_a_question_that_nobody_asked_do_nothing(
    run: TerminalRun,
) -> None:
    run.wait_for(lambda lines: lines[0].startswith(" RUNNING   sim "), "the first picture")

    pasted = "pq!y and so on"
    for keys in [pasted, f"\x1b[200~{pasted}\x1b[201~", "\x1b[A", "y", "!y", "y", "\t\t?"]:
        run.press(keys)
        run.wait_until_read()

    run.wait_for(partial(is_panel, Panel.HELP), "the help")
    assert run.lines[0].startswith(" RUNNING ")
    assert stored_commands(run) == []
