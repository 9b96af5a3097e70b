"""Uploaded files: a dump is one JSON object, an exported session is lines of it, a /proc text is neither."""

from __future__ import annotations

from typing import IO, Any, Final

from app import slicedjson
from app.errors import BadArgument
from app.ftrace.lines import is_log
from app.machine import proctext
from app.slicedjson import NotJson
from app.web import wording
from app.web.language import _

# An exported session names itself in the first bytes of its first line.
LOOKED_AT: Final = 4096


def machine_of(file: IO[bytes], limit: int) -> dict[str, Any] | None:
    """A machine as `Sessions.create` takes it, from a dump or a /proc text. Raises BadArgument.

    None where the file is an exported session, which is read line by line. limit: bytes of a dump, for all of
    it is in memory at once.
    """
    file.seek(0)
    start = file.read(LOOKED_AT).lstrip()
    file.seek(0)
    if is_export(start):
        return None
    if not start:
        raise BadArgument.at("file", _("this file is empty"))
    content = file.read(limit + 1)
    if len(content) > limit:
        raise BadArgument.at(
            "file",
            _(
                "this is no exported session, and a dump has at most %(limit)s bytes",
                limit=wording.count(limit),
            ),
        )
    if not start.startswith(b"{"):
        text = content.decode(errors="replace")
        if proctext.is_text(text) or is_log(text):
            return {"proc": text}
    try:
        document = slicedjson.loads(content)
    except NotJson as error:
        place = "file" if error.line is None else ("line", error.line)
        raise BadArgument.at(place, not_json(str(error))) from None
    if not isinstance(document, dict):
        raise BadArgument.at("file", _("a dump is one JSON object"))
    if "kernel" not in document:
        raise BadArgument.at("file", _("this is neither a dump of a machine nor an exported session"))
    return {"dump": document}


def not_json(why: str) -> str:
    """Refuse a file that is not JSON. why: what the reader of JSON says."""
    return _("this file is not JSON: %(why)s", why=why)


def is_export(start: bytes) -> bool:
    """Whether a file begins as `GET …/export` writes it."""
    return start.startswith(b"{") and b'"kmemlab"' in start[:64]
