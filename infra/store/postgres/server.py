"""Settings of a PostgreSQL server that decide whether it keeps what it has confirmed."""

from domain.errors import ConfigError
from infra.store.location import PostgresAddress
from infra.store.postgres.connection import Connection, execute

DOUBT = (
    "SELECT CASE WHEN current_setting('synchronous_standby_names') = '' "
    "AND EXISTS (SELECT FROM pg_stat_replication "
    "WHERE application_name NOT IN ('pg_basebackup', 'pg_receivewal')) THEN "
    "'standbys are connected, but synchronous_standby_names is empty: "
    "a failover may lose the latest facts' ELSE '' END AS doubt"
)
"""Query for the reason why the server may lose confirmed facts; empty if it does not.

What else reads the log of changes is no standby. Its `state` would tell as much, but not to all.
"""


def demand_durable(connection: Connection, address: PostgresAddress) -> None:
    """Refuse a server that may lose confirmed facts when it is killed.

    Raises:
        ConfigError: it may lose them.
    """
    for name in ("fsync", "full_page_writes"):
        found = execute(connection, f"SHOW {name}").fetchone()
        if found is not None and found[0] != "on":
            raise ConfigError(
                f"{address}: the server runs with {name} = {found[0]}, and may lose facts that it "
                f"has confirmed; set {name} = on"
            )


def doubt_of(connection: Connection) -> str:
    """Return why a failover may lose facts; empty if it does not."""
    (doubt,) = execute(connection, DOUBT).fetchone() or ("",)
    return str(doubt)
