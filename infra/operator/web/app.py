"""The routes of the page."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import plotly
from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from domain.errors import BadDataError
from infra.operator.web.access import AccessLog
from infra.operator.web.curves import read_curve
from infra.operator.web.door import POLICY, REPORT_POLICY, Door, DoorRules
from infra.operator.web.facts import NoFactsError
from infra.operator.web.hub import Hub
from infra.operator.web.jobs import Jobs
from infra.operator.web.jobs_asked import ask_for_job
from infra.operator.web.login import Logins, address_of, told
from infra.operator.web.press import press
from infra.operator.web.questions import QUESTIONS
from infra.operator.web.sessions import Session, Sessions

_STATIC = Path(__file__).with_name("static")
_PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
_MOST_SOCKETS = 64
_SEND_S = 10.0
_UNAUTHORIZED = 4401
_PAGES = (
    "",
    "asset/{name}",
    "compare",
    "risk",
    "trades",
    "orders",
    "actors",
    "messages",
    "health",
    "audit",
    "backtest",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """State shared by the routes."""

    hubs: Mapping[str, Hub]
    """Runs by name."""
    sessions: Sessions
    logins: Logins
    access: AccessLog
    jobs: Jobs

    def hub(self, name: str | None) -> Hub | None:
        """Return a run, the first one if none is named."""
        return self.hubs.get(name) if name else next(iter(self.hubs.values()))


def make_app(page: Page, rules: DoorRules) -> Door:
    routes = [
        *(Route(f"/{path}", _shell(page)) for path in _PAGES),
        Route("/login", _login_page),
        Route("/login", page.logins.log_in, methods=["POST"]),
        Route("/logout", page.logins.log_out, methods=["POST"]),
        Route("/api/me", _behind(page, _me)),
        Route("/api/press", _pressing(page), methods=["POST"]),
        Route("/api/jobs", _behind(page, _jobs)),
        Route("/api/curve/{job}", _behind(page, _curve)),
        Route("/api/job", _behind(page, _ask_job), methods=["POST"]),
        Route("/report/{job}", _behind(page, _report)),
        Route("/api/{question}", _behind(page, _question)),
        Route("/plotly.js", _plotly),
        Mount("/static", StaticFiles(directory=_STATIC)),
        WebSocketRoute("/live", _live(page)),
    ]

    @contextlib.asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(hub.run()) for hub in page.hubs.values()]
        tasks.append(asyncio.create_task(page.jobs.run()))
        yield
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    app = Starlette(routes=routes, lifespan=life)
    return Door(
        app,
        rules=rules,
        note=lambda address, what, why: page.access.note("?", address, what, f"refused: {why}"),
    )


_Answer = Callable[[Page, Session, Request], Awaitable[Response]]


def _behind(page: Page, answer: _Answer) -> Callable[[Request], Awaitable[Response]]:
    """Return a route that requires a login."""

    async def route(request: Request) -> Response:
        session = page.logins.session_of(request)
        if session is None:
            return told(401, "Log in first.")
        return await answer(page, session, request)

    return route


def _shell(page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def route(request: Request) -> Response:
        if page.logins.session_of(request) is None:
            return RedirectResponse("/login", 303)
        return FileResponse(_STATIC / "index.html", headers={"Cache-Control": "no-store"})

    return route


async def _login_page(_request: Request) -> Response:
    return FileResponse(_STATIC / "login.html", headers={"Cache-Control": "no-store"})


async def _plotly(_request: Request) -> Response:
    return FileResponse(
        _PLOTLY, media_type="text/javascript", headers={"Cache-Control": "private, max-age=86400"}
    )


async def _me(page: Page, session: Session, _request: Request) -> Response:
    body = {
        "user": session.user,
        "role": session.role,
        "csrf": session.csrf,
        "runs": list(page.hubs),
    }
    return JSONResponse(body)


async def _question(page: Page, _session: Session, request: Request) -> Response:
    hub = page.hub(request.query_params.get("run"))
    question = QUESTIONS.get(request.path_params["question"])
    if hub is None or question is None:
        return told(404, "No such page.")
    try:
        return JSONResponse(await question(hub, request.query_params))
    except NoFactsError as error:
        return told(503, str(error))
    except ValueError as error:
        return told(422, str(error))


def _pressing(page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def answer(page: Page, session: Session, request: Request) -> Response:
        hub = page.hub(request.query_params.get("run"))
        if hub is None:
            return told(404, "No such run.")
        return await press(hub.system, page.access, session, request)

    return _behind(page, answer)


async def _jobs(page: Page, _session: Session, _request: Request) -> Response:
    jobs = page.jobs
    body = {
        "jobs": await to_thread.run_sync(jobs.listed),
        "candles": list(jobs.candle_folders()),
        "settings": list(jobs.settings_files()),
    }
    return JSONResponse(body)


async def _curve(page: Page, _session: Session, request: Request) -> Response:
    file = page.jobs.curve(request.path_params["job"])
    if file is None:
        return told(404, "No such curve.")
    try:
        return JSONResponse(await to_thread.run_sync(read_curve, file))
    except (OSError, ValueError, BadDataError):
        return told(503, "The curve of this report cannot be read; create the report again.")


async def _ask_job(page: Page, session: Session, request: Request) -> Response:
    hub = page.hub(request.query_params.get("run"))
    if hub is None:
        return told(404, "No such run.")
    return await ask_for_job(page.jobs, page.access, session, hub.name, request)


async def _report(page: Page, _session: Session, request: Request) -> Response:
    file = page.jobs.report(request.path_params["job"])
    if file is None:
        return told(404, "No such report.")
    return FileResponse(file, media_type="text/html", headers={POLICY: REPORT_POLICY})


def _live(page: Page) -> Callable[[WebSocket], Awaitable[None]]:
    sockets: set[WebSocket] = set()

    async def live(socket: WebSocket) -> None:
        session, hub = page.logins.session_of(socket), page.hub(socket.query_params.get("run"))
        await socket.accept()
        if session is None or hub is None:
            await socket.close(_UNAUTHORIZED)
            return
        if len(sockets) >= _MOST_SOCKETS:
            page.access.note(session.user, address_of(socket), "live", "refused: too many")
            await socket.close(1013)
            return
        sockets.add(socket)
        hub.system.watchers += 1
        hub.system.want()
        try:
            await _serve_socket(page, session, hub, socket)
        finally:
            hub.system.watchers -= 1
            sockets.discard(socket)

    return live


async def _serve_socket(page: Page, session: Session, hub: Hub, socket: WebSocket) -> None:
    """Send changes to a browser, until it disconnects or its session ends."""
    listening = asyncio.create_task(_drain(socket))
    telling = asyncio.create_task(_tell(page, session, hub, socket))
    done, waiting = await asyncio.wait({listening, telling}, return_when="FIRST_COMPLETED")
    for task in waiting:
        task.cancel()
    for task in (*done, *waiting):
        with contextlib.suppress(
            asyncio.CancelledError, WebSocketDisconnect, TimeoutError, RuntimeError, OSError
        ):
            await task


async def _tell(page: Page, session: Session, hub: Hub, socket: WebSocket) -> None:
    version = 0
    while page.sessions.holds(session):
        try:
            version, message = await asyncio.wait_for(hub.next_message(version), 1.0)
        except TimeoutError:
            # Shows the browser that this process is alive while nothing changes.
            message = "{}"
        await asyncio.wait_for(socket.send_text(message), _SEND_S)
    await socket.close(_UNAUTHORIZED)


async def _drain(socket: WebSocket) -> None:
    """Read what a browser sends as a sign of presence; the content is ignored."""
    while True:
        await socket.receive_text()
