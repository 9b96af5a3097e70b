"""What can be created and called: the same for everyone and for every session."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, httpfile, models
from app.api.lab_requests import absolute
from app.api.parameters import KernelVersion, Mask
from app.api.requests import BASE, answer
from app.errors import BadArgument
from app.machine import boot, gfp_text, oldmasks
from app.machine.entry import CALLS
from app.machine.vocabulary import CONTEXTS, SYSCTLS, Arg, CallSpec
from app.mm import gfp
from app.mm.slab import SLAB_FLAGS

router = APIRouter(tags=["reference"])

KNOWN_BITS: Final = reduce(or_, (flag.value for flag in gfp.NAMES))
LECTURE_NAMES: Final = {flag.name: flag.lecture for flag in gfp.NAMES if flag.lecture}


@router.get(
    "/profiles", **docs.operation("list_profiles", "Machines that can be created", docs.ok(models.Profiles))
)
async def profiles() -> Response:
    """Each with what its overrides may be."""
    return answer({"profiles": boot.profiles()})


@router.get("/calls", **docs.operation("list_calls", "Every call", docs.ok(models.Calls)))
async def calls() -> Response:
    """Arguments, C prototype, where the kernel has it, and the lecture's name."""
    return answer(
        {
            "calls": [call(spec) for spec in CALLS.values()],
            "contexts": CONTEXTS,
            "sysctls": list(SYSCTLS),
            "slab_flags": {name: f"{value:#x}" for name, value in SLAB_FLAGS.items()},
        }
    )


@router.get("/calls.http", **docs.operation("http_file", "Every call, for editors", docs.HTTP_FILE))
async def calls_http(request: Request) -> Response:
    """Requests with variables, as VS Code's REST Client sends them.

    There is one for each call, in an order in which each is done, and for what is read most.
    """
    text = httpfile.http_file(absolute(request, ""), lab=request.app.state.settings.lab)
    return Response(text, media_type="text/plain")


def call(spec: CallSpec) -> dict[str, Any]:
    """One call, and where to POST it."""
    return {
        "name": spec.name,
        "args": [argument(arg) for arg in spec.args],
        "prototype": spec.prototype,
        "source": spec.source,
        "group": spec.group,
        "doc": spec.doc,
        "lecture": spec.lecture,
        "allocates": spec.repeats,
        "frees": spec.frees,
        "wants": spec.wants,
        "path": f"{BASE}/sessions/{{id}}/{spec.name}",
    }


def argument(arg: Arg) -> dict[str, Any]:
    """One argument of it."""
    return {
        "name": arg.name,
        "kind": arg.kind,
        "c_type": arg.c_type,
        "doc": arg.doc,
        "required": arg.required,
        "default": arg.default,
    }


@router.get("/gfp", **docs.operation("decode_gfp", "A mask decoded, or every flag", docs.ok(models.Gfp)))
async def decode(mask: Mask = None, kernel: KernelVersion = None) -> Response:
    """A number as names, names as a number, in the spelling of 6.1 and of the lecture.

    Other kernels numbered the flags otherwise. `readings` says what the number of a log means in 6.1 and in
    the `kernel` that printed it; without one, in those that are likely to have.
    """
    if mask is None:
        return answer({"flags": [flag(one) for one in gfp.NAMES], "lecture": hexadecimals(gfp_text.LECTURE)})
    try:
        given = oldmasks.read(mask)
    except BadArgument as error:
        raise error.under("query", "mask") from None
    try:
        version = None if kernel is None else oldmasks.version_of(kernel)
    except BadArgument as error:
        raise error.under("query", "kernel") from None
    return answer({**decoded(given.value), "readings": list(map(reading, oldmasks.readings(given, version)))})


def decoded(value: int) -> dict[str, Any]:
    """One mask. names: as printk's %pGg writes it. lecture: the same with the names of the 3.x kernels."""
    names = gfp.pGg(value) or "0x0"
    return {
        "mask": f"{value:#x}",
        "value": value,
        "names": names,
        "lecture": "|".join(LECTURE_NAMES.get(name) or name for name in names.split("|")),
        "flags": [flag(one) for one in gfp.NAMES if one.value & value == one.value],
        "unknown": f"{value & ~KNOWN_BITS:#x}",
    }


def reading(one: oldmasks.Reading) -> dict[str, Any]:
    """What a mask means to one kernel."""
    return {
        "kernel": one.kernel,
        "mask": f"{one.mask:#x}",
        "names": one.names,
        "unknown": f"{one.unknown:#x}",
        "now": f"{one.now:#x}",
        "now_names": gfp.pGg(one.now) or "0x0",
        "likely": one.likely,
    }


def flag(one: gfp.GfpName) -> dict[str, Any]:
    """A name of a mask, with what it is good for."""
    return {
        "name": one.name,
        "mask": f"{one.value:#x}",
        "value": one.value,
        "kind": one.kind,
        "doc": one.doc,
        "lecture": one.lecture,
    }


def hexadecimals(values: dict[str, int]) -> dict[str, str]:
    """Masks as people write them."""
    return {name: f"{value:#x}" for name, value in values.items()}
