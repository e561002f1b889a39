"""Updates from the Bot API, of which an unreadable one does no harm.

The library parses all updates of an answer or none: one that it cannot parse would be repeated
forever, and block every command after it.
"""

from typing import Any

from loguru import logger
from telegram import Update
from telegram.request import HTTPXRequest

_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


class UpdatesRequest(HTTPXRequest):
    """Fetches updates; of an unreadable one only its id is kept."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Return the answer.

        Raises:
            TelegramError: it is not JSON.
        """
        found = HTTPXRequest.parse_json_payload(payload)
        if isinstance(found, dict) and isinstance(found.get("result"), list):
            numbered = [one for one in found["result"] if _number_of(one) is not None]
            found["result"] = [_readable(one) for one in numbered]
        return found


def _number_of(update: Any) -> int | None:
    number = update.get("update_id") if isinstance(update, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _readable(update: dict[str, Any]) -> dict[str, Any]:
    try:
        Update.de_json(update, None)
    except _UNREADABLE as error:
        logger.warning("a message to the bot cannot be read, and is left out: {!r}", error)
        return {"update_id": update["update_id"]}
    return update
