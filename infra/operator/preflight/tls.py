"""Checks the TLS version of an exchange, and whether its certificate is valid."""

import socket
import ssl
from urllib.parse import urlsplit

from infra.net.tls import VERSIONS, tls_context
from infra.operator.preflight.finding import Finding, fail, ok

_PATIENCE_S = 5.0
_NAMES = {f"TLSv{name}": name for name in VERSIONS}


def check_tls(url: str, least: str, context: ssl.SSLContext | None = None) -> Finding | None:
    """Return the finding; None if the connection is not encrypted, or nothing answers.

    Args:
        url: of the exchange.
        least: version required by `exchange.least_tls`.
        context: for verifying its certificate; `tls_context` by default.
    """
    place = urlsplit(url)
    if place.scheme != "https" or place.hostname is None:
        return None
    expected = f"{least} or newer"
    open_context = context or tls_context(min(VERSIONS))
    try:
        with (
            socket.create_connection((place.hostname, place.port or 443), _PATIENCE_S) as plain,
            open_context.wrap_socket(plain, server_hostname=place.hostname) as secure,
        ):
            version = secure.version() or "no version"
    except ssl.SSLCertVerificationError as error:
        advice = "check the machine's clock, and whether there is a proxy in between"
        return fail("TLS", error.verify_message, "a valid certificate", advice)
    except OSError:
        return None  # the next check reports it
    found = _NAMES.get(version, "0")
    if VERSIONS.get(found, ssl.TLSVersion.MINIMUM_SUPPORTED) < VERSIONS[least]:
        advice = f'set exchange.least_tls to "{found}", or find out what is in between'
        return fail("TLS", f"{place.hostname} speaks {version}", expected, advice)
    return ok("TLS", f"{found} with {place.hostname}", expected)
