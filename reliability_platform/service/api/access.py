"""Who asks: by the token that a request shows, or, on loopback before there is any token, whoever is at the machine."""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Engine

from reliability_platform.clock import utc_now
from reliability_platform.service.access.roles import LEAST_ROLE, Act, Role, may
from reliability_platform.service.access.tokens import ApiTokens
from reliability_platform.service.api.problems import ApiError, problems
from reliability_platform.settings import Settings

BEARER = HTTPBearer(auto_error=False, description="A token of `reliability tokens make`.")


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    name: str
    """As it stands on timelines and in the audit log."""
    role: Role


@dataclass(frozen=True)
class Ground:
    """What the routes stand on; the app keeps one."""

    settings: Settings
    engine: Engine
    tokens_needed: bool
    """Whether nobody is let in without a token, even where none was made yet."""
    at_the_machine: str
    """Who has started the server: whoever asks on loopback before there is a token."""
    faults: tuple[str, ...]
    """The failures that can be simulated, by name."""


def ground(request: Request) -> Ground:
    """Of the app that answers."""
    found: Ground = request.app.state.ground
    return found


OnGround = Annotated[Ground, Depends(ground)]


def _caller(on: Ground, request: Request, shown: HTTPAuthorizationCredentials | None) -> Caller:
    tokens = ApiTokens(on.engine)
    if shown is None:
        # Whoever shows something else means to be somebody, and must not become another one.
        if on.tokens_needed or "authorization" in request.headers or tokens.any_made():
            raise ApiError(
                HTTPStatus.UNAUTHORIZED,
                "Show a token: `Authorization: Bearer …`; `reliability tokens make` makes one.",
                {"WWW-Authenticate": "Bearer"},
            )
        return Caller(on.at_the_machine, Role.ADMIN)
    found = tokens.of(shown.credentials, utc_now())
    if found is None:
        raise ApiError(
            HTTPStatus.UNAUTHORIZED,
            "The token is not known, has expired or was revoked: `reliability tokens list` says which are valid.",
            {"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    return Caller(found.name, found.role)


SEVERAL_TIMES = frozenset({"dataset"})
"""Parameters that may be given more than once."""


def each_parameter_once(request: Request) -> None:
    """A dependency: of two values of one parameter, one would be passed over in silence."""
    given = [name for name, _ in request.query_params.multi_items() if name not in SEVERAL_TIMES]
    twice = next((name for name in given if given.count(name) > 1), None)
    if twice is not None:
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"The parameter {twice[:100]!r} is given more than once: give it once."
        )


def _refuse_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"The body has the field {twice[:100]!r} more than once: give it once."
        )
    return found


async def each_field_once(request: Request) -> None:
    """A dependency: of two values of one field of a body, one would be passed over in silence."""
    with suppress(ValueError):  # what is no JSON is refused as such
        json.loads(await request.body(), object_pairs_hook=_refuse_twice)


def router_of_acts() -> APIRouter:
    """For what changes something: what it may be refused with is declared, and nothing that is said twice is passed over."""
    return APIRouter(
        responses=problems(400, 401, 403, 404, 409, 413, 422, 429, 503),
        dependencies=[Depends(each_parameter_once), Depends(each_field_once)],
    )


def refuse_unless(caller: Caller, act: Act) -> None:
    """Raise `ApiError` for what the role of the caller may not do."""
    if not may(caller.role, act):
        raise ApiError(
            HTTPStatus.FORBIDDEN,
            f"{caller.name} is {caller.role.value}, and it takes a role of {LEAST_ROLE[act].value} to {act.value}.",
        )


def allowed(act: Act) -> Callable[..., Caller]:
    """A dependency: the caller, if he may."""

    def asked_by(
        on: OnGround, request: Request, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
    ) -> Caller:
        caller = _caller(on, request, shown)
        refuse_unless(caller, act)
        return caller

    return asked_by


Viewer = Annotated[Caller, Depends(allowed(Act.LOOK))]
