"""Errors as RFC 9457 problem details: one form for all of them, each with its status and what to do."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from reliability_platform.errors import EnvironmentUnusableError, HomeBusyError, PlatformError, UsageError
from reliability_platform.masking import error_text
from reliability_platform.service.api.asked import what_is_wrong

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What went wrong with a request, as RFC 9457 has it."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    type: str
    """Always `about:blank`: the status says what kind of problem it is."""
    title: str
    """The status in words."""
    status: int
    """The HTTP status."""
    detail: str
    """What is wrong, and what to do about it."""


class ApiError(Exception):
    """A request that is answered with a problem."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers, more


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    """The response of a problem."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(content, status, dict(headers or {}), MEDIA_TYPE)


@contextmanager
def told_as(status: int) -> Iterator[None]:
    """Errors of usage in the block are answered with this status: 404 of a look-up, 409 of what a state does not allow."""
    try:
        yield
    except UsageError as error:
        raise ApiError(status, str(error)) from error


STATUSES: Sequence[tuple[type[PlatformError], int]] = (
    (UsageError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (HomeBusyError, HTTPStatus.SERVICE_UNAVAILABLE),
    (EnvironmentUnusableError, HTTPStatus.SERVICE_UNAVAILABLE),
)
"""What an error of ours is where a route does not say otherwise."""


HTTP_WORDS = {
    404: "There is nothing at this address: /v1/openapi.json lists all there are.",
    405: "This address does not take this method: /v1/openapi.json says which.",
}
"""What is said where no route was found; the framework repeats the status."""


def _of_ours(_: Request, error: Exception) -> JSONResponse:
    status = next((int(code) for kind, code in STATUSES if isinstance(error, kind)), 500)
    return problem(status, str(error), {"Retry-After": "10"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None)


def _of_api(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return problem(error.status, error.detail, error.headers, **error.more)


def _of_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, HTTP_WORDS.get(error.status_code, str(error.detail)), error.headers)


def _of_validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [{"at": ".".join(map(str, one["loc"])), "wrong": what_is_wrong(one)} for one in error.errors()]
    detail = "; ".join(f"{one['at']}: {one['wrong']}" for one in found[:5])
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"The request is not of the form: {detail}.", errors=found)


def _unforeseen(_: Request, error: Exception) -> JSONResponse:
    return problem(500, f"A fault of the platform: {error_text(error)}. Nothing that was finished is lost.")


def handle_errors(app: FastAPI) -> None:
    """Let the app answer every error with a problem."""
    app.add_exception_handler(ApiError, _of_api)
    app.add_exception_handler(PlatformError, _of_ours)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(Exception, _unforeseen)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for its document."""
    schema = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": schema} for status in statuses}
