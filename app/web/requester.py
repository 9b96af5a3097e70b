"""Who asks, what they may be told, and under which address the world finds this server."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from app.cookies import cookie_in, cookie_name, mark_name, over_tls
from app.labs import Entered, Labs, Person, person_of
from app.labs.entrance import STAYS, STAYS_SIGNED_IN
from app.sessions import Principal, Sessions, principal_of
from app.settings import Settings
from app.web.recipes import Api

A_DAY = 24 * 3600


def labs_of(request: Request) -> Labs:
    """Everything about labs."""
    labs: Labs = request.app.state.labs
    return labs


def sessions_for(request: Request) -> tuple[Sessions, Principal]:
    """The sessions, and the principal for whom they are read and called."""
    return request.app.state.sessions, principal_of(request.scope)


def requester(request: Request) -> Person:
    """Who asks, behind the doors that are open to everybody."""
    return person_of(request.scope)


def requester_if_known(request: Request) -> Person | None:
    """Who asks, where nobody need say so: None for somebody who has not."""
    person: Person | None = request.scope["state"]["person"]
    return person


def public_address(request: Request) -> str:
    """Where others find this server, without a slash at the end."""
    settings: Settings = request.app.state.settings
    return (settings.public_url or str(request.base_url)).rstrip("/")


def api_of(request: Request, session_id: str) -> Api:
    """Where a terminal finds a session."""
    return Api(f"{public_address(request)}/api/v1/sessions/{session_id}", labs_of(request).enabled)


def set_token_cookie(request: Request, response: Response, entered: Entered) -> Response:
    """Give the browser the cookie with which it comes back."""
    settings: Settings = request.app.state.settings
    days = STAYS_SIGNED_IN if entered.person.kind == "instructor" else STAYS["cookie"]
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
    """By what this browser is known to have signed in before."""
    return cookie_in(request.scope["headers"], mark_name(request.app.state.settings))


async def remember_browser(request: Request, response: Response, person: Person) -> Response:
    """Let the browser be known when an instructor signs in there again: strangers will not hold them up."""
    settings: Settings = request.app.state.settings
    mark = await labs_of(request).entrance.mark(person, browser_mark(request))
    if mark is not None:
        response.set_cookie(
            mark_name(settings),
            mark,
            max_age=int(STAYS["known"] * A_DAY),
            path="/",
            httponly=True,
            samesite="lax",
            secure=over_tls(settings),
        )
    return response


def client_address(request: Request) -> str:
    """From where a request came, as far as the server sees; behind a proxy that is the proxy."""
    return "" if request.client is None else request.client.host


def clear_token_cookie(request: Request, response: Response) -> Response:
    """Take the cookie back, and have the browser forget what it has been shown."""
    settings: Settings = request.app.state.settings
    response.delete_cookie(
        cookie_name(settings), path="/", httponly=True, samesite="lax", secure=over_tls(settings)
    )
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def token_of(request: Request) -> str | None:
    """The token that the browser has now."""
    return cookie_in(request.scope["headers"], cookie_name(request.app.state.settings))
