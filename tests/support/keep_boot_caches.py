"""Writes `app/mm/boot_cache_table.py`, a booted kernel's slab caches, from what real kernels showed.

    python -m tests.support.keep_boot_caches

x86_64: layouts that a module read from the kernel's own structures. i386: only /proc/slabinfo, where an
object's size has everything that its cache adds to it; so flags that add something are left out there.
"""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from app.mm import slab
from app.mm.slab_caches import BOOT_CACHES

RECORDINGS: Final = Path(__file__).parents[1] / "recordings"
TABLE: Final = Path(__file__).parents[2] / "app/mm/boot_cache_table.py"
KERNELS: Final = {"x86_64": "x64-1G", "i386": "i386-2G"}
ADDS_TO_SIZE: Final = slab.SLAB_HWCACHE_ALIGN | slab.SLAB_TYPESAFE_BY_RCU
SMALLEST_ALIGNMENT: Final = 8
DOCSTRING: Final = '''"""The slab caches of a booted kernel but those of kmalloc: recorded, newest first.

Each line: name, bytes of an object, alignment, flags, and `ctor` where objects have a constructor. Written by
`python -m tests.support.keep_boot_caches`.
"""

from typing import Final

TABLE: Final = {
'''


def main() -> None:
    """Write the file."""
    TABLE.write_text(written(), "utf-8")


def written() -> str:
    """The module's text."""
    tables = "".join(f'    "{arch}": """\n{"".join(lines(arch))}""",\n' for arch in KERNELS)
    return f"{DOCSTRING}{tables}}}\n"


def lines(arch: str) -> Iterator[str]:
    """A line for each cache, in the order of the kernel's list."""
    known = layouts(KERNELS["x86_64"])
    for name, size in shown(KERNELS[arch]).items():
        if name in BOOT_CACHES:
            continue
        row = known.get(name)
        flags = 0 if row is None else int(row["flags"], 16) & ~slab.CMPXCHG_DOUBLE
        if arch == "i386":
            yield f"{name} {size} {SMALLEST_ALIGNMENT} {flags & ~ADDS_TO_SIZE:#x}\n"
        else:
            assert row is not None
            ctor = " ctor" if has_constructor(row, flags) else ""
            yield f"{name} {row['object_size']} {row['align']} {flags:#x}{ctor}\n"


def has_constructor(row: dict[str, Any], flags: int) -> bool:
    """Whether the free pointer stands behind an object for its constructor's sake."""
    return bool(row["offset"] == row["inuse_off"] and not flags & slab.SLAB_TYPESAFE_BY_RCU)


def shown(machine: str) -> dict[str, int]:
    """Name → size of each cache in a real machine's /proc/slabinfo."""
    with gzip.open(RECORDINGS / machine / "boot.proc.txt.gz", "rt") as file:
        [text] = re.findall(r"^#FILE slabinfo\n(.*?)(?=^#FILE|\Z)", file.read(), re.MULTILINE | re.DOTALL)
    return {words[0]: int(words[3]) for words in map(str.split, text.splitlines()[2:])}


def layouts(machine: str) -> dict[str, dict[str, Any]]:
    """The layout of each cache of a real machine."""
    found: dict[str, dict[str, Any]] = {}
    ours = False
    with gzip.open(RECORDINGS / "cache_layouts.jsonl.gz", "rt") as file:
        for record in map(json.loads, file):
            if "machine" in record:
                ours = record["machine"] == machine
            elif ours:
                found[record["name"]] = record
    return found


if __name__ == "__main__":
    main()
