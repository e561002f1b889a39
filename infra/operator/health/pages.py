"""What a service manager and Prometheus ask over HTTP.

They need no token, show no secret and change nothing; whoever reaches the address reads them.
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
    """Where the pages get what they show."""

    why_sick: Callable[[], str | None]
    """Why the process should be replaced; None where it should not. Must not wait."""
    why_not_ready: Callable[[], Sequence[str]]
    """Why not all assets can be traded. Must not wait."""
    why_degraded: Callable[[], Sequence[str]]
    """What is broken and keeps no asset from being traded. Must not wait."""
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
