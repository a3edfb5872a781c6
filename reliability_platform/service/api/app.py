"""The app: routes under `/v1` and under the paths of old, the guard in front, one document that describes all."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from reliability_platform.operations import operations_engine
from reliability_platform.service.api import acts, launches, reads
from reliability_platform.service.api.access import Ground
from reliability_platform.service.api.examples import EXAMPLES
from reliability_platform.service.api.guard import RequestGuard
from reliability_platform.service.api.meanings import add_meanings
from reliability_platform.service.api.problems import MEDIA_TYPE, Problem, handle_errors
from reliability_platform.service.dashboard.app import mount_dashboard
from reliability_platform.service.hosts import LOOPBACK
from reliability_platform.settings import Settings

VERSION = "1"
PREFIX = f"/v{VERSION}"
DESCRIPTION = """\
What a program asks of the platform, and what it lets it do. Every answer comes from the read layer that the command line
uses, and takes no lease; every act is the one of the command line, and stands on record with the name of the token.

Errors are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problems. Lists are asked for by `limit` and `offset`. Moments
are UTC. Personal data are masked for everybody. Each path stands under `/v1`, and without it as well.
"""


def _routes() -> APIRouter:
    """All routes, made once for all apps of a process: what they depend on is of the app that they are asked by."""
    found = APIRouter()
    for router in (reads.open_to_all, reads.router, acts.router, launches.router):
        found.include_router(router, prefix=PREFIX)
        found.include_router(router, include_in_schema=False)
    return found


ROUTES = _routes()


def create_app(
    settings: Settings, *, tokens_needed: bool, at_the_machine: str, faults: Sequence[str], hosts: Sequence[str] = ()
) -> FastAPI:
    """The app for one home.

    `tokens_needed` lets nobody in without a token; else, until one is made, whoever asks is `at_the_machine`, and may do
    all. `hosts` are names under which it answers besides those of loopback and of `RELIABILITY_API_URL`.
    """
    app = FastAPI(
        title="Reliability Platform",
        version=VERSION,
        description=DESCRIPTION,
        docs_url=None,  # its page would load scripts from a server of somebody else
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
        redirect_slashes=False,
        routes=ROUTES.routes,
    )
    app.state.ground = Ground(settings, operations_engine(settings), tokens_needed, at_the_machine, tuple(faults))
    mount_dashboard(app, app.state.ground)
    handle_errors(app)
    public = (urlsplit(settings.api_url).hostname or "localhost").lower()
    app.add_middleware(
        RequestGuard, hosts=LOOPBACK | {public, *hosts}, requests_per_minute=settings.api_requests_per_minute
    )
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of each operation of an OpenAPI document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _document(app: FastAPI) -> dict[str, Any]:
    """OpenAPI, with the one form of our errors for all of them."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = found["components"]["schemas"]
        add_meanings(schemas)
        schemas["Problem"] = Problem.model_json_schema()
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        faults = list(app.state.ground.faults)
        schemas["FailureAsked"]["properties"]["failure_type"]["enum"] = faults
        problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        for method, path, operation in operations(found):
            example = EXAMPLES[f"{method} {path}"]
            if example.body is not None:
                operation["requestBody"]["content"]["application/json"]["example"] = example.body
            if "422" in operation["responses"]:
                operation["responses"]["422"]["content"] = problem
        app.openapi_schema = found
    return app.openapi_schema
