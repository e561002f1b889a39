"""The difference between two views, so that a browser is sent no more than that."""

from typing import Any

Change = dict[str, Any]


def changes(before: Any, after: Any) -> Change | None:
    """Return how `after` differs from `before`; None if it does not.

    `{"=": value}` replaces a value; `{"+": {key: change}, "-": [key]}` changes a mapping's keys.
    Lists are replaced as a whole.
    """
    if before == after:
        return None
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return {"=": after}
    found = {
        key: changes(before[key], value) if key in before else {"=": value}
        for key, value in after.items()
    }
    gone = [key for key in before if key not in after]
    told: Change = {"+": {key: change for key, change in found.items() if change is not None}}
    return told | ({"-": gone} if gone else {})
