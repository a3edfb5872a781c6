"""The app of the dashboard: one route for each page, the way in, the style sheet, the script, and errors as pages."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from reliability_platform.alerts.status_page import status_blocks
from reliability_platform.clock import utc_now
from reliability_platform.errors import PlatformError, UsageError
from reliability_platform.incidents.documents import web
from reliability_platform.masking import error_text
from reliability_platform.palette import variables
from reliability_platform.service.access.roles import LEAST_ROLE, Act, may
from reliability_platform.service.api.access import Caller, Ground
from reliability_platform.service.api.guard import DASHBOARD
from reliability_platform.service.dashboard.acts import ACTS, DashboardAct, FormError, SentForm
from reliability_platform.service.dashboard.entrance import COOKIE, Entrance
from reliability_platform.service.dashboard.page import DashboardPage, PageGroup, PageRequest
from reliability_platform.service.dashboard.pages import PAGES
from reliability_platform.service.dashboard.rendering import SECURITY_POLICY, rendered
from reliability_platform.service.dashboard.report_form import offered

HEADERS = {
    "Content-Security-Policy": SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
SAID_OF = {
    404: "There is no such page.",
    405: "This address only takes a form of one of the pages, or only shows a page: begin at the overview.",
}
"""Status of the framework → what a person reads."""
DOCUMENT_POLICY = f"{web.POLICY}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
"""Of a document that brings its own style."""
STATIC = Path(str(files("reliability_platform.service.dashboard"))) / "static"
MENU = [(group.value, [one for one in PAGES if one.group is group and one.in_navigation]) for group in PageGroup]


def mount_dashboard(app: Starlette, ground: Ground) -> None:
    """Let an app show the dashboard at `/ui`, to which `/` leads."""

    async def lead(request: Request) -> Response:
        return RedirectResponse(f"{_root(request)}{DASHBOARD}/", 307, HEADERS)

    app.router.routes += [Route("/", lead), Route(DASHBOARD, lead), Mount(DASHBOARD, _Dashboard(ground).app())]


async def _palette(_request: Request) -> Response:
    return Response(variables(":root"), media_type="text/css", headers={"X-Content-Type-Options": "nosniff"})


class _Dashboard:
    """The dashboard of one home."""

    def __init__(self, ground: Ground) -> None:
        self._ground, self._entrance = ground, Entrance(ground)

    def app(self) -> Starlette:
        """All routes."""
        return Starlette(
            routes=[
                Mount("/static", StaticFiles(directory=STATIC)),
                Route("/palette.css", _palette),
                Route("/status-page", self._status_page),
                Route("/sign-in", self._sign_in, methods=["GET", "POST"]),
                Route("/sign-out", self._sign_out, methods=["POST"]),
                *(Route(f"/{one.path}", self._act(one), methods=["POST"]) for one in ACTS),
                *(Route(f"/{page.path}", self._endpoint(page), name=page.template) for page in PAGES),
            ],
            exception_handlers={HTTPException: self._on_http, Exception: self._on_fault},
        )

    def _endpoint(self, page: DashboardPage) -> Callable[[Request], Awaitable[Response]]:
        def answer(request: Request) -> Response:
            caller = self._entrance.caller(request)
            if caller is None:
                return RedirectResponse(f"{_root(request)}/sign-in", 303, HEADERS)
            if not may(caller.role, page.act):
                return self._trouble(request, 403, _refused(caller, page.act))
            ground = self._ground
            asked = PageRequest(ground.settings, ground.engine, utc_now(), request.query_params, request.path_params)
            try:
                view = page.view(asked)
                view.refuse_beyond_the_end()
                return self._answer(request, page.template, page=page, view=view, report=offered(asked, view))
            except UsageError as error:
                return self._trouble(request, 404 if "{" in page.path else 422, str(error))
            except PlatformError as error:
                return self._trouble(request, 503, str(error))

        async def in_a_thread(request: Request) -> Response:
            return await run_in_threadpool(answer, request)

        return in_a_thread

    async def _status_page(self, request: Request) -> Response:
        """The page for whoever reads the data, as things stand: it has a style and a policy of its own."""
        caller, ground = self._entrance.caller(request), self._ground
        if caller is None:
            return RedirectResponse(f"{_root(request)}/sign-in", 303, HEADERS)
        try:
            blocks = await run_in_threadpool(status_blocks, ground.engine, utc_now())
        except PlatformError as error:
            return self._trouble(request, 503, str(error))
        return HTMLResponse(web.page(blocks), headers=HEADERS | {"Content-Security-Policy": DOCUMENT_POLICY})

    def _act(self, act: DashboardAct) -> Callable[[Request], Awaitable[Response]]:
        def answer(request: Request, fields: dict[str, str]) -> Response:
            caller = self._entrance.caller(request)
            if caller is None:
                return RedirectResponse(f"{_root(request)}/sign-in", 303, HEADERS)
            if not may(caller.role, act.act):
                return self._trouble(request, 403, _refused(caller, act.act))
            try:
                shown = act.do(SentForm(self._ground, caller, utc_now(), request.path_params, fields))
            except UsageError as error:
                return self._trouble(request, 422 if isinstance(error, FormError) else 409, str(error))
            except PlatformError as error:
                return self._trouble(request, 503, str(error))
            return RedirectResponse(f"{_root(request)}/{shown}", 303, HEADERS)

        async def in_a_thread(request: Request) -> Response:
            try:
                fields = await self._entrance.fields(request)
            except UsageError as error:
                return self._trouble(request, 403, str(error))
            return await run_in_threadpool(answer, request, fields)

        return in_a_thread

    async def _sign_in(self, request: Request) -> Response:
        said = ""
        if request.method == "POST":
            try:
                return self._entrance.sign_in(
                    request, (await self._entrance.fields(request)).get("token", ""), _root(request)
                )
            except UsageError as error:
                said = str(error)
        return self._answer(request, "sign_in", 401 if said else 200, page=None, message=said)

    async def _sign_out(self, request: Request) -> Response:
        try:
            await self._entrance.fields(request)
        except UsageError as error:
            return self._trouble(request, 403, str(error))
        return self._entrance.sign_out(_root(request))

    async def _on_http(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        said = SAID_OF.get(error.status_code, str(error.detail))
        return self._trouble(request, error.status_code, said)

    async def _on_fault(self, request: Request, error: Exception) -> Response:
        return self._trouble(request, 500, f"A fault of the platform: {error_text(error)}. Nothing is lost.")

    def _answer(self, request: Request, template: str, code: int = 200, **names: Any) -> Response:
        caller = self._entrance.caller(request)
        text = rendered(
            template,
            root=_root(request),
            menu=MENU,
            installation=self._ground.settings.installation,
            form_token=self._entrance.form_token(request),
            signed_in=COOKIE in request.cookies,
            allowed=[] if caller is None else [one.name for one in Act if may(caller.role, one)],
            **{"report": None, **names},
        )
        return HTMLResponse(text, code, HEADERS)

    def _trouble(self, request: Request, status: int, message: str) -> Response:
        return self._answer(request, "trouble", status, page=None, message=message, status=status)


def _refused(caller: Caller, act: Act) -> str:
    return f"{caller.name} is {caller.role.value}, and it takes {LEAST_ROLE[act].value} to {act.value}."


def _root(request: Request) -> str:
    """What stands before the paths of this app, as a proxy or the app in which it is mounted says."""
    return str(request.scope.get("root_path", "")).rstrip("/")
