"""The watchers of the process."""

from dataclasses import dataclass

from infra.operator.health.watch import Health
from infra.process.systemd import ServiceManager
from infra.process.watchdog import Watchdog


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepers:
    """The watchers of the process, which the supervisor feeds at each turn of its loop."""

    watchdog: Watchdog
    health: Health
    service: ServiceManager

    def turn(self) -> None:
        """Learn of a turn of the supervisor's loop."""
        self.watchdog.feed()
        self.health.turn()
        self.service.feed()
