"""How connections to an exchange are encrypted: a least version, and certificates that count."""

import ssl
from functools import cache

import certifi

LEAST = "1.3"
"""Version of TLS, where nothing else is asked for."""
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@cache
def tls_context(least: str = LEAST) -> ssl.SSLContext:
    """Return what checks certificate and name of a server, and speaks no older version.

    The system's authorities count, and those of certifi, for systems that come without.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.minimum_version = VERSIONS[least]
    return context
