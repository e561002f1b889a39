"""Why a request got no answer, in words, without what the libraries wrap around it."""

import re

_OBJECT = re.compile(r"^(?:<[^>]*>|\w*Connection(?:Pool)?\([^)]*\)):\s*")
_DEEPEST = 10


def cause_words(error: BaseException) -> str:
    """Return the innermost cause of a requests or urllib3 error, without object representations."""
    for _ in range(_DEEPEST):
        inner = [getattr(error, "reason", None), *reversed(error.args)]
        found = next((each for each in inner if isinstance(each, BaseException)), None)
        if found is None:
            break
        error = found
    text = _OBJECT.sub("", str(error))
    return text or type(error).__name__
