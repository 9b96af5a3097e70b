"""Calls that load and unload modules, whose code lies in an area of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine import vmallocinfo
from app.machine.entry.costs import PAGES_OF_SIZE, area_pages
from app.machine.entry.declare import Declarations
from app.machine.vocabulary import Arg, Cost, Returns
from app.mm import module

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.machine.outcome import Outcome

calls = Declarations("modules")

NAME: Final = Arg("name", "object_name", "const char *", "name of the module", example="e1000")


def module_pages(m: Machine, call: Call, given: int | None) -> int:
    """Pages of the module that a call names."""
    found = m.vmap.modules.get(call.args["name"])
    return 1 if found is None else area_pages(m, found[0])


@calls.other(
    "insmod",
    (NAME, Arg("size", "size", "size_t", "bytes", example=155_648, prefill="64")),
    "int init_module(void *module_image, unsigned long len, const char *param_values)",
    "kernel/module/main.c load_module",
    "Load a module of that many bytes into the module area.",
    returns=Returns.INT,
    cost=PAGES_OF_SIZE,
)
def insmod(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: kernel/module/main.c init_module"""
    outcome.ret, vm = module.init_module(m, call.args["name"], call.args["size"])
    if vm is not None:
        outcome.area = vmallocinfo.area_part(vm)
    if outcome.ret < 0:
        m.worsen_null()


@calls.other(
    "rmmod",
    (NAME,),
    "int delete_module(const char *name, unsigned int flags)",
    "kernel/module/main.c free_module",
    "Unload a module.",
    returns=Returns.INT,
    cost=Cost(held=module_pages),
)
def rmmod(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: kernel/module/main.c delete_module"""
    outcome.ret = module.delete_module(m, call.args["name"])
    if outcome.ret < 0:
        m.worsen_null()
