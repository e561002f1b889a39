"""The user who runs the command."""

import getpass
import re


def user_name() -> str:
    """Return the user's name in printable characters, or `unknown`."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = ""
    return re.sub(r"[^A-Za-z0-9._@-]", "_", name)[:30] or "unknown"
