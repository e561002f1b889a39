"""The terminal: text shown there can never control it."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.highlighter import ReprHighlighter
from rich.segment import Segment
from rich.text import Text

from domain.text import plain_lines


class Screen(Console):
    """A console that treats all text as plain text, whatever its origin.

    Markup and emoji names are not interpreted, and no unprintable character is written:
    an escape sequence inside a text is shown, not obeyed. Styles are those of `Text` objects.
    """

    def __init__(self, **options: Any) -> None:
        """Take the options of `rich.console.Console`."""
        super().__init__(**{"emoji": False, "markup": False} | options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments to write; the console's own control codes are left as they are."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(plain_lines(text), style)


def headed(head: str, style: str, rest: str = "") -> Text:
    """Return a line that begins in a style, with its figures highlighted as usual."""
    return ReprHighlighter()(Text.assemble((head, style), rest))


def line_keeper(lines: deque[str]) -> Callable[[str], None]:
    """Return a sink that keeps the lines of a log, colored."""
    return lambda line: lines.append(line.rstrip("\n"))


def line_printer(screen: Screen) -> Callable[[str], None]:
    """Return a sink that prints the lines of a log, colored."""
    return lambda line: screen.print(Text.from_ansi(line.rstrip("\n")), soft_wrap=True)
