"""The command `reload`: settings that can change while the system runs take effect at once."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from domain.operator.pairs import PairChange
from domain.operator.replies import Reply, ReplyCode
from infra.settings import Settings, SettingsSource, default_dotenv
from infra.settings.comparison import differences, flat
from infra.store.settings_record import SettingsRecord
from infra.store.writer import Origin

_OF_NOTICES = (
    "alert_cooldown_minutes",
    "report_time",
    "weekly_report_day",
    "max_waiting",
    "kinds",
)


class FollowingPairs(Protocol):
    """See `infra.run.pairs.command.Pairs`."""

    @property
    def changes(self) -> Sequence[PairChange]:
        """All that are stored, oldest first."""

    def follow(
        self, source: SettingsSource, operator: str, origin: tuple[int, int] | None
    ) -> Mapping[str, Reply]:
        """Let pairs join and leave as the file has changed; return the result of each."""


class Reload:
    """Compares the settings of a running system with their files, and applies changes."""

    def __init__(
        self,
        settings: Settings,
        file: Path | None,
        record: SettingsRecord,
        apply: Callable[[Settings], None],
        now_ms: Callable[[], int],
    ) -> None:
        """Take the settings that the run began with.

        Args:
            settings: currently in force.
            file: where they come from, besides settings.yaml.
            record: stores what changed.
            apply: puts settings into force that differ only in what is changeable.
            now_ms: the present.
        """
        self.settings = settings
        """Settings currently in force."""
        self._file = file
        self._record = record
        self._apply = apply
        self._now_ms = now_ms
        self.pairs: FollowingPairs | None = None
        """Lets pairs join and leave; None: the pairs do not change."""

    def __call__(self, operator: str, origin: Origin) -> Reply:
        """Apply what can be changed, and name the rest; nothing if the file is wrong.

        Raises:
            ConfigError: the settings are wrong.
        """
        source = SettingsSource(self._file, environ=os.environ, dotenv=default_dotenv())
        source.settings()  # reports all errors before anything is changed
        replies: Mapping[str, Reply] = {}
        if self.pairs is not None:
            replies = self.pairs.follow(source, operator, origin())
        found = source.settings(pairs=() if self.pairs is None else self.pairs.changes)
        taken = _taken_over(self.settings, found)
        changed = self._record.note(taken, operator, self._now_ms(), origin)
        self._apply(taken)
        self.settings = taken
        refused = differences(flat(taken, ""), flat(found, ""))
        followed = {name: reply.title for name, reply in replies.items() if _is_done(reply)}
        failed = {name: reply.title for name, reply in replies.items() if not _is_done(reply)}
        lines = [f"{name}: {title}" for name, title in followed.items()]
        lines += [f"changed {key}: {change}" for key, change in changed.items()]
        lines += [f"refused {name}: {title}" for name, title in failed.items()]
        lines += [f"refused {key}: needs a restart ({change})" for key, change in refused.items()]
        changed, refused = {**followed, **changed}, {**failed, **refused}
        return Reply(
            code=ReplyCode.REFUSED if refused and not changed else ReplyCode.DONE,
            title=f"{_count(changed)} changed, {_count(refused)} refused",
            lines=tuple(lines),
            data={"changed": changed, "refused": refused},
        )


def _is_done(reply: Reply) -> bool:
    return reply.code is ReplyCode.DONE


def _taken_over(old: Settings, new: Settings) -> Settings:
    """Return the old settings with the changeable parts of the new ones.

    The strategy's numbers are not changeable: each decision must be explained by the rules that its
    run began with. Secrets, addresses, files and ports belong to what was opened at the start.
    """
    level = {"level": new.logging.level}
    notices = {name: getattr(new.notifications, name) for name in _OF_NOTICES}
    return old.model_copy(
        update={
            "health": new.health,
            "logging": old.logging.model_copy(update=level),
            "notifications": old.notifications.model_copy(update=notices),
        }
    )


def _count(found: dict[str, str]) -> str:
    return f"{len(found)} setting{'' if len(found) == 1 else 's'}"
