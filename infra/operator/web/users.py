"""Who may log in by password: names, roles and argon2 hashes, in the run directory."""

import json
import re
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from domain.errors import ConfigError
from infra.files import read_regular
from infra.operator.web.files import USERS_FILE, write_private

LEAST_LETTERS = 12
_LONGEST = 200
NAME = re.compile(r"[A-Za-z0-9._@-]{1,40}")
_hasher = PasswordHasher()


@cache
def _nobody() -> str:
    """Return the hash to compare with if there is no such user, so that it takes equally long.

    Made on demand: it takes a tenth of a second and 64 MiB, and most programs never need it.
    """
    return _hasher.hash("no user has this password")


class Role(StrEnum):
    """What a user may do."""

    VIEWER = "viewer"
    """Look."""
    OPERATOR = "operator"
    """May look and give commands."""


class User(msgspec.Struct):
    """A user."""

    role: Role
    password: Annotated[str, msgspec.Meta(max_length=_LONGEST)]
    """Argon2 hash of the password."""


_users = msgspec.json.Decoder(dict[str, User])


def read_users(directory: Path) -> dict[str, User]:
    """Return all users by name.

    Raises:
        ConfigError: the file exists and cannot be read.
    """
    file = directory / USERS_FILE
    try:
        return _users.decode(read_regular(file))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{file}: is damaged ({error}); set the passwords again") from error


def set_password(directory: Path, name: str, role: Role, password: str) -> None:
    """Add a user, or change a password.

    Raises:
        ConfigError: the name or the password is not allowed, or it cannot be stored.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f"expected a name of 1 to 40 letters, digits or ._@-, found {name!r}")
    if not LEAST_LETTERS <= len(password) <= _LONGEST:
        raise ConfigError(f"expected a password of {LEAST_LETTERS} to {_LONGEST} characters")
    users = read_users(directory) | {name: User(role=role, password=_hasher.hash(password))}
    file = directory / USERS_FILE
    try:
        write_private(file, json.dumps(msgspec.to_builtins(users), indent=1))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from error


def role_of(directory: Path, name: str, password: str) -> Role | None:
    """Return the role of a user with a password; None: no such user, or a wrong password.

    It always takes a tenth of a second.

    Raises:
        ConfigError: the file of users cannot be read.
    """
    user, nobody = read_users(directory).get(name), _nobody()
    try:
        _hasher.verify(nobody if user is None else user.password, password)
    except (VerificationError, InvalidHashError):
        return None
    return None if user is None else user.role
