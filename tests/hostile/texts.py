"""Texts as an attacker writes them, and what is allowed to be seen of them."""

from hypothesis import strategies as st

NASTY = (
    "\x00\x07\x08\x0a\x0d\x1b\x7f\x85\x9b\xa0\u200b\u202e\u2028\u2029\u2066\ufeff\ud800\U000e0041"
)
ESCAPES = (
    "\x1b[2J\x1b[31m",
    "one\nFAKE 12:00:00 INFO all is well",
    "[red]not markup[/]",
    "[/]",
    "\x1b]0;title\x07",
    "abc\u202edcba",
    ":smile: [link=http://x]y[/link]",
)

hostile = st.sampled_from(ESCAPES) | st.text(
    st.sampled_from(f"ab0 [/]=:\\{NASTY}é中") | st.characters(), max_size=40
)


def unprintable(text: str) -> list[str]:
    """Return what of a written text is neither printable nor the end of a line."""
    return [character for character in text if not character.isprintable() and character != "\n"]
