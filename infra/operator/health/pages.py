"""The HTTP pages for a service manager and Prometheus.

They need no token, show no secret and change nothing; anyone who can reach the address can read
them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from infra.operator.health.metrics import CONTENT_TYPE, MetricsPage

_OK, _UNAVAILABLE = 200, 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The sources of what the pages show."""

    why_sick: Callable[[], str | None]
    """Why the process should be replaced; None if it should not. Must not block."""
    why_not_ready: Callable[[], Sequence[str]]
    """Why not all assets can be traded. Must not block."""
    why_degraded: Callable[[], Sequence[str]]
    """What is broken without keeping any asset from being traded. Must not block."""
    metrics: MetricsPage

    def routes(self) -> list[BaseRoute]:
        """Return the routes, for any Starlette application."""
        return [
            Route("/healthz", self._health),
            Route("/readyz", self._readiness),
            Route("/metrics", self._metrics),
        ]

    def _health(self, _request: Request) -> Response:
        sick = self.why_sick()
        if sick is not None:
            return PlainTextResponse(f"{sick}\n", _UNAVAILABLE)
        return PlainTextResponse("ok\n", _OK)

    def _readiness(self, _request: Request) -> Response:
        why_not = list(self.why_not_ready())
        body = {
            "ready": not why_not,
            "why_not": why_not,
            "degraded": list(self.why_degraded()),
        }
        return JSONResponse(body, _UNAVAILABLE if why_not else _OK)

    def _metrics(self, _request: Request) -> Response:
        return Response(self.metrics.text(), media_type=CONTENT_TYPE)
