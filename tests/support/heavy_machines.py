"""Machines that hold very much of one thing, as the lines that make them."""

from typing import Any

from app.machine import boot, parsing
from app.machine.calltext import parse_line
from app.machine.machine import Machine

LARGE = {"profile": "x86_64-8g"}


def caches(count: int) -> list[str]:
    name = "a_cache_with_a_long_name_{}"
    made = [f'kmem_cache_create("{name.format(i)}", {64 + i % 512})' for i in range(count)]
    return made + [f'kmem_cache_alloc("{name.format(i)}", GFP_KERNEL)' for i in range(count)]


def circle(tasks: int) -> list[str]:
    """Tasks that hold two locks each, of which each waits for the next one's."""
    who = [f"a_task_with_a_long_name_{i}" for i in range(tasks)]
    return [
        *(f"p{i} = alloc_page(GFP_KERNEL)" for i in range(2 * tasks)),
        *(f"{who[i % tasks]}: lock_page(p{i})" for i in range(2 * tasks)),
        *(f"{who[i]}: lock_page(p{(i + 1) % tasks})" for i in range(tasks)),
    ]


MACHINES: dict[str, list[str]] = {
    "areas": ["v = vmalloc(4K) * 7000", "vfree(v[::3])"],
    "scattered": ["a = alloc_page(GFP_KERNEL) * 20000", "__free_pages(a[::2], 0)"],
    "slabs": [
        "o = kmalloc(8, GFP_KERNEL) * 20000",
        "kfree(o[::2])",
        "p = kmalloc(4096, GFP_KERNEL) * 8000",
        "kfree(p[::3])",
    ],
    "caches": caches(2_000),
    "tasks": circle(250),
    "names": [f"{letter * 20}{i} = alloc_page(GFP_KERNEL)" for letter in "abc" for i in range(1_000)],
    "log": ["alloc_pages(GFP_KERNEL, 11)", *["kfree(0xffff888000100000)"] * 400],
    "blocks": ["a = alloc_pages(GFP_KERNEL, 7) * 8000", "__free_pages(a[::2], 7)"],
}


def built(lines: list[str], machine: dict[str, Any] | None = None) -> Machine:
    """The machine on which the lines have been called."""
    m = boot.boot(machine or LARGE)
    names: dict[str, Any] = {}
    for seq, text in enumerate(lines, 1):
        line = parse_line(text)
        call = parsing.parse(str(line.name), line.body, m.model, names).resolve(names, m.model)
        outcome = m.apply(call, seq)
        if line.as_name:
            names[line.as_name] = outcome.named
    return m
