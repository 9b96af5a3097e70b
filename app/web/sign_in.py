"""Joining and signing in: by code and nickname, by name and password, or by a personal link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.labs import Person
from app.sessions import Conflict, Forbidden, NotFound, TooMany
from app.web.contexts.base import ErrorPage, FieldFault, Link, ShownRefusal
from app.web.contexts.lab import ConfirmPage, EnterPage, JoinPage, SetUpPage, SignedIn, SignInPage
from app.web.fields import again
from app.web.language import N_, _
from app.web.preferences import local_path
from app.web.refusals import TURNED_AWAY, refusal_of, status_of
from app.web.render import respond
from app.web.requester import (
    browser_mark,
    clear_token_cookie,
    client_address,
    labs_of,
    remember_browser,
    requester,
    requester_if_known,
    set_token_cookie,
    token_of,
)
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form()]

NO_LAB: Final = N_("no lab has this code, or not any more: copy it from the board again, or ask")
USED_UP: Final = N_(
    "A link like this works once, and for some days. This one has been used, has expired, or was never made."
)


# -- students ----------------------------------------------------------------------------------------------


@router.get("/join")
async def join_page(request: Request, back: str = "/", code: str = "") -> Response:
    """Show the form with code and nickname; everybody comes here who is not signed in."""
    if code.strip():
        return await join_link(request, code)
    return await joining(request, {}, back)


@router.get("/join/{code}")
async def join_link(request: Request, code: str) -> Response:
    """Show the form with the code of the board filled in. A member of that lab is led on."""
    try:
        lab = await labs_of(request).authentication.lab_of_code(code)
    except (NotFound, Conflict) as error:
        return await joining(request, {"code": code[:32]}, "/", error)
    person = requester_if_known(request)
    if person is not None and person.lab == lab.id:
        return RedirectResponse(f"/labs/{lab.id}", 303)
    return await joining(request, {"code": code[:32]}, "/", lab=lab.title)


@router.post("/join")
async def join(request: Request, code: Text = "", nickname: Text = "", back: Text = "/") -> Response:
    """Join a lab. Sent twice, it makes one member: the second answer has the first one's cookie."""
    labs, person = labs_of(request), requester_if_known(request)
    require_lab_mode(request)
    try:
        if person is not None:
            lab = await labs.authentication.lab_of_code(code)
            if person.lab == lab.id:
                return RedirectResponse(f"/labs/{lab.id}", 303)
            if person.kind == "instructor":
                raise Conflict(_("you are signed in as an instructor: join as a student in a private window"))
        entered, lab = await labs.authentication.join(code, nickname)
    except TURNED_AWAY as error:
        return await joining(request, {"code": code, "nickname": nickname}, back, error)
    if person is not None and (token := token_of(request)) is not None:
        await labs.authentication.leave(token)
    return set_token_cookie(request, RedirectResponse(f"/labs/{lab.id}", 303), entered)


async def joining(
    request: Request,
    typed: Mapping[str, str],
    back: str,
    error: Exception | None = None,
    lab: str | None = None,
) -> Response:
    """Make the page, with why the form was refused."""
    require_lab_mode(request)
    page = JoinPage(
        shell=shell_of(request, "/join"),
        title=_("Join a lab"),
        typed=again(typed),
        lab=lab,
        back=local_path(back),
        inside=inside(request),
        refusal=None if error is None else turned_away(error, _("You are not in yet")),
    )
    return answered(page, error)


# -- instructors -------------------------------------------------------------------------------------------


@router.get("/signin")
async def sign_in_page(request: Request, back: str = "/labs") -> Response:
    """Show the form with name and password."""
    return signing_in(request, "", back)


@router.post("/signin")
async def sign_in(request: Request, name: Text = "", password: Text = "", back: Text = "/labs") -> Response:
    """Sign in an instructor, and go on to where they wanted to go."""
    require_lab_mode(request)
    try:
        entered = await labs_of(request).authentication.sign_in(
            name, password, address=client_address(request), mark=browser_mark(request)
        )
    except TURNED_AWAY as error:
        return signing_in(request, name, back, error)
    to = local_path(back)
    response = set_token_cookie(request, RedirectResponse("/labs" if to == "/" else to, 303), entered)
    return await remember_browser(request, response, entered.person)


def signing_in(request: Request, name: str, back: str, error: Exception | None = None) -> Response:
    """Make the page, with why the form was refused."""
    require_lab_mode(request)
    page = SignInPage(
        shell=shell_of(request, "/signin"),
        title=_("Sign in"),
        typed=again({"name": name}),
        back=local_path(back),
        refusal=None if error is None else turned_away(error, _("You are not signed in")),
    )
    return answered(page, error)


@router.get("/setup/{secret}")
async def set_up_page(request: Request, secret: str) -> Response:
    """Show the form of a new account, from a link of the server or of another instructor."""
    if not await labs_of(request).authentication.invited(secret):
        return used_up(request, Link(_("Sign in"), "/signin"))
    return setting_up(request, secret, "")


@router.post("/setup/{secret}")
async def set_up(request: Request, secret: str, name: Text = "", password: Text = "") -> Response:
    """Make an account; that uses up the link."""
    try:
        entered = await labs_of(request).authentication.set_up(secret, name, password)
    except NotFound:
        return used_up(request, Link(_("Sign in"), "/signin"))
    except TURNED_AWAY as error:
        return setting_up(request, secret, name, error)
    response = set_token_cookie(request, RedirectResponse("/labs", 303), entered)
    return await remember_browser(request, response, entered.person)


def setting_up(request: Request, secret: str, name: str, error: Exception | None = None) -> Response:
    """Make the page, with why the form was refused."""
    page = SetUpPage(
        shell=shell_of(request),
        title=_("Set up an instructor"),
        typed=again({"name": name}),
        action=f"/setup/{secret}",
        refusal=None if error is None else turned_away(error, _("No account was made")),
    )
    return answered(page, error)


# -- both --------------------------------------------------------------------------------------------------


@router.get("/enter/{secret}")
async def enter_page(request: Request, secret: str) -> Response:
    """Show a personal link. Looking changes nothing: a chat that shows a preview must not sign in."""
    person = await labs_of(request).authentication.enters(secret)
    if person is None:
        return used_up(request, Link(_("Join with a code"), "/join"))
    page = EnterPage(
        shell=shell_of(request),
        title=_("Come in as %(name)s", name=person.name),
        name=person.name,
        action=f"/enter/{secret}",
        inside=None if is_same(requester_if_known(request), person) else inside(request),
    )
    return respond(page)


@router.post("/enter/{secret}")
async def enter(request: Request, secret: str) -> Response:
    """Sign in on this device by a personal link."""
    try:
        entered = await labs_of(request).authentication.enter(secret)
    except NotFound:
        return used_up(request, Link(_("Join with a code"), "/join"))
    return set_token_cookie(request, RedirectResponse(f"/labs/{entered.person.lab}", 303), entered)


@router.get("/signout")
async def confirm_sign_out(request: Request) -> Response:
    """Ask before a member signs out: there is no password with which to come back."""
    if requester(request).waiting:
        return confirm_leave(request)
    return respond(
        ConfirmPage(
            shell=shell_of(request, "/"),
            title=_("Sign out of this browser?"),
            words=[
                _("Your machines stay in the lab, but a nickname and a code make a new member, not you."),
                _("To come back, make a personal link first, and keep it."),
            ],
            action="/signout",
            button=_("Sign out"),
            keep=Link(_("Your keys"), "/me"),
        )
    )


def confirm_leave(request: Request) -> Response:
    """Ask before a member leaves who waits to be admitted."""
    return respond(
        ConfirmPage(
            shell=shell_of(request, "/"),
            title=_("Wait no longer?"),
            words=[_("You give up your place among those who wait. You can join again with the code.")],
            action="/signout",
            button=_("Sign out"),
            keep=Link(_("Go on waiting"), f"/labs/{requester(request).lab}"),
        )
    )


@router.post("/signout")
async def sign_out(request: Request) -> Response:
    """Sign out of this browser."""
    token = token_of(request)
    if token is not None:
        await labs_of(request).authentication.leave(token)
    return clear_token_cookie(request, RedirectResponse("/", 303))


def is_same(one: Person | None, other: Person) -> bool:
    """Whether a person is the one that a link is for."""
    return one is not None and one.id == other.id


def inside(request: Request) -> SignedIn | None:
    """Who this browser is signed in as already."""
    person = requester_if_known(request)
    if person is None:
        return None
    return SignedIn(
        person.name, person.lab is not None, "/labs" if person.lab is None else f"/labs/{person.lab}"
    )


def require_lab_mode(request: Request) -> None:
    """Raise Forbidden in open mode, where nobody signs in."""
    if not labs_of(request).enabled:
        raise Forbidden(_("nobody has to sign in here: in open mode this server is one person’s"))


def turned_away(error: Exception, title: str) -> ShownRefusal:
    """Say why the form was refused, at the field that is at fault."""
    if isinstance(error, NotFound):
        return ShownRefusal(title, [FieldFault("code", _(NO_LAB))])
    return refusal_of(error, title)


def answered(page: JoinPage | SignInPage | SetUpPage, error: Exception | None) -> Response:
    """Respond with a page of this module, with the status that its refusal has."""
    response = respond(page, 200 if error is None else status_of(error))
    if isinstance(error, TooMany):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def used_up(request: Request, way: Link) -> Response:
    """Say that a link no longer works."""
    page = ErrorPage(shell_of(request, "/"), _("This link opens nothing any more"), _(USED_UP), [way])
    return respond(page, 404)
