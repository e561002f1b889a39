"""An account's key, and which one signs."""

from dataclasses import dataclass, field

from infra.secrets.keystore import opened_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The key of one account; never shown."""

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    ips: tuple[str, ...] = ()
    """IP addresses that it must allow, including those of standby machines."""


class KeyInUse:
    """The key that signs requests; each request reads it once, atomically. Thread-safe."""

    def __init__(self, credentials: Credentials | None) -> None:
        """Start with a key; None: nothing is signed."""
        self.now = credentials
        self._known = [] if credentials is None else [credentials]

    def change(self, credentials: Credentials) -> None:
        """Sign with another key of the same account; requests in flight are not affected."""
        self._known.append(credentials)
        self.now = credentials

    def hidden(self, text: str) -> str:
        """Return a text without any key that was ever used here or read from a keystore."""
        used = (text for known in self._known for text in (known.api_key, known.api_secret) if text)
        for secret in sorted({*used, *opened_keys()}, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text
