"""Takes the admin's messages before and after a handler can answer them."""

from infra.operator.notices.commands import Answer, HandleCommand


class Inbox:
    """Passes the admin's messages to a handler once there is one."""

    def __init__(self) -> None:
        """Start without a handler."""
        self.handle: HandleCommand | None = None

    def __call__(self, who: str, text: str) -> Answer:
        """Answer a message."""
        if self.handle is None:
            return Answer(text="Not done: the system is starting. Send it again.")
        return self.handle(who, text)
