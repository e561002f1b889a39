"""Discord, Slack, e-mail and a hundred others, through apprise."""

import apprise

from domain.errors import ConfigError
from domain.operator.notices import NoticeKind
from infra.operator.delivery import NotDeliveredError

_GOOD = "\N{LARGE GREEN CIRCLE}"
_BY_SIGN = {
    NoticeKind.RISK: apprise.NotifyType.FAILURE,
    NoticeKind.EXIT: apprise.NotifyType.WARNING,
    NoticeKind.ACTOR: apprise.NotifyType.WARNING,
    NoticeKind.CONNECTION: apprise.NotifyType.WARNING,
}
"""Marks for kinds that may be bad news."""


class ServiceSender:
    """One address that apprise supports. See `infra.operator.notices.carrier.Sender`."""

    def __init__(self, setting: str, url: str) -> None:
        """Read an address.

        Args:
            setting: where it comes from, for the error.
            url: holds secrets; it is never shown.

        Raises:
            ConfigError: apprise does not support such an address.
        """
        self._service = apprise.Apprise()
        if not self._service.add(url):
            raise ConfigError(
                f"{setting}: found an address that apprise does not know (it is not shown); "
                "allowed: such as discord://ID/TOKEN, see https://appriseit.com/services"
            )

    def send(self, text: str, kind: NoticeKind) -> None:
        """Send a text as title and body."""
        title, _, body = text.partition("\n")
        is_sent = self._service.notify(
            body=body or title,
            title=title if body else "",
            notify_type=_type_of(kind, title),
            body_format=apprise.NotifyFormat.TEXT,
        )
        if not is_sent:
            # Apprise gives no further reason.
            raise NotDeliveredError("the service did not accept it", may_have_arrived=True)


def _type_of(kind: NoticeKind, title: str) -> apprise.NotifyType:
    """Return how a service marks a notice: dangers, losses and gains have different signs."""
    if kind in _BY_SIGN:
        return apprise.NotifyType.SUCCESS if _GOOD in title else _BY_SIGN[kind]
    return apprise.NotifyType.INFO
