"""The limits of health figures, by their displayed names."""

from pathlib import Path

from infra.operator.web.facts import NoFactsError, read_facts
from infra.settings.sections.running import HealthSettings
from infra.settings.stored import settings_of
from infra.store.reader import FactReader


def health_limits(directory: Path) -> dict[str, str]:
    """Return the limits of a run's last settings.

    Raises:
        NoFactsError: they cannot be read.
    """

    def read(facts: FactReader) -> dict[str, str]:
        noted = facts.settings()
        if noted is None:
            raise NoFactsError("the journal records no settings yet")
        return _limits(settings_of(noted, str(directory)).health)

    return read_facts(directory, read)


def _limits(found: HealthSettings) -> dict[str, str]:
    cpu = f"{found.max_cpu_pct:.0%}"
    return {
        "ready": "yes",
        "CPU of the machine": cpu,
        "CPU of the process": f"{cpu} of a core",
        "memory of the machine": f"{found.max_memory_pct:.0%}",
        "disk": f"{found.max_disk_pct:.0%} full",
        "request p99": f"{found.max_latency_ms} ms",
        "oldest message waits": f"{found.max_message_age_seconds} s",
        "clock offset": f"{found.max_clock_offset_ms} ms",
        "backup": f"{found.max_backup_age_seconds} s",
        "feed": f"{found.max_feed_age_seconds} s",
        "positions without a stop": "0",
        "unknown orders": "0",
    }
