"""The terminal: what is shown there changes nothing but itself."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.highlighter import ReprHighlighter
from rich.segment import Segment
from rich.text import Text

from domain.text import plain_lines


class Screen(Console):
    """A console on which text is text, whoever wrote it.

    Markup and emoji names are not interpreted, and no character that cannot be printed is written:
    an escape sequence inside a text is shown, not obeyed. Styles are those of `Text` objects.
    """

    def __init__(self, **options: Any) -> None:
        """Take the options of `rich.console.Console`."""
        super().__init__(**{"emoji": False, "markup": False} | options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield what is written; the console's own control codes are left as they are."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(plain_lines(text), style)


def headed(head: str, style: str, rest: str = "") -> Text:
    """Return a line that begins in a style, its figures in the colors of all figures."""
    return ReprHighlighter()(Text.assemble((head, style), rest))
