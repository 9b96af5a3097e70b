"""The fields of a form, read as the JSON arguments of a call.

What a text means for an argument is the text form's matter (`calltext.read`): a field of a form accepts what
the same argument accepts on a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.machine import calltext
from app.machine.vocabulary import Arg, CallSpec

CALLER: Final = ("task", "cpu", "context")
LOOP: Final = ("repeat", "until")
SLICE: Final = ("start", "step", "count")
SHOWN_AGAIN: Final = 50_000
BESIDE_KINDS: Final = {"cpu": "uint", "repeat": "uint", "start": "uint", "step": "uint", "count": "uint"}


def again(typed: Mapping[str, str]) -> dict[str, str]:
    """Cut what was typed to what a form shows again."""
    return {name: text[:SHOWN_AGAIN] for name, text in typed.items()}


def beside(spec: CallSpec) -> tuple[str, ...]:
    """Names of what a call takes beside its own arguments."""
    loops = (LOOP if spec.repeats else ()) + (SLICE if spec.frees else ())
    return (CALLER[1:] if spec.names_task else CALLER) + loops


def body_of(spec: CallSpec, typed: Mapping[str, str]) -> dict[str, Any]:
    """Read the arguments from the fields of a form.

    Raises BadArgument where a field cannot be read at all.
    """
    body: dict[str, Any] = {}
    for arg in spec.args:
        if text := typed.get(arg.name, "").strip():
            body.update(calltext.read(spec, arg.name, arg.kind, text))
    for name in beside(spec):
        if text := typed.get(name, "").strip():
            if name == "until":
                body["until"] = until(text)
            else:
                body.update(calltext.read(spec, name, BESIDE_KINDS.get(name, "word"), text))
    return body


def until(text: str) -> Any:
    """Read `NULL`, or the number of free frames below which to stop."""
    if text.casefold() == "null":
        return "null"
    number = calltext.as_number(text.removeprefix("free").strip(" <"))
    return text if number is None else {"free_below": number}


def line_of(spec: CallSpec, typed: Mapping[str, str]) -> str:
    """Write the same call as a line of text.

    By position up to the first argument left out, by keyword behind it.
    """
    given = {name: text.strip() for name, text in typed.items() if text.strip()}
    words, in_place = [], True
    for arg in spec.args:
        if arg.name not in given or is_default(arg, given[arg.name]):
            in_place = False
            continue
        words.append(given[arg.name] if in_place else f"{arg.name}={given[arg.name]}")
    words += [f"{name}={given[name]}" for name in SLICE if spec.frees and name in given]
    named = f"{given['as']} = " if "as" in given else ""
    return f"{caller(spec, given)}{named}{spec.name}({', '.join(words)}){tail(spec, given)}"


def is_default(arg: Arg, text: str) -> bool:
    """Whether a field says only what the call would do anyway."""
    return not arg.required and text == str(arg.default)


def caller(spec: CallSpec, given: Mapping[str, str]) -> str:
    """Write the caller: `alice@1/softirq: `, without the parts that are usual."""
    task = given.get("task", "init") if "task" in beside(spec) else "init"
    cpu, context = given.get("cpu", "0"), given.get("context", "process")
    text = (
        ("" if task == "init" else task)
        + ("" if cpu == "0" else f"@{cpu}")
        + ("" if context == "process" else f"/{context}")
    )
    return f"{text}: " if text else ""


def tail(spec: CallSpec, given: Mapping[str, str]) -> str:
    """Write the repetition: ` * 1000 until NULL`."""
    if not spec.repeats:
        return ""
    text = f" * {given['repeat']}" if "repeat" in given else ""
    if "until" not in given:
        return text
    stop = given["until"]
    return text + (
        " until NULL"
        if stop.casefold() == "null"
        else f" until free < {stop.removeprefix('free').strip(' <')}"
    )
