"""Who is at the keyboard."""

import getpass
import re


def user_name() -> str:
    """Return the user's name in letters that a log may show, or `unknown`."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = ""
    return re.sub(r"[^A-Za-z0-9._@-]", "_", name)[:30] or "unknown"
