"""The targets of events that the settings name."""

from collections.abc import Callable
from random import Random

from domain.errors import ConfigError
from infra.operator.events.publisher import Publisher, Target
from infra.operator.events.webhook import Webhook
from infra.settings.sections.running import EventSettings
from infra.store.journal import JournalStore

REDIS, WEBHOOK = "redis", "webhook"
_PACKAGES = (
    "Redis needs packages that are not installed; install them: "
    ".venv/bin/python -m pip install -r requirements-events.txt"
)


def publishers_of(
    settings: EventSettings,
    journals: JournalStore,
    *,
    source: str,
    rng: Random,
    on_trouble: Callable[[str, str | None], None],
) -> dict[str, Publisher]:
    """Return the publishers of a journal's facts by target name, not started.

    Args:
        settings: addresses and secrets of the targets.
        journals: the database of the facts.
        source: name of this system.
        rng: for the jitter of pauses.
        on_trouble: called with the target and why it accepts nothing; None once it does again.

    Raises:
        ConfigError: a secret or an address is invalid, or packages are not installed.
    """
    return {
        name: Publisher(name, target, journals, source=source, rng=rng, on_trouble=on_trouble)
        for name, target in targets_of(settings, source).items()
    }


def targets_of(settings: EventSettings, source: str) -> dict[str, Target]:
    """Return the targets by name; nothing is connected.

    Raises:
        ConfigError: see `publishers_of`.
    """
    found: dict[str, Target] = {}
    url = settings.redis_address()
    if url is not None:
        found[REDIS] = _redis(settings, url, source)
    if settings.webhook_url is not None and settings.webhook_secret is not None:
        address, secret = settings.webhook_url, settings.webhook_secret
        found[WEBHOOK] = Webhook(address.get_secret_value(), secret.get_secret_value())
    return found


def _redis(settings: EventSettings, url: str, source: str) -> Target:
    try:
        from infra.operator.events.redis_stream import RedisStream  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise ConfigError(_PACKAGES) from error
    password = settings.redis_password
    return RedisStream(
        url,
        None if password is None else password.get_secret_value(),
        settings.redis_stream or f"trading:{source}",
        settings.redis_max_length,
    )
