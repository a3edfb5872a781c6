"""Who looks, in a browser: the token of `reliability tokens` in a cookie, or, before there is any token, whoever is at the machine.

A cookie is sent by every page that makes the browser ask. So it goes to no other site's forms (`SameSite`), no script reads
it (`HttpOnly`), and each form of ours carries a token that only our own pages know.
"""

import hashlib
import hmac
import secrets
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from reliability_platform.clock import utc_now
from reliability_platform.errors import UsageError
from reliability_platform.service.access.roles import Role
from reliability_platform.service.access.tokens import ApiTokens
from reliability_platform.service.api.access import Caller, Ground

COOKIE = "reliability_token"
COOKIE_SECONDS = 12 * 3600
"""A working day: then the token is asked for again."""
FIELD = "form_token"
"""The field of a form that carries what only our own pages know."""


class Entrance:
    """The way into the dashboard of one app."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._secret = secrets.token_bytes(32)

    def caller(self, request: Request) -> Caller | None:
        """Who looks; None for whoever must show a token first."""
        tokens, shown = ApiTokens(self._ground.engine), request.cookies.get(COOKIE)
        found = None if shown is None else tokens.of(shown, utc_now())
        if found is not None:
            return Caller(found.name, found.role)
        if self._ground.tokens_needed or tokens.any_made():
            return None
        return Caller(self._ground.at_the_machine, Role.ADMIN)

    def form_token(self, request: Request) -> str:
        """What a form that this browser is shown must carry."""
        said = request.cookies.get(COOKIE, "").encode()
        return hmac.new(self._secret, said, hashlib.sha256).hexdigest()

    async def fields(self, request: Request) -> dict[str, str]:
        """What a form of ours was filled in with. Raises `UsageError` for one that was not sent from our own page."""
        said = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
        fields = {name: values[-1] for name, values in said.items()}
        if not hmac.compare_digest(fields.pop(FIELD, "").encode(), self.form_token(request).encode()):
            raise UsageError("This form is older than the server or comes from another page: open the page anew.")
        return fields

    def sign_in(self, request: Request, token: str, root: str) -> Response:
        """Keep a token that is valid in the browser. Raises `UsageError` for any other."""
        if ApiTokens(self._ground.engine).of(token.strip(), utc_now()) is None:
            raise UsageError(
                "The token is not known, has expired or was revoked: `reliability tokens list` says which are valid."
            )
        response = RedirectResponse(f"{root}/", 303)
        response.set_cookie(
            COOKIE,
            token.strip(),
            max_age=COOKIE_SECONDS,
            path=f"{root}/",
            secure=self._is_encrypted(request),
            httponly=True,
            samesite="lax",
        )
        return response

    def _is_encrypted(self, request: Request) -> bool:
        """Whether the browser came by TLS: to us, or to the proxy that `RELIABILITY_API_URL` names."""
        public = urlsplit(self._ground.settings.api_url)
        by_proxy = public.scheme == "https" and request.url.hostname == public.hostname
        return by_proxy or request.url.scheme == "https"

    def sign_out(self, root: str) -> Response:
        """Take the token out of the browser."""
        response = RedirectResponse(f"{root}/sign-in", 303)
        response.delete_cookie(COOKIE, path=f"{root}/", httponly=True, samesite="lax")
        return response
