"""The key of a simulated account, in a file: a command line is visible to the whole machine."""

import json
import os
import secrets
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from domain.errors import BadDataError, ConfigError
from infra.files import read_regular
from infra.secrets.cipher import STATE, cipher_of
from infra.venues.simulator.gate import DEFAULT_KEYS, Keys

_PAIR = TypeAdapter(tuple[str, str])


def own_keys(file: Path, *, is_ours: bool) -> Keys:
    """Return the key of the simulated account, created at the first start.

    A separately started exchange has the default key of `bin/sim-exchange`, unless the file says
    otherwise.

    Raises:
        ConfigError: the file does not hold a key.
    """
    if not file.exists():
        if not is_ours:
            return DEFAULT_KEYS
        made = json.dumps([secrets.token_hex(9), secrets.token_hex(18)]).encode()
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
            out.write(cipher_of(file.parent, STATE).line(made))
    return read_keys(file)


def read_keys(file: Path) -> Keys:
    """Return the key in a file.

    Raises:
        ConfigError: there is none.
    """
    try:
        key, secret = _PAIR.validate_json(
            cipher_of(file.parent, STATE).read_line(read_regular(file))
        )
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except (ValidationError, BadDataError):
        text = f"{file}: found no key of the simulated account: delete it, and another is made"
        raise ConfigError(text) from None
    return Keys(api_key=key, api_secret=secret)
