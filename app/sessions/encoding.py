"""What a call has done, as the JSON that is journalled and answered.

The bytes are those of `to_json(outcome_of(…))`: with that form, journals are compared. But most of them are
the same for most calls, or are numbers; so those are written here as text, without a dict in between, and
only what is rare, or may need escaping, goes through `to_json`.

A list that would take more than `LONGEST_LIST` bytes is not written: its value is null, and `<name>_count`
beside it says how long it is (`app.sessions.eventlists` finds it again for readers). So no call, however
many frames it touched, makes a row that is expensive to store, to send and to show.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic_core import to_json

from app.machine import changes
from app.machine.calls import USER_POINTERS, Call
from app.machine.outcome import Outcome, SeenPage
from app.mm.memory_model import MemoryModel

RARE: Final = ("area", "runs", "woken", "deadlock", "cause", "killed")
NONE: Final = (None,) * len(RARE)

# Bytes of JSON that one list of an outcome may take; and which lists there are.
LONGEST_LIST: Final = 16 << 10
LISTS: Final = ("runs", "pfns", "woken", "deadlock", "log", "changed")


def encode(made: Outcome, model: MemoryModel, seq: int, time: str, by: str | None) -> tuple[bytes, bytes]:
    """The arguments alone, as a row keeps them, and the whole outcome."""
    args = arguments(made.call, model)
    ret = made.ret
    return args.encode(), (
        f'{{"seq":{seq},"call":"{made.call.spec.name}","args":{args},'
        f'"ret":{"null" if ret is None else result(ret)},"verdict":"{made.verdict}","time":"{time}",'
        f'"by":{"null" if by is None else text(by)},'
        f"{'' if made.seen is None else page(made.seen)}"
        f"{'' if made.object is None else object_at(made.object)}{rare(made)}"
        f"{'' if made.call.written is None else written(made.call.written)}"
        f"{member('log', made.log) if made.log else LOGGED_NOTHING}{changed(made)}"
        f"{'' if made.parts is None else more(made.beside)}}}"
    ).encode()


LOGGED_NOTHING: Final = '"log":[],'


def member(key: str, value: Any) -> str:
    """A member that may be a list, with the comma behind it; a list that is too long is only counted."""
    if key == "area":
        value = short(value)
    written = text(value)
    if len(written) > LONGEST_LIST and isinstance(value, list):
        return f'"{key}":null,"{key}_count":{len(value)},'
    return f'"{key}":{written},'


def is_counted(value: Any) -> bool:
    """Whether a list is only counted: because it is too long, or has not been made."""
    return value is None or (isinstance(value, list) and len(text(value)) > LONGEST_LIST)


def short(document: Mapping[str, Any]) -> dict[str, Any]:
    """An outcome, or a part of one, in which lists that are too long are only counted."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        found[key] = value
        if key == "area" and value is not None:
            found[key] = short(value)
        elif key in LISTS and value is not None and is_counted(value):
            found |= {key: None, f"{key}_count": document["nr_pages"] if key == "pfns" else len(value)}
    return found


def text(value: Any) -> str:
    """Any JSON value."""
    return to_json(value).decode()


def arguments(call: Call, model: MemoryModel) -> str:
    """A call's arguments. Written once for all the calls of a batch that are the same."""
    if call.text is None:
        call.text = plain(call) or text(call.as_json(model))
    return call.text


def plain(call: Call) -> str:
    """The same where all arguments are pages and numbers; else nothing. Tasks have plain names."""
    if call.repeat is not None or call.until is not None or "addr" in call.args:
        return ""
    members = ""
    for key, value in call.args.items():
        if type(value) is not int or key in USER_POINTERS:
            return ""
        members += f'"{"pfn" if key == "page" else key}":{value},'
    return f'{{{members}"task":"{call.task}","cpu":{call.cpu},"context":"{call.context}"}}'


def result(ret: Any) -> str:
    """What was returned: mostly a pointer. Letters and digits need no escaping."""
    return f'"{ret}"' if type(ret) is str and ret.isalnum() else text(ret)


def page(seen: SeenPage) -> str:
    """The `page` member, as `Outcome.page` has it. Zones have plain names."""
    pfn, order, zone, address, struct_page, refcount = seen
    at = "null" if address is None else f'"{hex(address)}"'
    return (
        f'"page":{{"pfn":{pfn},"order":{order},"zone":"{zone.name}","node":{zone.nid},"address":{at},'
        f'"page":"{hex(struct_page)}","refcount":{refcount}}},'
    )


def object_at(seen: dict[str, Any]) -> str:
    """The `object` member. Addresses need no escaping, and few caches have many objects."""
    address, cache, *numbers = seen.values()
    size, ksize, pfn, index, offset = ["null" if number is None else number for number in numbers]
    return (
        f'"object":{{"address":"{address}","cache":{quoted(cache)},"object_size":{size},"ksize":{ksize},'
        f'"slab_pfn":{pfn},"index":{index},"offset":{offset}}},'
    )


@lru_cache(maxsize=1024)
def quoted(name: str | None) -> str:
    """A name as JSON."""
    return text(name)


def rare(made: Outcome) -> str:
    """The members that few calls of the page allocator have."""
    values = made.area, made.runs, made.woken, made.deadlock, made.cause, made.killed
    if values == NONE:
        return ""
    return "".join([member(key, value) for key, value in zip(RARE, values, strict=True) if value is not None])


def written(names: dict[str, str]) -> str:
    """The member `written`. Names need no escaping."""
    members = [f'"{key}":"{name}"' for key, name in names.items()]
    return f'"written":{{{",".join(members)}}},'


def more(told: dict[str, Any]) -> str:
    """The members of processes, swap and reclaim, behind `changed`; each is short or null already."""
    return f",{text(told)[1:-1]}" if told else ""


def changed(made: Outcome) -> str:
    """The member `changed`, the last one of most calls. States have plain names."""
    if len(made.mentions) == 1:
        pfn, frames, state = made.mentions[0]
        return f'"changed":[[{pfn},{frames},"{state}"]]'
    if not made.mentions:
        return '"changed":[]'
    runs = made.changed
    if runs is None:
        return f'"changed":null,"changed_count":{changes.count_runs(made.mentions)}'
    return f'"changed":{text(runs)}'
