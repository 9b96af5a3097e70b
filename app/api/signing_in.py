"""Joining, signing in and signing out.

What is answered here holds a secret, and a secret is kept nowhere: so none of these answers is stored to be
given again. Only joining may be repeated under a key, for it makes a member. What is kept of it is who that
was; each time they get a new token, and the last one ends.
"""

from __future__ import annotations

import hashlib

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, lab_answers, lab_docs
from app.api.bodies import json_object, optional_object
from app.api.fields import STRING, taken
from app.api.idempotency import KEY_FORM, fingerprint, only
from app.api.lab_requests import absolute, labs_of
from app.api.requests import answer
from app.errors import BadArgument
from app.labs import MemberRow
from app.sessions import AlreadyAnswered, IdempotencyKey, Preconditions, Reply

router = APIRouter(tags=["entering"])

# Who knows the key, the code and the nickname comes in as that member: it must not be guessed.
SHORTEST_KEY = 22
JOINING_PRINCIPAL = "joining"


@router.post("/join", **docs.operation("join", "Become a member of a lab", lab_docs.JOIN, lab_docs.JOIN_KEY))
async def join(request: Request) -> Response:
    """By the code that stands on the blackboard. Of two with one nickname the later is `Kim (2)`.

    Where the lab has as many members as its instructor expects, you wait to be admitted (`"waiting": true`):
    until `GET /me` says otherwise, everything but that and signing out is 403. Whoever has not asked for a
    minute may lose their place to another.
    """
    labs = labs_of(request)
    given = taken(await json_object(request), {"code": STRING, "nickname": STRING})
    try:
        joined = await labs.authentication.join_by_script(
            given["code"], given["nickname"], await preconditions_of(request)
        )
    except AlreadyAnswered as found:
        joined = await labs.authentication.rejoin(found.reply.body.decode())
    return answer(
        {
            "member": lab_answers.member(joined.member),
            "lab": {"id": joined.lab.id, "title": joined.lab.title},
            "token": joined.token,
            "entry": absolute(request, f"/enter/{joined.entry}"),
        },
        201,
    )


async def preconditions_of(request: Request) -> Preconditions | None:
    """The idempotency key of a join. Neither it nor anything else secret is stored."""
    key = only(request, "idempotency-key")
    if key is None:
        return None
    if not KEY_FORM.fullmatch(key) or len(key) < SHORTEST_KEY:
        raise BadArgument.at(
            ("header", "idempotency-key"),
            f"{SHORTEST_KEY} to 255 visible ASCII characters that nobody can guess, such as a UUID",
        )
    hashed = hashlib.sha256(key.encode()).hexdigest()
    return Preconditions(
        idempotency_key=IdempotencyKey(
            JOINING_PRINCIPAL, hashed, fingerprint(request, await request.body()), joined_member
        )
    )


def joined_member(member: MemberRow) -> Reply:
    """The reply that is stored: nothing but the id of the new member."""
    return Reply(201, (), member.id.encode())


@router.post("/signin", **docs.operation("sign_in", "Sign in as an instructor", lab_docs.SIGN_IN))
async def sign_in(request: Request) -> Response:
    """A token for scripts, beside those that there are. After some failures one has to wait."""
    labs = labs_of(request)
    given = taken(await json_object(request), {"name": STRING, "password": STRING})
    address = "" if request.client is None else request.client.host
    _, token = await labs.authentication.sign_in(given["name"], given["password"], "script", address=address)
    return answer({"token": token}, 201)


@router.post("/signout", **docs.operation("sign_out", "Sign out", lab_docs.SIGN_OUT))
async def sign_out(request: Request) -> Response:
    """The token that this request came with opens nothing any more."""
    labs = labs_of(request)
    taken(await optional_object(request), {})
    await labs.authentication.leave(request.scope["state"]["token"])
    return Response(status_code=204)
