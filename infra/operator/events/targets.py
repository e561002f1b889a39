"""The places that events go to, as the settings name them."""

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
    """Return what publishes the facts of a journal, by the name of its target; not started.

    Args:
        settings: where to, and with which secrets.
        journals: the database of the facts.
        source: name of this system.
        rng: for the jitter of pauses.
        on_trouble: told the target, and why it takes nothing; None once it does again.

    Raises:
        ConfigError: a secret or an address is none, or packages are not installed.
    """
    return {
        name: Publisher(name, target, journals, source=source, rng=rng, on_trouble=on_trouble)
        for name, target in targets_of(settings, source).items()
    }


def targets_of(settings: EventSettings, source: str) -> dict[str, Target]:
    """Return the places by name; nothing is connected.

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
