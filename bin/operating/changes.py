"""Commands that need settings, logs or the trace rather than actors."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bin.trace_story import story_of
from bin.tracing import trace_directory
from domain.operator import CommandName
from domain.replies import Reply, ReplyCode
from infra.logs import LEVELS, set_level
from infra.settings import Settings, default_dotenv, load_settings
from infra.trace.facts import Facts
from infra.trace.reader import TraceReader

_STORY_LINES = 10
CHANGEABLE = frozenset({"logging.level"})
"""Settings that take effect while the system runs."""


class Changes:
    """What a running system lets be changed, and the story of an order."""

    def __init__(self, settings: Settings, file: Path | None, journal: Path) -> None:
        """Know the settings that the run began with.

        Args:
            settings: as they are.
            file: where they come from, besides the project's own.
            journal: of the run.
        """
        self._settings = settings
        self._file = file
        self._journal = journal

    def handlers(self) -> dict[CommandName, Callable[[str], Reply]]:
        """Return what does each command."""
        return {
            CommandName.LOG: self._log,
            CommandName.RELOAD: self._reload,
            CommandName.WHY: self._why,
        }

    def _log(self, level: str) -> Reply:
        wanted = level.upper()
        if wanted not in LEVELS:
            title = f"expected a level of {', '.join(LEVELS)}, found {level[:20]}"
            return Reply(code=ReplyCode.WRONG, title=title)
        set_level(wanted)
        return Reply(code=ReplyCode.DONE, title=f"logging from {wanted} on until the next start")

    def _reload(self, _: str) -> Reply:
        """Take over what can be changed, and name the rest; all or, where it is wrong, nothing."""
        found = load_settings(self._file, environ=os.environ, dotenv=default_dotenv())
        differing = dict(_differences(_plain(self._settings), _plain(found)))
        taken = sorted(differing.keys() & CHANGEABLE)
        refused = sorted(differing.keys() - CHANGEABLE)
        if "logging.level" in taken:
            set_level(found.logging.level)
            self._settings = self._settings.model_copy(update={"logging": found.logging})
        lines = [f"changed {name}: {differing[name]}" for name in taken]
        lines += [f"refused {name}: needs a restart of the system" for name in refused]
        title = f"{len(taken)} settings changed, {len(refused)} refused"
        code = ReplyCode.REFUSED if refused and not taken else ReplyCode.DONE
        data = {"changed": taken, "refused": refused}
        return Reply(code=code, title=title, lines=tuple(lines), data=data)

    def _why(self, wanted: str) -> Reply:
        facts = Facts(self._journal)
        try:
            story = story_of(wanted, facts, TraceReader(trace_directory(self._journal.parent)))
        finally:
            facts.close()
        steps = [f"{step.name}: {step.text}" for step in story.steps]
        if len(steps) > _STORY_LINES:
            steps = [
                *steps[: _STORY_LINES - 1],
                f"and {len(steps) - _STORY_LINES + 1} more: bin/trace why {wanted}",
            ]
        data: dict[str, Any] = {"title": story.title, "steps": steps}
        return Reply(code=ReplyCode.DONE, title=story.title, lines=tuple(steps), data=data)


def _plain(settings: Settings) -> Mapping[str, Any]:
    return settings.model_dump()


def _differences(
    old: Mapping[str, Any], new: Mapping[str, Any], above: str = ""
) -> Iterator[tuple[str, str]]:
    """Return what differs by its key; secrets are named, and not shown."""
    for name in sorted({*old, *new}):
        key, was, is_now = f"{above}{name}", old.get(name), new.get(name)
        if isinstance(was, Mapping) and isinstance(is_now, Mapping):
            yield from _differences(was, is_now, f"{key}.")
        elif was != is_now:
            yield key, f"{was} -> {is_now}"
