"""The form of a call, made from the call's declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.machine.entry import CALLS
from app.machine.kinds import KINDS
from app.machine.vocabulary import CONTEXTS, Arg, CallSpec
from app.web import fields, recipes
from app.web.address import Address
from app.web.contexts.base import Link, ShownRefusal
from app.web.contexts.callform import CallForm, FieldView
from app.web.language import N_, _
from app.web.recipes import Api

DEFAULT_CALL: Final = "alloc_pages"
NOTHING: Final[Mapping[str, str]] = {}
PREFILLED: Final = ("page", "addr", "order", "cache")

HINTS: Final = {
    "page": N_("a frame (0x4a00), a struct page *, a name (p, p+3) or NULL"),
    "page_or_addr": N_("a frame, an address, a name (p) or NULL"),
    "addr": N_("an address, a name (p) or NULL"),
    "gfp": N_("names joined with |, or a number"),
    "size": N_("bytes; K, M and G are understood"),
    "node": N_("-1 for the CPU’s own"),
    "order": N_("2^order frames"),
    "align": N_("of each object, in bytes"),
}
GROUPS: Final = {
    "pages": N_("Page frames"),
    "references": N_("References"),
    "locks": N_("Page locks"),
    "slab": N_("Slab"),
    "vmalloc": N_("vmalloc"),
    "highmem": N_("HIGHMEM"),
    "modules": N_("Modules"),
    "processes": N_("Processes"),
    "mappings": N_("Mappings"),
    "accesses": N_("Accesses to memory"),
    "files": N_("Files"),
    "system": N_("System"),
}


def call_form(
    here: Address,
    typed: Mapping[str, str],
    refusal: ShownRefusal | None,
    api: Api,
    *,
    numa: bool,
    task: str | None = None,
    start: Mapping[str, str] = NOTHING,
) -> CallForm:
    """Make the form of the call that the address names, filled with what was typed or what the address says.

    task: the task as which the person calls, where it cannot be chosen. start: the call and the values that
    what is shown beside the form suggests.
    """
    spec = CALLS.get(here.call or start.get("call", DEFAULT_CALL), CALLS[DEFAULT_CALL])
    given = typed or prefilled(spec, here, start)
    if task is not None and spec.names_task:
        given = {"task": task, **given}
    views = {name: beside(name, given, refusal) for name in fields.beside(spec)}
    line = fields.line_of(spec, given)
    many = [views[name] for name in (*fields.LOOP, *fields.SLICE) if name in views]
    caller = [views[name] for name in fields.CALLER if name in views and (task is None or name != "task")]
    return CallForm(
        spec=spec,
        action=f"{here.path}/call/{spec.name}",
        fields=[argument(arg, given, refusal) for arg in spec.args],
        caller=caller,
        many=many,
        result=named(given, refusal) if spec.returns.nameable else None,
        picker=picker(spec, here, numa=numa),
        line=line,
        curl=recipes.curl_line(line, api),
        python=recipes.python_line(line, api),
        open_caller=any(
            view.error or view.value not in ("", "init", "0", "process", start.get("task")) for view in caller
        ),
        runs_as=start.get("task"),
        open_many=any(view.error or view.value for view in many),
    )


def prefilled(spec: CallSpec, here: Address, start: Mapping[str, str]) -> dict[str, str]:
    """The values that the form starts with: usual ones, those of what is shown, and those of the address."""
    given = {name: getattr(here, name) for name in PREFILLED if getattr(here, name) is not None}
    values = {arg.name: arg.prefill for arg in spec.args if arg.prefill is not None}
    takes = {arg.name for arg in spec.args} | (set(fields.beside(spec)) & {"task"})
    return {name: value for name, value in {**values, **start, **given}.items() if name in takes}


def argument(arg: Arg, given: Mapping[str, str], refusal: ShownRefusal | None) -> FieldView:
    """Make the input of one argument."""
    choices = KINDS[arg.kind].choices
    return FieldView(
        name=arg.name,
        label=arg.name,
        kind="select" if choices else arg.kind,
        value=given.get(arg.name, ""),
        required=arg.required,
        hint=_(HINTS.get(arg.name, HINTS.get(arg.kind, arg.doc))),
        c_type=arg.c_type,
        choices=choices,
        error=fault(arg.name, arg.kind, refusal),
    )


def fault(name: str, kind: str, refusal: ShownRefusal | None) -> str | None:
    """Say what is wrong with a field. A page may have been refused under the name pfn, page or addr."""
    if refusal is None:
        return None
    forms = (name, "pfn", "page", "addr") if kind in KINDS and KINDS[kind].forms else (name,)
    return next((message for form in forms if (message := refusal.of(form))), None)


BESIDE: Final[dict[str, tuple[str, str, str, str]]] = {
    "task": ("task", "word", "init", N_("who calls: A-Z a-z 0-9 _ -")),
    "cpu": ("cpu", "cpu", "0", N_("on which CPU")),
    "context": ("context", "select", "process", N_("from where")),
    "repeat": ("repeat", "uint", "", N_("how many times")),
    "until": ("until", "word", "", N_("NULL, or free < 1000")),
    "start": ("start", "uint", "", N_("first block of a list")),
    "step": ("step", "uint", "", N_("every how many-th")),
    "count": ("count", "uint", "", N_("how many at most")),
}


def beside(name: str, given: Mapping[str, str], refusal: ShownRefusal | None) -> FieldView:
    """Make the input of something that every call takes beside its arguments."""
    label, kind, default, hint = BESIDE[name]
    choices = CONTEXTS if name == "context" else ()
    value = given.get(name, default)
    return FieldView(
        name, label, kind, value, False, _(hint), choices=choices, error=fault(name, kind, refusal)
    )


def named(given: Mapping[str, str], refusal: ShownRefusal | None) -> FieldView:
    """Make the input for the name of the result."""
    return FieldView(
        "as",
        _("result name"),
        "word",
        given.get("as", ""),
        False,
        _("Use it later: p, or p+3 for its fourth frame"),
        error=fault("as", "word", refusal),
    )


def picker(spec: CallSpec, here: Address, *, numa: bool) -> list[tuple[str, list[Link]]]:
    """List every call by group."""
    groups: dict[str, list[Link]] = {}
    for other in CALLS.values():
        if not numa and other is not spec and any(arg.kind == "node" for arg in other.args):
            continue
        href = here.to(call=other.name).href
        groups.setdefault(_(GROUPS[other.group]), []).append(Link(other.name, href, other is spec, other.doc))
    return list(groups.items())


def typed_of(form: Mapping[str, Any]) -> dict[str, str]:
    """Read the text fields of a submitted form, without those that carry the view."""
    return {name: value for name, value in form.items() if isinstance(value, str) and name != "view"}
