"""C's types, as far as a line names them: in a cast, in a declaration, in sizeof."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from app.mm.memory_model import MemoryModel

# A word that can only be part of a type, and one that names a type by the kernel's custom.
QUALIFIER: Final = (
    r"(?:const|volatile|static|extern|register|inline|__user|__iomem|__init|__exit|__maybe_unused)"
)
BASIC: Final = (
    r"(?:void|char|short|int|long|float|double|signed|unsigned|bool|_Bool|byte|[usUS](?:8|16|32|64)"
    r"|__[us](?:8|16|32|64)|u_?(?:char|int|long|short)|[A-Za-z]\w*?_t)"
)
TAGGED: Final = r"(?:(?:struct|union|enum)\s++[A-Za-z_]\w*+)"
WORD: Final = rf"(?:{QUALIFIER}|{BASIC}|{TAGGED})\b"
TYPE: Final = rf"{WORD}(?:\s++{WORD})*+"

# `(void *)`, `(unsigned long)`, `(struct page *)`; what follows is what is cast.
CAST: Final = re.compile(rf"\s*+\(\s*+{TYPE}\s*+(?:\*\s*+(?:const\s*+)?)*+\)(?=\s*+[\w(&*~\"-])", re.ASCII)
# Where a declaration begins: a type, then pointers, then the name.
DECLARED: Final = re.compile(
    rf"\s*+{TYPE}(?:\s*+(?:\*\s*+(?:const\b\s*+)?)++|\s++)(?=[A-Za-z_]\w*+)", re.ASCII
)

Size = int | Callable[[MemoryModel], int]


def longs(count: int) -> Callable[[MemoryModel], int]:
    """So many words of the machine."""
    return lambda model: count * model.sizeof_long


STRUCTS: Final[dict[str, Size]] = {
    "struct page": lambda model: model.sizeof_page,
    "struct list_head": longs(2),
    "struct hlist_head": longs(1),
    "struct hlist_node": longs(2),
    "struct rb_node": longs(3),
    "struct rcu_head": longs(2),
}
SIZES: Final[dict[str, Size]] = {
    "bool": 1,
    "char": 1,
    "short": 2,
    "int": 4,
    "float": 4,
    "double": 8,
    "long": longs(1),
    "long long": 8,
    "size_t": longs(1),
    "ssize_t": longs(1),
    "uintptr_t": longs(1),
    "gfp_t": 4,
    "slab_flags_t": 4,
    "atomic_t": 4,
    "pid_t": 4,
    "loff_t": 8,
    **{f"{sign}{bits}": bits // 8 for sign in ("u", "s", "__u", "__s") for bits in (8, 16, 32, 64)},
    **{f"{sign}int{bits}_t": bits // 8 for sign in ("u", "") for bits in (8, 16, 32, 64)},
    **STRUCTS,
}
DROPPED: Final = frozenset(("const", "volatile", "unsigned", "signed"))


def size(name: str) -> Size | None:
    """Bytes of a type, or how to tell them from the machine; None where it is not known."""
    words = name.replace("*", " * ").split()
    if not words:
        return None
    if words[-1] == "*":
        return longs(1) if re.match(TYPE, name.strip(), re.ASCII) else None
    kept = [word for word in words if word not in DROPPED]
    if len(kept) > 1 and kept[-1] == "int" and kept[0] in ("short", "long"):
        kept.pop()
    return SIZES.get(" ".join(kept) or "int")
