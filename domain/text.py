"""Text that is safe to show, on a terminal, in a log line, in a notice; and counted nouns."""


def plain(text: str) -> str:
    r"""Return text on one line, each character that cannot be printed as its escape.

    Control characters, terminal escapes, line ends, bidirectional overrides, invisible and
    unassigned characters become Python's escapes: `\x1b`, `\n`, `\u202e`. A text
    without any of them is returned unchanged.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def plain_lines(text: str) -> str:
    """Return text of several lines, each of them plain."""
    if text.isprintable():
        return text
    return "\n".join(plain(line) for line in text.split("\n"))


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: `1 trade`, `1,250 trades`; `many` is an irregular plural."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
