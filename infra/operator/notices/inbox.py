"""Where the admin's messages go before, and once, somebody can answer them."""

from infra.operator.notices.commands import Answer, HandleCommand


class Inbox:
    """Takes the admin's messages once somebody is there to answer them."""

    def __init__(self) -> None:
        """Answer nothing yet."""
        self.handle: HandleCommand | None = None

    def __call__(self, who: str, text: str) -> Answer:
        """Answer what somebody wrote."""
        if self.handle is None:
            return Answer(text="Not done: the system is starting. Send it again.")
        return self.handle(who, text)
