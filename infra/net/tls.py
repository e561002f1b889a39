"""Encryption of connections to an exchange: lowest version, and trusted certificates."""

import ssl
from functools import cache

import certifi

LEAST = "1.3"
"""Lowest TLS version by default."""
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@cache
def tls_context(least: str = LEAST) -> ssl.SSLContext:
    """Return a context that checks a server's certificate and name, and accepts no older version.

    It trusts the system's authorities, and those of certifi for systems without any.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.minimum_version = VERSIONS[least]
    return context
