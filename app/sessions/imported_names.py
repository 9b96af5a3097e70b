"""Checks names from an imported file: each must stand for what a call of the machine could return."""

from __future__ import annotations

import re
from typing import Any, Final

from app.errors import BadArgument
from app.machine.calls import JSON_INT_MAX, MAX_REPEAT, NAME, Named
from app.mm.memory_model import MemoryModel
from app.mm.mmzone import MAX_ORDER

NAME_MEMBERS: Final = frozenset(("kind", "pfn", "addr", "order", "runs", "stride"))
# Of a list that a row of the journal has returned, instead of its runs.
LIST_MEMBERS: Final = frozenset(("blocks", "sha256"))
SHA256: Final = re.compile(r"[0-9a-f]{64}")
SEQ_MIN: Final = -(1 << 31)
MEMBER_OF_KIND: Final = {
    "page": "pfn", "addr": "addr", "cache": "addr", "number": "addr", "user": "addr", "pid": "addr",
    "fd": "addr", "pages": "runs", "addrs": "runs",
}  # fmt: skip


def imported_name(name: str, document: Any, model: MemoryModel) -> Named:
    """A name's meaning from its stored form. Raises BadArgument at the member at fault."""
    if not NAME.fullmatch(name):
        raise BadArgument.at("name", "a letter or _, then up to 31 letters, digits, _")
    found = set(document) - {"seq"} if isinstance(document, dict) else set()
    listed = "blocks" in found
    if found - (LIST_MEMBERS if listed else set()) != NAME_MEMBERS or document["kind"] not in list(
        MEMBER_OF_KIND
    ):
        raise BadArgument.at(
            "named", f"{', '.join(sorted(NAME_MEMBERS))}; kind is one of {', '.join(MEMBER_OF_KIND)}"
        )
    value = MEMBER_OF_KIND[document["kind"]]
    for other in ("pfn", "addr", "runs"):
        if other != value and document[other] is not None:
            raise BadArgument.at(other, f"null, since the kind is {document['kind']}")
    if "seq" in document:  # by which call
        check_number(document, "seq", JSON_INT_MAX, SEQ_MIN if listed else 0)
    check_number(document, "order", MAX_ORDER)
    check_number(document, "stride", JSON_INT_MAX)
    if listed:
        check_listed(document, value)
    elif value == "runs":
        check_runs(document["runs"], model, pages=document["kind"] == "pages")
    elif document[value] is not None:
        check_first(value, document[value], model, page=value == "pfn")
    return Named.from_json(document)


def check_number(document: dict[str, Any], key: str, most: int, least: int = 0) -> None:
    """An integer within bounds."""
    value = document[key]
    if type(value) is not int or not least <= value <= most:
        raise BadArgument.at(key, f"a number from {least} to {most}")


def check_listed(document: dict[str, Any], value: str) -> None:
    """A list by the row that has returned it, its length and its hash; whether that is so is seen later."""
    if value != "runs" or document["runs"] is not None or "seq" not in document:
        raise BadArgument.at("runs", "null for a list with blocks and sha256, which has a seq")
    check_number(document, "blocks", MAX_REPEAT)
    sha256 = document.get("sha256")
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
        raise BadArgument.at("sha256", "64 hexadecimal digits")


def check_first(key: str, value: Any, model: MemoryModel, *, page: bool) -> None:
    """A frame that the machine has, or an address that fits into a pointer."""
    if type(value) is int and (model.pfn_valid(value) if page else 0 <= value <= model.ptr_max):
        return
    raise BadArgument.at(key, "a page frame of this machine" if page else "an address")


def check_runs(runs: Any, model: MemoryModel, *, pages: bool) -> None:
    """What a repeated call returned: firsts, and how many blocks from each."""
    if not isinstance(runs, list) or len(runs) > MAX_REPEAT:
        raise BadArgument.at("runs", f"a list of at most {MAX_REPEAT} runs")
    total = 0
    for run in runs:
        if not isinstance(run, list) or len(run) != 2 or type(run[1]) is not int or run[1] < 1:
            raise BadArgument.at("runs", "[first, number of blocks]")
        check_first("runs", run[0], model, page=pages)
        total += run[1]
    if total > MAX_REPEAT:
        raise BadArgument.at("runs", f"at most {MAX_REPEAT} blocks")
