"""The person who sent a request, their cookies, and the public address of this server."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from app.cookies import cookie_in, cookie_name, mark_name, over_tls
from app.labs import Labs, Person, SignedIn, person_of
from app.labs.authentication import DAYS_SIGNED_IN, DAYS_VALID
from app.sessions import Principal, Sessions, principal_of
from app.settings import Settings
from app.web.recipes import Api

A_DAY = 24 * 3600


def labs_of(request: Request) -> Labs:
    """The use cases of labs."""
    labs: Labs = request.app.state.labs
    return labs


def sessions_for(request: Request) -> tuple[Sessions, Principal]:
    """The sessions, and the principal for whom they are read and called."""
    return request.app.state.sessions, principal_of(request.scope)


def requester(request: Request) -> Person:
    """The person who sent a request, where only known persons can."""
    return person_of(request.scope)


def requester_if_known(request: Request) -> Person | None:
    """The person who sent a request; None for a visitor who is not signed in."""
    person: Person | None = request.scope["state"]["person"]
    return person


def public_address(request: Request) -> str:
    """The address of this server for others, without a slash at the end."""
    settings: Settings = request.app.state.settings
    return (settings.public_url or str(request.base_url)).rstrip("/")


def api_of(request: Request, session_id: str) -> Api:
    """The address of a session in the API, as a terminal finds it."""
    return Api(f"{public_address(request)}/api/v1/sessions/{session_id}", labs_of(request).enabled)


def set_token_cookie(request: Request, response: Response, entered: SignedIn) -> Response:
    """Give the browser the cookie with which it comes back."""
    settings: Settings = request.app.state.settings
    days = DAYS_SIGNED_IN if entered.person.kind == "instructor" else DAYS_VALID["cookie"]
    response.set_cookie(
        cookie_name(settings),
        entered.secret,
        max_age=int(days * A_DAY),
        path="/",
        httponly=True,
        samesite="lax",
        secure=over_tls(settings),
    )
    return response


def browser_mark(request: Request) -> str | None:
    """The cookie that says that an instructor has signed in from this browser before."""
    return cookie_in(request.scope["headers"], mark_name(request.app.state.settings))


async def remember_browser(request: Request, response: Response, person: Person) -> Response:
    """Mark the browser, so that strangers' wrong passwords do not hold up this instructor here."""
    settings: Settings = request.app.state.settings
    mark = await labs_of(request).authentication.mark(person, browser_mark(request))
    if mark is not None:
        response.set_cookie(
            mark_name(settings),
            mark,
            max_age=int(DAYS_VALID["known"] * A_DAY),
            path="/",
            httponly=True,
            samesite="lax",
            secure=over_tls(settings),
        )
    return response


def client_address(request: Request) -> str:
    """The address that a request came from, as far as the server sees; behind a proxy that is the proxy."""
    return "" if request.client is None else request.client.host


def clear_token_cookie(request: Request, response: Response) -> Response:
    """Remove the cookie, and have the browser forget what it has been shown."""
    settings: Settings = request.app.state.settings
    response.delete_cookie(
        cookie_name(settings), path="/", httponly=True, samesite="lax", secure=over_tls(settings)
    )
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def token_of(request: Request) -> str | None:
    """The token that the browser has."""
    return cookie_in(request.scope["headers"], cookie_name(request.app.state.settings))
