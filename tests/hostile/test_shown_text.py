"""Nothing from outside reaches a terminal, a log line or a notice raw."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from loguru import logger
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from actors.messages import ConnectionLost, RiskRaised, SystemChanged
from actors.wording import risk, system
from domain.errors import ConfigError
from domain.operator.commands import SettingsChanged, UnknownCommandError, parse
from domain.text import plain, plain_lines
from infra.operator.terminal.screen import Screen
from infra.process.logs import start_logging
from infra.settings import load_settings
from infra.venues.bybit.shapes.row import Row
from tests.fuzzing.campaign import examples
from tests.hostile.texts import ESCAPES, hostile, unprintable

_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3} [A-Z]+ ")


@pytest.fixture(autouse=True)
def _no_log() -> Iterator[None]:
    yield
    logger.remove()


@examples(500)
@given(text=hostile)
def test_a_plain_text_is_one_printable_line_and_what_is_printable_stays(text: str) -> None:
    shown = plain(text)

    assert shown.isprintable()
    assert plain(shown) == shown
    assert shown == text or not text.isprintable()
    assert plain_lines(text).count("\n") == text.count("\n")


def shown_by_screen(*renderables: object) -> str:
    file = io.StringIO()
    screen = Screen(file=file, width=60, force_terminal=True, color_system=None)
    screen.print(*renderables)
    return file.getvalue()


@examples(200)
@given(text=hostile)
def test_whatever_is_put_on_the_screen_is_shown_and_not_obeyed(text: str) -> None:
    table = Table("name", title=text)
    table.add_row(text)
    table.add_row(Text(text, "red"))
    tree = Tree(text)
    tree.add(Text(text))

    shown = shown_by_screen(text, Text(text), Group(table, tree, Panel(text, title=Text(text))))

    assert unprintable(shown) == []


def test_markup_and_emoji_names_from_outside_are_text() -> None:
    assert shown_by_screen("[red]not markup[/] [/] :smile:") == "[red]not markup[/] [/] :smile:\n"


def test_a_text_moves_no_cursor_while_the_screen_itself_does() -> None:
    file = io.StringIO()
    screen = Screen(file=file, force_terminal=True, color_system="standard")
    screen.show_cursor(show=False)
    screen.print(Text("\x1b[2J", "red"))

    assert file.getvalue() == "\x1b[?25l\x1b[31m\\x1b[2J\x1b[0m\n"


@examples(100)
@given(text=hostile)
def test_a_log_line_is_one_line_on_the_screen_and_in_the_file(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file, said = tmp_path_factory.mktemp("log") / "run.jsonl", list[str]()
    start(file, said)

    logger.bind(asset=text).warning("from outside: {}", text)

    (line,) = said
    assert unprintable(_COLORS.sub("", line)) == []
    assert line.count("\n") == 1
    assert plain(text) in _COLORS.sub("", line)
    (written,) = file.read_text().splitlines()
    assert unprintable(written) == []
    assert json.loads(written)["message"].isprintable()


def start(file: Path, said: list[str]) -> None:
    start_logging(
        file=file,
        level="INFO",
        rotation="00:00",
        retention_days=1,
        screen=said.append,
        screen_level="INFO",
        context=lambda: None,
    )


@pytest.mark.parametrize("text", [*ESCAPES, "12:00:00.000 INFO    forged"])
def test_a_traceback_forges_no_log_line(text: str, tmp_path: Path) -> None:
    said: list[str] = []
    start(tmp_path / "run.jsonl", said)

    def fail() -> None:
        raise ValueError(text)

    try:
        fail()
    except ValueError:
        logger.exception("it failed")

    shown = _COLORS.sub("", "".join(said))
    assert unprintable(shown) == []
    assert len([line for line in shown.splitlines() if _LINE.match(line)]) == 1
    assert "ValueError" in shown
    assert "test_shown_text.py" in shown


@examples(200)
@given(text=hostile)
def test_a_notice_has_the_same_lines_whatever_it_quotes(text: str) -> None:
    def told(words: str) -> list[str]:
        lost = ConnectionLost(asset="BTC", what="feed", detail=words)
        raised = RiskRaised(
            key="k", asset="BTC", what=words, figures=words, effect=words, advice=words
        )
        changed = SettingsChanged(operator=words, changes="key: was -> is", ts_ms=0)
        return [
            system.connection_lost([lost], None, 0).text,
            risk.risk_raised(raised, 0).text,
            system.system_changed(SystemChanged(key="k", title=words, detail=words), 0).text,
            system.settings_changed(1, changed).text,
        ]

    harmless = told("harmless" if plain(text).strip() else "")

    for notice, other in zip(told(text), harmless, strict=True):
        assert unprintable(notice) == []
        assert notice.count("\n") <= other.count("\n")


@examples(200)
@given(text=hostile)
def test_what_the_exchange_says_is_plain_before_anybody_sees_it(text: str) -> None:
    row = Row("order", {"retMsg": text, "orderLinkId": text})

    assert (row.maybe_text("retMsg") or "").isprintable()
    assert (row.word("orderLinkId") or "").isprintable()


@examples(200)
@given(text=hostile)
def test_a_command_that_is_none_is_answered_in_printable_words(text: str) -> None:
    with pytest.raises(UnknownCommandError) as raised:
        parse(f"x{text}")

    assert str(raised.value).isprintable()


@examples(150)
@given(text=hostile)
def test_a_wrong_setting_is_told_in_a_line_of_its_own(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("settings") / "wrong.yaml"
    quoted = json.dumps(text)
    file.write_text(f"{{strategy: {{warmup_candles: {quoted}}}, {quoted}: {{}}}}\n")

    with pytest.raises(ConfigError) as raised:
        load_settings(file, environ={}, dotenv=None)

    heading, *lines = str(raised.value).splitlines()
    assert unprintable(str(raised.value)) == []
    if "in the settings:" in heading:
        assert all(line.startswith(str(file)) for line in lines)
    else:
        assert lines == []


@examples(150)
@given(text=hostile)
def test_a_wrong_environment_variable_is_told_in_a_line_of_its_own(text: str) -> None:
    environ = {"LEVERAGE_PER_ASSET": f"x{text}", "LOG_LEVEL": f"x{text}"}

    with pytest.raises(ConfigError) as raised:
        load_settings(None, environ=environ, dotenv=None)

    assert unprintable(str(raised.value)) == []
    assert len(str(raised.value).splitlines()) == 1 + len(environ)


def test_nobody_writes_to_the_terminal_but_by_the_screen() -> None:
    """A console of rich's own would obey the escapes and the markup of whatever it is given."""
    root = Path(__file__).resolve().parents[2]
    sources = [
        file for floor in ("bin", "infra", "actors") for file in (root / floor).rglob("*.py")
    ]

    own = {
        file.name
        for file in sources
        if re.search(r"\bConsole\(|\(Console\)|from_markup|markup=True", file.read_text())
    }

    assert own == {"screen.py"}
