"""What all groups of calls have in common."""

from infra.venues.bybit.http.transport import RestTransport


class RestEndpoints:
    """Calls of one account."""

    def __init__(self, wire: RestTransport, *, is_demo: bool = False) -> None:
        """Call through a transport; demo trading does not have every call."""
        self._wire = wire
        self.is_demo = is_demo
