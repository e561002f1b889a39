"""Settings of supervision, health, storage, logs and traces."""

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, SecretStr

from infra.settings import fields
from infra.settings.sections.values import (
    Flag,
    Ms,
    Seconds,
    Secret,
    SecretUrl,
    Section,
    Share,
    TimeOfDay,
)

_DatabaseUrl = Annotated[
    str,
    fields.text(
        r"postgres(ql)?://(?!\S*password)([^\s:@/#?]*@)?[^\s@#]+",
        "postgresql://USER@HOST:PORT/NAME, with the password in POSTGRES_PASSWORD, or null",
        shown=False,
    ),
]
_RedisUrl = Annotated[SecretStr, BeforeValidator(fields.redis_url)]
_DatabaseName = Annotated[str, fields.text(r"[A-Za-z0-9_.-]+", "a name, or null")]


class SupervisionSettings(Section):
    """When an actor is restarted and when it is given up."""

    max_restarts: Annotated[int, fields.whole("restarts", 0, 1000)]
    within_seconds: Seconds
    backoff_initial_seconds: Seconds
    backoff_max_seconds: Seconds
    backoff_jitter_fraction: Annotated[Decimal, fields.fraction("0", "1")]
    hang_seconds: Seconds
    start_seconds: Seconds
    shutdown_seconds: Seconds
    freeze_seconds: Seconds


class StartSettings(Section):
    """How long a start waits for the exchange."""

    patience_seconds: Annotated[Decimal, fields.number("seconds", "5", "86400")]


class DatabaseSettings(Section):
    """Where the journal is."""

    file: Annotated[str, fields.text(r"[^\0]*[^\0\s][^\0]*", "a file name, or null")] | None
    url: _DatabaseUrl | None
    host: _DatabaseName | None
    port: Annotated[int, fields.whole("port", 1, 65_535)] | None
    name: _DatabaseName | None
    user: _DatabaseName | None
    password: Annotated[SecretStr, BeforeValidator(fields.secret)] | None
    busy_timeout_ms: Ms

    def postgres_url(self) -> str | None:
        """Return the address of a PostgreSQL database; None: the journal is a file."""
        if self.url is not None or self.host is None:
            return self.url
        user = "" if self.user is None else f"{self.user}@"
        port = "" if self.port is None else f":{self.port}"
        return f"postgresql://{user}{self.host}{port}/{self.name or self.user or ''}"


class EventSettings(Section):
    """Every stored fact for other programs: on Redis Streams, and to a webhook."""

    redis_url: _RedisUrl | None
    redis_host: _DatabaseName | None
    redis_port: Annotated[int, fields.whole("port", 1, 65_535)]
    redis_db: Annotated[int, fields.whole("number", 0, 1_000_000)]
    redis_password: Secret | None
    redis_stream: (
        Annotated[str, fields.text(r"[!-~]{1,200}", "a key without spaces, or null")] | None
    )
    redis_max_length: Annotated[int, fields.whole("events", 1000, 1_000_000_000)]
    webhook_url: SecretUrl | None
    webhook_secret: Secret | None

    def redis_address(self) -> str | None:
        """Return the Redis address, which may contain a password; None: there is none."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        if self.redis_host is None:
            return None
        return f"redis://{self.redis_host}:{self.redis_port}/{self.redis_db}"


class StorageSettings(Section):
    """Whether what a run stores is encrypted."""

    encryption: Flag
    key: Annotated[
        str,
        fields.text(
            r"(credential:[A-Za-z0-9_.-]+|file:/[^\0]+|keyring:[^/\0]+/[^\0]+)",
            "credential:NAME, file:/PATH or keyring:SERVICE/USER",
        ),
    ]


class BackupSettings(Section):
    """Where backups of the journal are kept."""

    url: (
        Annotated[
            str,
            fields.text(
                r"(?!\w+://[^/]*@)[^\0]*[^\0\s][^\0]*",
                "a folder, a URL without user and password, or null",
            ),
        ]
        | None
    )
    key: (
        Annotated[
            str,
            fields.text(
                r"(file|credential|keyring):[^\0]*[^\0\s][^\0]*",
                "file:PATH, credential:NAME, keyring:SERVICE/USER, or null",
            ),
        ]
        | None
    )
    every_seconds: Annotated[Decimal, fields.number("seconds", "0.1", "3600")]
    full_every_hours: Annotated[int, fields.whole("hours", 1, 8760)]
    keep_days: Annotated[int, fields.whole("days", 1, 3650)]


class HealthSettings(Section):
    """When notifications about the machine, the connections and the mailboxes are sent."""

    every_seconds: Annotated[Decimal, fields.number("seconds", "0.1", "60")]
    for_seconds: Annotated[Decimal, fields.number("seconds", "0", "3600")]
    max_cpu_pct: Share
    max_memory_pct: Share
    max_disk_pct: Share
    max_latency_ms: Ms
    max_feed_age_seconds: Seconds
    max_message_age_seconds: Seconds
    max_clock_offset_ms: Ms
    max_backup_age_seconds: Seconds


class LoggingSettings(Section):
    """What is logged and how long it is kept."""

    level: Annotated[
        str, fields.one_of(("TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"))
    ]
    rotation: TimeOfDay
    retention_days: Annotated[int, fields.whole("days", 1, 3650)]


class TraceSettings(Section):
    """What is recorded of each message, and how long it is kept."""

    enabled: Flag
    ring: Annotated[int, fields.whole("messages", 1, 1_000_000)]
    flush_ms: Annotated[int, fields.whole("milliseconds", 1, 1000)]
    segment_mb: Annotated[int, fields.whole("megabytes", 1, 4096)]
    kept_mb: Annotated[int, fields.whole("megabytes", 1, 10_000_000)]
    retention_days: Annotated[int, fields.whole("days", 1, 3650)]
    tick_every: Annotated[int, fields.whole("ticks", 1, 1_000_000)]
    crash_files: Annotated[int, fields.whole("files", 1, 100_000)]
