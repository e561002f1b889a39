"""Inspects a journal in PostgreSQL from outside, without changing it."""

from contextlib import closing

import peewee
import psycopg

from domain.errors import ConfigError
from infra.store.inspection import Inspection
from infra.store.location import PostgresAddress
from infra.store.postgres.connection import connect, execute, one_line
from infra.store.postgres.database import PostgresDatabase
from infra.store.postgres.server import demand_durable, doubt_of
from infra.store.postgres.soundness import check_facts
from infra.store.schema import MIGRATIONS

_SIZE = (
    "SELECT COALESCE(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind = 'r'"
)


def inspect_schema(address: PostgresAddress) -> Inspection | None:
    """Return what is known about a journal, without disturbing a run that writes to it.

    Returns:
        None if there is none yet.

    Raises:
        ConfigError: it is damaged, was made by a newer version, or the server is away.
    """
    try:
        with closing(connect(address, name="trading check")) as connection:
            name = f"{address.schema}.store_state"
            found = execute(connection, "SELECT to_regclass(%s)", name).fetchone()
            if found is None or found[0] is None:
                return None
            (version,) = execute(connection, "SELECT version FROM store_state").fetchone() or (0,)
            if version > len(MIGRATIONS):
                raise ConfigError(
                    f"{address}: is of version {version}, this program knows up to "
                    f"{len(MIGRATIONS)}"
                )
            mode = execute(connection, "SELECT value FROM meta WHERE key = 'mode'").fetchone()
            (size,) = execute(connection, _SIZE, address.schema).fetchone() or (0,)
        _check(address)
    except (psycopg.Error, peewee.PeeweeException) as error:
        raise ConfigError(f"{address}: {one_line(error)}") from error
    return Inspection(mode=None if mode is None else mode[0], size_bytes=size)


def inspect_server(address: PostgresAddress) -> str:
    """Return why a failover of the server may lose facts; empty if it does not.

    Raises:
        ConfigError: the server may lose facts when it is killed, or cannot be reached.
    """
    try:
        with closing(connect(address, name="trading check")) as connection:
            demand_durable(connection, address)
            return doubt_of(connection)
    except psycopg.Error as error:
        raise ConfigError(f"{address}: {one_line(error)}") from error


def _check(address: PostgresAddress) -> None:
    database = PostgresDatabase(address, patience_ms=0)
    database.connect()
    try:
        check_facts(database, address)
    finally:
        database.close()
