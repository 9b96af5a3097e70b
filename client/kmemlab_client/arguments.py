"""Arguments as Python has them, as the JSON fields that the API takes.

What a call returned is given to the next as it is: an `Outcome` becomes the field that the argument's kind
asks for. A number that is given for a pointer is one, as in C.
"""

from __future__ import annotations

import inspect
from typing import Any, Callable

from kmemlab_client.outcome import Outcome

# A number that is given for a page is a frame number below this, and a pointer from here on: no machine has
# that many frames, and no kernel address is smaller.
LOWEST_KERNEL_ADDRESS = 0xC0000000

POINTERS = frozenset({"addr", "user_addr", "number"})
PAGES = frozenset({"page", "page_or_addr"})


class Function:
    """A kernel function as `GET /calls` describes it."""

    def __init__(self, described: dict[str, Any]) -> None:
        self.name = str(described["name"])
        self.args: list[dict[str, Any]] = described["args"]
        self.kinds = {str(arg["name"]): str(arg["kind"]) for arg in self.args}
        self.prototype = str(described["prototype"])
        self.doc = f"{self.prototype}\n\n{described['doc']}\n\nKernel: {described['source']}"

    def body(self, given: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        """The document of a call. Raises TypeError as a Python function would."""
        if len(given) > len(self.args):
            raise TypeError(f"{self.name} takes {len(self.args)} arguments: {self.prototype}")
        by_place = dict(zip(self.kinds, given))
        twice = by_place.keys() & named.keys()
        if twice:
            raise TypeError(f"{self.name} got {', '.join(sorted(twice))} twice: {self.prototype}")
        fields: dict[str, Any] = {}
        for name, value in {**by_place, **named}.items():
            fields.update(field(name, self.kinds.get(name, "task" if name == "task" else ""), value))
        return fields

    def signature(self) -> inspect.Signature:
        """For `help` and for completion: arguments, then what stands beside them."""
        places = [
            inspect.Parameter(arg["name"], inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
            for arg, default in zip(self.args, self.defaults())
        ]
        return inspect.Signature([*places, inspect.Parameter("beside", inspect.Parameter.VAR_KEYWORD)])

    def defaults(self) -> list[Any]:
        """The default of each argument that can be left out at the end of the list."""
        required = [index for index, arg in enumerate(self.args) if arg["required"]]
        first = max(required, default=-1) + 1
        return [inspect.Parameter.empty] * first + [arg["default"] for arg in self.args[first:]]

    def method(self, call: Callable[..., Outcome]) -> Callable[..., Outcome]:
        """A function that calls it."""

        def function(*given: Any, **named: Any) -> Outcome:
            return call(self.name, *given, **named)

        function.__name__ = function.__qualname__ = self.name
        function.__doc__ = self.doc
        function.__signature__ = self.signature()  # type: ignore[attr-defined]
        return function


def field(name: str, kind: str, value: Any) -> dict[str, Any]:
    """One argument as a field of the document."""
    if isinstance(value, Outcome):
        if kind == "page_or_addr" and not value.is_page and isinstance(value.ret, str):
            return {"addr": value.ret}
        value = meaning(kind, value)
    if not isinstance(value, int) or isinstance(value, bool):
        return {name: value}
    if kind in PAGES and 0 < value < LOWEST_KERNEL_ADDRESS:
        return {"pfn": value}
    if kind == "page_or_addr":
        return {"addr": f"{value:#x}"}
    if kind == "page" or (kind in POINTERS and value >= 0):
        return {name: f"{value:#x}"}
    return {name: value}


def meaning(kind: str, value: Outcome) -> Any:
    """What an outcome stands for as an argument of that kind."""
    if value.is_list:
        return {"seq": value.seq}
    if kind == "cache" and value["call"] == "kmem_cache_create":
        return value["args"]["name"]
    if kind == "task" and value["call"] == "fork":
        return value["args"]["child"]
    return value.ret
