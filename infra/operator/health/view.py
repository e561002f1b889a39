"""The figures of the newest sample of a running system, as shown to the operator."""

from collections.abc import Iterator

from domain.operator.system import VenueLink
from infra.operator.health.figures import Figures
from infra.operator.health.readiness import why_not_ready
from infra.process.logs import current_level
from infra.process.times import show_time

_MIB = 2**20


def health_figures(found: Figures | None) -> dict[str, str]:
    """Return the figures by name; None: nothing was sampled yet."""
    return {} if found is None else dict(_figures(found))


def _figures(found: Figures) -> Iterator[tuple[str, str]]:
    machine, requests = found.machine, found.requests
    yield "ready", "; ".join(why_not_ready(found)) or "yes"
    for channel, why in found.troubles.items():
        yield channel.replace("_", " "), f"does not work: {why}"
    yield "log level", current_level() or "not started"
    yield "CPU of the machine", f"{machine.cpu_fraction:.0%}"
    yield "CPU of the process", f"{machine.process_cpu_fraction:.0%} of a core"
    yield "memory of the machine", f"{machine.memory_fraction:.0%}"
    yield "memory of the process", f"{machine.process_memory_bytes / _MIB:.0f} MiB"
    yield "disk", f"{machine.disk_fraction:.0%} full"
    yield "threads", str(machine.threads)
    size = f"{found.journal_bytes / _MIB:.1f} MiB"
    yield "journal", size if found.journal_bytes else _server(found.books.doubt)
    yield "journal connections", str(found.connections)
    yield "trace", f"{found.trace_bytes / _MIB:.1f} MiB"
    backup = found.backup
    if backup is not None:
        trouble = f"; {backup.trouble}" if backup.trouble else ""
        yield "backup", f"complete {found.at_s - backup.complete_s:.0f} s ago{trouble}"
    for asset in found.assets:
        age = "nothing yet" if asset.feed_age_s is None else f"{asset.feed_age_s:.1f} s ago"
        yield f"feed of {asset.asset}", age
        yield f"last candle of {asset.asset}", _time(asset.last_candle_ms)
    for link in found.links.values():
        yield f"link of {link.asset}", _link(link)
    yield "orders", f"{found.orders_per_minute:.0f} a minute"
    for name, value_s in (("p50", requests.p50_s), ("p99", requests.p99_s)):
        yield f"request {name}", "none" if value_s is None else f"{value_s * 1000:.0f} ms"
    reconnects = sum(max(0, stream.connects - 1) for stream in found.streams)
    yield "reconnects", str(reconnects)
    yield "restarts", str(sum(actor.restarts for actor in found.actors))
    yield "oldest message waits", f"{max((a.oldest_s for a in found.actors), default=0):.2f} s"
    if found.clock_offset_s is not None:
        yield "clock offset", f"{found.clock_offset_s * 1000:.0f} ms"
    yield "positions without a stop", str(found.unprotected)
    yield "unknown orders", str(found.books.unknown_orders)


def _server(doubt: str) -> str:
    return f"in a server; {doubt}" if doubt else "in a server"


def _link(link: VenueLink) -> str:
    waits = [
        f"{name} {found_ms:.0f} ms"
        for name, found_ms in (("p50", link.request_p50_ms), ("p99", link.request_p99_ms))
        if found_ms is not None
    ]
    stream = "stream connected" if link.is_streaming else "no stream"
    return ", ".join((stream, f"{link.orders_per_minute:.1f} orders a minute", *waits))


def _time(ms: int | None) -> str:
    return "none yet" if ms is None else f"{show_time(ms)} UTC"
