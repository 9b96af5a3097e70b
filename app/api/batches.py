"""Many calls in one body: JSON, one JSON object a line, or one line of text a call.

All three become the same list of items. Where a fault is reported depends on the form: `["calls", 3, "gfp"]`
in the two JSON forms, `["line", 4]` in text, where a person looks for a line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from app.api.bodies import JSON, NDJSON, TEXT, as_object, decoded, loads, refuse_others
from app.api.problems import HttpRefusal
from app.errors import BadArgument, Fault, Faults
from app.machine.calltext import Malformed, Reader
from app.sessions import BatchItem

# In the forms of lines some are blank, or comments.
LINES_A_CALL: Final = 10


@dataclass(slots=True)
class Batch:
    """The calls of one body."""

    items: list[BatchItem] = field(default_factory=list)
    counters: bool = False
    # For text, the line on which each call stands.
    lines: list[int] = field(default_factory=list)

    def located(self, error: BadArgument) -> BadArgument:
        """Faults of `calls`, where the reader of a text looks for them."""
        if not self.lines:
            return error
        return BadArgument(*(self._located(fault) for fault in error.faults), more=error.more)

    def _located(self, fault: Fault) -> Fault:
        match fault.loc:
            case ("calls", int(index), *rest):
                return on_line(self.lines[index], fault.at(tuple(rest)))
            case _:
                return fault


def read_batch(form: str, body: bytes, most: int) -> Batch:
    """A batch of at most so many calls from a body of that media type.

    Raises HttpRefusal and Malformed (400), BadArgument (422).
    """
    if form != JSON and body.count(b"\n") > most * LINES_A_CALL:
        raise BadArgument.at("calls", f"from 1 to {most} calls, in at most {most * LINES_A_CALL} lines")
    batch = READERS[form](body, most)
    check_number(len(batch.items), most)
    return batch


def check_number(calls: int, most: int) -> None:
    """Raises BadArgument where there are too few or too many calls."""
    if not 1 <= calls <= most:
        raise BadArgument.at("calls", f"from 1 to {most} calls")


def from_json(body: bytes, most: int) -> Batch:
    """`{"calls": […]}`."""
    document = as_object(loads(body))
    faults = refuse_others(document, "calls", "counters")
    if not isinstance(document.get("calls"), list):
        faults.add("calls", "required: a list of calls")
    if not isinstance(document.get("counters", False), bool):
        faults.add("counters", "true or false")
    faults.check()
    check_number(len(document["calls"]), most)
    return Batch(items_of(document["calls"]), document.get("counters", False))


def from_ndjson(body: bytes, most: int) -> Batch:
    """One call a line; blank lines are passed over."""
    calls: list[Any] = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if line.strip():
            calls.append(loads(line, "line", number))
            check_number(len(calls), most)
    return Batch(items_of(calls))


def items_of(calls: list[Any]) -> list[BatchItem]:
    """Calls from JSON. Faults in all of them are collected."""
    faults = Faults()
    items: list[BatchItem] = []
    for index, call in enumerate(calls):
        try:
            items.append(item_of(call))
        except BadArgument as error:
            faults.extend(error.under("calls", index))
    faults.check()
    return items


def item_of(call: Any) -> BatchItem:
    """`{"call": "alloc_pages", "as": "p", …}`, of which the arguments are left."""
    body = as_object(call)
    name, as_name = body.pop("call", None), body.pop("as", None)
    if not isinstance(name, str):
        raise BadArgument.at("call", "required: the name of a call, as GET /api/v1/calls lists them")
    if as_name is not None and not isinstance(as_name, str):
        raise BadArgument.at("as", "a name for the result")
    return BatchItem(name, body, as_name)


def from_text(body: bytes, most: int) -> Batch:
    """The console's language, which takes lines of C. Every line at fault is named."""
    text = decoded(body)
    batch, faults, malformed = Batch(), Faults(), False
    reader = Reader()
    for number, line in enumerate([*text.split("\n"), None], 1):
        try:
            for call in reader.finish() if line is None else reader.read(number, line):
                batch.items.append(BatchItem(str(call.name), call.body, call.as_name))
                batch.lines.append(reader.begun)
        except BadArgument as error:
            malformed = malformed or isinstance(error, Malformed)
            located = (on_line(reader.begun, fault) for fault in error.faults)
            faults.extend(BadArgument(*located, more=error.more))
        if len(batch.items) > most:
            break
    if malformed:
        raise unreadable(faults)
    faults.check()
    if reader.declares and not batch.items:
        raise BadArgument.at("calls", "nothing is called here: a declaration alone changes nothing")
    return batch


def unreadable(faults: Faults) -> HttpRefusal:
    """The refusal of a text of which some lines are no calls."""
    words = "; ".join(f"line {fault.loc[1]}: {fault.msg}" for fault in faults.first)
    return HttpRefusal(400, f"{words}; and {faults.more:,} more" if faults.more else words, *faults.first)


def on_line(number: int, fault: Fault) -> Fault:
    """The same fault, with the field's name moved from the place to the message."""
    name = ".".join(map(str, fault.loc))
    return fault.at(("line", number), f"{name}: {fault.msg}" if name else fault.msg)


READERS: Final = {JSON: from_json, NDJSON: from_ndjson, TEXT: from_text}
