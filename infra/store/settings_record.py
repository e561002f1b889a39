"""The settings stored in a run's journal: what differs from them becomes a fact."""

import json
import secrets

from domain.operator.commands import SettingsChanged
from infra.settings import Settings
from infra.settings.comparison import differences, flat
from infra.settings.strategy_versions import strategy_versions
from infra.store.journal import JournalStore
from infra.store.writer import Origin

_SALT, _SETTINGS = "settings.salt", "settings"
_WRITER = "settings"


class SettingsRecord:
    """Stores the settings of a run, and what changed in them."""

    def __init__(self, journals: JournalStore) -> None:
        self._journals = journals

    def note(self, settings: Settings, operator: str, ts_ms: int, origin: Origin) -> dict[str, str]:
        """Store what differs from the settings stored last, then store these.

        Args:
            settings: in force from now on.
            operator: who changed them.
            ts_ms: the present.
            origin: what is stored as its cause.

        Returns:
            What changed, by key; nothing the first time. After a death between the two steps, the
            next start reports the changes once more.
        """
        with self._journals.connected():
            salt = self._journals.read_meta(_SALT)
            if salt is None:
                salt = secrets.token_hex(16)
                self._journals.write_meta(_SALT, salt)
            stored = self._journals.read_meta(_SETTINGS)
            now = flat(settings, salt) | strategy_versions(settings)
            found = {} if stored is None else differences(json.loads(stored), now)
            if found:
                lines = "\n".join(f"{key}: {change}" for key, change in found.items())
                fact = SettingsChanged(operator=operator, changes=lines, ts_ms=ts_ms)
                self._journals.open(_WRITER, origin).append(fact)
            if found or stored is None:
                self._journals.write_meta(_SETTINGS, json.dumps(now))
        return found
