"""The command `log`."""

from domain.operator.replies import Reply, ReplyCode
from infra.process.logs import LEVELS, set_level


def change_level(level: str) -> Reply:
    """Log everything from a level on."""
    wanted = level.upper()
    if wanted not in LEVELS:
        title = f"expected a level of {', '.join(LEVELS)}, found {level[:20]}"
        return Reply(code=ReplyCode.WRONG, title=title)
    set_level(wanted)
    return Reply(code=ReplyCode.DONE, title=f"logging from {wanted} on until the next start")
