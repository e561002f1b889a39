"""Settings of notifications, the control interface and the web page."""

from typing import Annotated

from pydantic import BeforeValidator

from domain.operator.notices import NoticeKind, NoticeRules
from infra.settings import fields
from infra.settings.sections.values import Flag, Minutes, Secret, SecretUrl, Section, TimeOfDay

_Kind = Annotated[
    NoticeKind, BeforeValidator(str.lower), fields.one_of(kind.upper() for kind in NoticeKind)
]
_Kinds = tuple[_Kind, ...]
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


_Host = Annotated[str, fields.text(r"[A-Za-z0-9.:-]{1,200}", "an address or name of this machine")]


class KindSettings(Section):
    """Which kinds of notices go where."""

    telegram: _Kinds
    telegram_admin: _Kinds
    discord: _Kinds
    slack: _Kinds
    email: _Kinds
    other: _Kinds


class NotificationSettings(Section):
    """Where notifications are sent."""

    instance: (
        Annotated[
            str, fields.text(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}", "1 to 40 letters, digits or  ._-")
        ]
        | None
    )
    alert_cooldown_minutes: Minutes
    report_time: TimeOfDay | None
    weekly_report_day: Annotated[str, fields.one_of(_WEEKDAYS)]
    max_waiting: Annotated[int, fields.whole("notices", 10, 1_000_000)]
    kinds: KindSettings
    telegram_bot_token: Secret | None
    telegram_channel_id: (
        Annotated[
            str, fields.text(r"-?[0-9]{1,20}|@\w{1,64}", "a number, @name, or null", shown=False)
        ]
        | None
    )
    telegram_admin_chat_id: (
        Annotated[str, fields.text(r"-?[0-9]{1,20}", "a number, or null", shown=False)] | None
    )
    telegram_user_ids: (
        Annotated[
            str,
            fields.text(
                r"[0-9]{1,20}(, ?[0-9]{1,20})*", "numbers with commas between, or null", shown=False
            ),
        ]
        | None
    )
    telegram_server: Annotated[
        str, fields.text(r"https?://[!-~]*[^/\s]", "an http(s) address without a slash at its end")
    ]
    discord_url: Secret | None
    slack_url: Secret | None
    email_url: Secret | None
    other_url: Secret | None
    heartbeat_url: SecretUrl | None

    def without_channels(self) -> "NotificationSettings":
        """Return a copy without any channels."""
        places = [name for name in type(self).model_fields if name.endswith(("_token", "_url"))]
        return self.model_copy(update=dict.fromkeys(places))

    def user_ids(self) -> frozenset[int]:
        """Return the users who may command by Telegram; empty: anyone in a private chat."""
        return frozenset(map(int, (self.telegram_user_ids or "").replace(",", " ").split()))

    def rules(self) -> NoticeRules:
        """Return the rules of when to notify."""
        minute = None
        if self.report_time is not None:
            hours, minutes = self.report_time.split(":")
            minute = int(hours) * 60 + int(minutes)
        return NoticeRules(
            alert_cooldown_minutes=self.alert_cooldown_minutes,
            report_minute=minute,
            weekly_report_weekday=_WEEKDAYS.index(self.weekly_report_day),
        )


class ControlSettings(Section):
    """The HTTP interface for commands."""

    enabled: Flag
    host: _Host
    allowed_hosts: tuple[_Host, ...]
    port: Annotated[int, fields.whole("port", 0, 65_535)]
    requests_per_second: Annotated[int, fields.whole("requests", 1, 1000)]


class WebSettings(Section):
    """The web page, which runs as a separate process."""

    enabled: Flag
    host: _Host
    allowed_hosts: tuple[_Host, ...]
    port: Annotated[int, fields.whole("port", 0, 65_535)]
    behind_tls: Flag
    idle_minutes: Minutes
