"""Who watches that the process works."""

from dataclasses import dataclass

from infra.operator.health.watch import Health
from infra.process.systemd import ServiceManager
from infra.process.watchdog import Watchdog


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepers:
    """Who watches that the process works; the supervisor's turns are their proof."""

    watchdog: Watchdog
    health: Health
    service: ServiceManager

    def turn(self) -> None:
        """Take note of a turn."""
        self.watchdog.feed()
        self.health.turn()
        self.service.feed()
