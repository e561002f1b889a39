"""Commands by Telegram: the same command service, its answers as text and buttons."""

from collections.abc import Callable

from domain.operator.replies import Reply, ReplyCode
from infra.operator.notices.commands import Answer, Button, HandleCommand

AnswerText = Callable[[str, str], Reply]


def by_telegram(answer_text: AnswerText) -> HandleCommand:
    """Return the handler of messages, which takes sender and text."""

    def handle(who: str, text: str) -> Answer:
        reply = answer_text(who, text)
        is_open = reply.code is ReplyCode.CONFIRM
        buttons = (Button(label=f"Yes, {text.strip('/ ')}", text=text),) if is_open else ()
        return Answer(text=reply.text, buttons=buttons)

    return handle
