"""`/me`: the caller, and new tokens for them. `/invitations`: an account for one more instructor."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, lab_answers, lab_docs
from app.api.bodies import optional_object
from app.api.fields import taken
from app.api.lab_requests import absolute, labs_of
from app.api.requests import answer
from app.labs import person_of, secret
from app.labs.authentication import DAYS_VALID

router = APIRouter(tags=["entering"])


@router.get("/me", **docs.operation("get_me", "Who you are", lab_docs.ME))
async def me(request: Request) -> Response:
    """By the token that this request came with; in open mode everybody is `local`."""
    person = person_of(request.scope)
    if person.waiting:
        person = await labs_of(request).admission.look(person)
    return answer(lab_answers.me(person))


@router.post("/me/token", **docs.operation("renew_token", "A new token for scripts", lab_docs.RENEW_TOKEN))
async def token(request: Request) -> Response:
    """All your older ones open nothing any more, this request's among them."""
    return answer({"token": await renewed(request, "script")}, 201)


@router.post("/me/entry", **docs.operation("renew_entry", "A new personal link", lab_docs.ENTRY))
async def entry(request: Request) -> Response:
    """It opens a member's place on another device; the older one opens nothing any more."""
    return answer({"entry": absolute(request, f"/enter/{await renewed(request, 'entry')}")}, 201)


async def renewed(request: Request, use: str) -> str:
    """A new secret for the caller."""
    labs = labs_of(request)
    taken(await optional_object(request), {})
    return await labs.authentication.renew(person_of(request.scope), use)


@router.post("/invitations", **docs.operation("invite", "Invite an instructor", lab_docs.INVITE))
async def invite(request: Request) -> Response:
    """A link that makes one account, once."""
    labs = labs_of(request)
    taken(await optional_object(request), {})
    expires = secret.days_from_now(DAYS_VALID["invite"])
    invitation = await labs.authentication.invite(person_of(request.scope))
    return answer({"url": absolute(request, f"/setup/{invitation}"), "expires": expires}, 201)
