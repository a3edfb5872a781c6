"""The app of the dashboard, for whoever mounts it: one route for each page, the style sheet, the script, and errors as pages."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from reliability_platform.clock import utc_now
from reliability_platform.errors import PlatformError, UsageError
from reliability_platform.masking import error_text
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest
from reliability_platform.service.dashboard.pages import PAGES
from reliability_platform.service.dashboard.rendering import SECURITY_POLICY, rendered
from reliability_platform.settings import Settings

HEADERS = {
    "Content-Security-Policy": SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
MENU = [(group.value, [one for one in PAGES if one.group is group and one.in_navigation]) for group in PageGroup]
STATIC = Path(str(files("reliability_platform.service.dashboard"))) / "static"
Admission = Callable[[Request], Response | None]
"""Who may look: None lets a request pass, else its answer."""


def dashboard(settings: Settings, engine: Engine, admission: Admission = lambda _: None) -> Starlette:
    """The app for one home."""

    def endpoint(page: DashboardPage) -> Callable[[Request], Any]:
        def answer(request: Request) -> Response:
            refused = admission(request)
            if refused is not None:
                return refused
            asked = PageRequest(settings, engine, utc_now(), request.query_params, request.path_params)
            try:
                view = page.view(asked)
            except UsageError as error:
                return _trouble(request, settings, 404 if page.path.endswith("}") else 422, str(error))
            except PlatformError as error:
                return _trouble(request, settings, 503, str(error))
            return _answer(request, settings, page.template, page=page, view=view)

        async def in_a_thread(request: Request) -> Response:
            return await run_in_threadpool(answer, request)

        return in_a_thread

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        said = "There is no such page." if error.status_code == 404 else str(error.detail)
        return _trouble(request, settings, error.status_code, said)

    async def on_fault(request: Request, error: Exception) -> Response:
        return _trouble(request, settings, 500, f"A fault of the platform: {error_text(error)}. Nothing is lost.")

    routes = [Route(f"/{page.path}", endpoint(page), name=page.template) for page in PAGES]
    return Starlette(
        routes=[Mount("/static", StaticFiles(directory=STATIC)), *routes],
        exception_handlers={HTTPException: on_http, Exception: on_fault},
    )


def _answer(request: Request, settings: Settings, template: str, code: int = 200, **names: Any) -> Response:
    root = str(request.scope.get("root_path", "")).rstrip("/")
    text = rendered(
        template, root=root, menu=MENU, installation=settings.installation, query=request.query_params, **names
    )
    return HTMLResponse(text, code, HEADERS)


def _trouble(request: Request, settings: Settings, status: int, message: str) -> Response:
    return _answer(request, settings, "trouble", status, page=None, message=message, status=status)
