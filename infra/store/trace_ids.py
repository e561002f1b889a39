"""How the messages of a run are numbered, and how the numbers are written.

Each process of a run has a session number; the ids of its messages begin at a multiple of
`SESSION`, so that no id occurs twice in a run directory. They are shown and typed as `2.1234`:
message 1234 of session 2.
"""

SESSION = 1_000_000_000_000
"""More messages than one process can send."""


def first_id(session: int) -> int:
    """Return the id of a session's first message."""
    return session * SESSION + 1


def session_of(message_id: int) -> int:
    """Return the number of the session that made an id."""
    return message_id // SESSION


def id_text(message_id: int) -> str:
    """Return an id as text, such as `2.1234`."""
    session, number = divmod(message_id, SESSION)
    return f"{session}.{number}"


def read_id(text: str) -> int | None:
    """Return the id named by a text; None if it names none."""
    session, dot, number = text.partition(".")
    if not dot and text.isdecimal():
        return int(text)
    if not (session.isdecimal() and number.isdecimal()):
        return None
    return int(session) * SESSION + int(number)
