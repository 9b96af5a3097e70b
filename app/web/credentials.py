"""Tokens and personal links, with which a person comes back, and signing out everywhere."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.sessions import Forbidden
from app.web import qr
from app.web.contexts.base import Link
from app.web.contexts.lab import ConfirmPage, KeysPage, ShownSecret
from app.web.language import _
from app.web.render import respond
from app.web.requester import clear_token_cookie, labs_of, public_address, requester
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)


@router.get("/me")
async def keys(request: Request) -> Response:
    """Show who is signed in, and what they can have made."""
    return await keys_page(request)


@router.post("/me/token")
async def token(request: Request) -> Response:
    """Make a new token for scripts. It is on this page and nowhere else: the server keeps only its hash."""
    person = requester(request)
    secret = await labs_of(request).authentication.renew(person, "script")
    address = f"{public_address(request)}/api/v1/sessions"
    shown = ShownSecret(
        "token",
        secret,
        curl=f"curl -H 'Authorization: Bearer {secret}' {address}",
        python=(
            "import httpx\n"
            f'lab = httpx.Client(headers={{"Authorization": "Bearer {secret}"}})\n'
            f'print(lab.get("{address}").json())'
        ),
    )
    return await keys_page(request, shown)


@router.post("/me/link")
async def link(request: Request) -> Response:
    """Make a new personal link, for another device."""
    secret = await labs_of(request).authentication.renew(requester(request), "entry")
    address = f"{public_address(request)}/enter/{secret}"
    return await keys_page(request, ShownSecret("link", address, picture=qr.data(address)))


@router.post("/me/invitation")
async def invitation(request: Request) -> Response:
    """Make a link with which another instructor can sign up."""
    secret = await labs_of(request).authentication.invite(requester(request))
    return await keys_page(request, ShownSecret("invitation", f"{public_address(request)}/setup/{secret}"))


async def keys_page(request: Request, shown: ShownSecret | None = None) -> Response:
    """Make the page. What it shows once may stay in no cache; its status says that something was made."""
    person = requester(request)
    if person.kind == "local":
        raise Forbidden(_("nobody has to sign in here: in open mode this server is one person’s"))
    lab = export = None
    if person.lab is not None:
        found = await labs_of(request).rooms.get(person, person.lab)
        lab = Link(found.title, f"/labs/{found.id}")
        export = f"/api/v1/labs/{found.id}/members/{person.number}/export"
    page = KeysPage(
        shell=shell_of(request, "/me"),
        title=_("Your keys"),
        name=person.name,
        member=person.kind == "member",
        lab=lab,
        export=export,
        shown=shown,
    )
    return respond(page, 200 if shown is None else 201)


@router.get("/me/leave")
async def confirm_leave(request: Request) -> Response:
    """Ask before a member leaves for good."""
    member = requester(request).kind == "member"
    return respond(
        ConfirmPage(
            shell=shell_of(request, "/me"),
            title=_("Sign out everywhere?"),
            words=[
                _("Every browser, script and personal link of yours is out at once, this browser too."),
                _("Nothing brings you back as the same member. Your machines stay in the lab.")
                if member
                else _("You can sign in again with your password."),
            ],
            action="/me/leave",
            button=_("Sign out everywhere"),
            keep=Link(_("Stay"), "/me"),
        )
    )


@router.post("/me/leave")
async def leave(request: Request) -> Response:
    """Sign out of every browser and script."""
    await labs_of(request).authentication.leave_everywhere(requester(request))
    return clear_token_cookie(request, RedirectResponse("/", 303))


@router.get("/me/token")
@router.get("/me/link")
@router.get("/me/invitation")
async def again() -> Response:
    """Lead on a reload of a page that showed a secret once: it is not shown again."""
    return RedirectResponse("/me", 303)
