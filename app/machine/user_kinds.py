"""Kinds of arguments of system calls: addresses of processes, descriptors, flags by name, paths.

A number is what C takes; names stand for what earlier calls returned, and flags may be written as in C.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from app.errors import BadArgument
from app.machine import gfp_text
from app.machine.calls import JSON_INT_MAX, KNOWN_NAME, Reference
from app.machine.checks import HEX, integer, matching
from app.machine.constants import UNITS
from app.machine.known_names import KnownNames
from app.mm.swap_info import LEAST_PAGES, MAX_PAGES

if TYPE_CHECKING:
    from app.machine.parsing import Parser

LONG_MAX: Final = (1 << 64) - 1
INT_MAX: Final = (1 << 31) - 1
# As many accesses as one row stands for: 4 GiB of pages.
MAX_ACCESSES: Final = 1 << 20
USER_REFERENCE: Final = re.compile(
    rf"\$({KNOWN_NAME.pattern})(?:([+-])(?:0x([0-9a-fA-F]{{1,16}})|([0-9]{{1,19}}))([KMG]?))?"
)
NAME_OR_NUMBER: Final = re.compile(rf"\$({KNOWN_NAME.pattern})")
PATH: Final = re.compile(r"(?:/[A-Za-z0-9._-]+)+")
PATH_MAX: Final = 255

PROTS: Final = {"PROT_NONE": 0, "PROT_READ": 1, "PROT_WRITE": 2, "PROT_EXEC": 4}
MAP_FLAGS: Final = {
    "MAP_SHARED": 0x1, "MAP_PRIVATE": 0x2, "MAP_SHARED_VALIDATE": 0x3, "MAP_FIXED": 0x10,
    "MAP_ANONYMOUS": 0x20, "MAP_ANON": 0x20, "MAP_GROWSDOWN": 0x100, "MAP_DENYWRITE": 0x800,
    "MAP_EXECUTABLE": 0x1000, "MAP_LOCKED": 0x2000, "MAP_NORESERVE": 0x4000, "MAP_POPULATE": 0x8000,
    "MAP_NONBLOCK": 0x10000, "MAP_STACK": 0x20000, "MAP_HUGETLB": 0x40000,
    "MAP_FIXED_NOREPLACE": 0x100000, "MAP_HUGE_2MB": 21 << 26, "MAP_HUGE_1GB": 30 << 26,
}  # fmt: skip
MREMAP_FLAGS: Final = {"MREMAP_MAYMOVE": 1, "MREMAP_FIXED": 2, "MREMAP_DONTUNMAP": 4}
MS_FLAGS: Final = {"MS_ASYNC": 1, "MS_INVALIDATE": 2, "MS_SYNC": 4}
MADVICE: Final = {
    "MADV_NORMAL": 0, "MADV_RANDOM": 1, "MADV_SEQUENTIAL": 2, "MADV_WILLNEED": 3, "MADV_DONTNEED": 4,
    "MADV_FREE": 8, "MADV_REMOVE": 9, "MADV_DONTFORK": 10, "MADV_DOFORK": 11, "MADV_HUGEPAGE": 14,
    "MADV_NOHUGEPAGE": 15, "MADV_DONTDUMP": 16, "MADV_DODUMP": 17, "MADV_WIPEONFORK": 18,
    "MADV_KEEPONFORK": 19, "MADV_COLD": 20, "MADV_PAGEOUT": 21, "MADV_POPULATE_READ": 22,
    "MADV_POPULATE_WRITE": 23,
}  # fmt: skip
FADVICE: Final = {
    "POSIX_FADV_NORMAL": 0, "POSIX_FADV_RANDOM": 1, "POSIX_FADV_SEQUENTIAL": 2, "POSIX_FADV_WILLNEED": 3,
    "POSIX_FADV_DONTNEED": 4, "POSIX_FADV_NOREUSE": 5,
}  # fmt: skip
OPEN_FLAGS: Final = {
    "O_RDONLY": 0, "O_WRONLY": 1, "O_RDWR": 2, "O_CREAT": 0x40, "O_EXCL": 0x80, "O_TRUNC": 0x200,
    "O_APPEND": 0x400, "O_CLOEXEC": 0x80000,
}  # fmt: skip

# Flags by the kind of argument that takes them.
FLAGS: Final[Mapping[str, Mapping[str, int]]] = {
    "prot": PROTS, "map_flags": MAP_FLAGS, "mremap_flags": MREMAP_FLAGS, "ms_flags": MS_FLAGS,
    "madvice": MADVICE, "fadvice": FADVICE, "open_flags": OPEN_FLAGS,
}  # fmt: skip


def check_user_addr(value: Any, parser: Parser) -> int | Reference | None:
    """An address of a process: hexadecimal, a number, null, `$name` or `$name+4K`."""
    if value is None:
        return None
    what = "an address as a hex string, or $name of what returned one, as $a or $a+4K"
    if isinstance(value, str) and value.startswith("$"):
        return user_reference(value, parser)
    most = parser.model.ptr_max
    text = isinstance(value, str)
    number = int(matching(value, HEX, what), 16) if text else integer(value, 0, min(JSON_INT_MAX, most), what)
    if number > most:
        raise BadArgument.at((), f"{what}: at most {most:#x} on {parser.model.arch}")
    return number


def user_reference(value: str, parser: Parser) -> Reference:
    """`$a`, `$a+4K`, `$a+0x1000`, `$a-8` of a name that stands for something."""
    match = USER_REFERENCE.fullmatch(value)
    if match is None:
        raise BadArgument.at((), "a reference is $name, $name+4096, $name+0x1000 or $name+4K")
    name, sign, hexadecimal, decimal, unit = match.groups()
    require_known(name, parser)
    offset = (int(hexadecimal, 16) if hexadecimal else int(decimal or 0)) * UNITS[unit or ""]
    return Reference(name, -offset if sign == "-" else offset)


def require_known(name: str, parser: Parser) -> None:
    """Raises BadArgument where a name stands for nothing; it says who else has one like it."""
    known = parser.known
    if name in known:
        return
    if not isinstance(known, KnownNames):
        among = known if isinstance(known, Collection) else ()
        raise BadArgument.at((), f"nothing is named {name!r} here", name, among)
    others = known.elsewhere(name)
    words = f"; others have {', '.join(others)}" if others else ""
    raise BadArgument.at((), f"nothing is named {name!r} here{words}", name, known.own)


def check_fd(value: Any, parser: Parser) -> int | Reference:
    """A file descriptor: a number, or `$name` of what `open` returned."""
    if isinstance(value, str) and (found := NAME_OR_NUMBER.fullmatch(value)) is not None:
        require_known(found[1], parser)
        return Reference(found[1])
    return integer(value, -INT_MAX - 1, INT_MAX, "a file descriptor, or $name of what open returned")


def check_length(value: Any, parser: Parser) -> int:
    """size_t of a system call: what the kernel makes of it is its own matter."""
    return integer(value, 0, min(JSON_INT_MAX, parser.model.ptr_max), "a length in bytes")


def check_offset(value: Any, parser: Parser) -> int | None:
    """loff_t: a place in a file; null for the file's own position."""
    return None if value is None else integer(value, 0, JSON_INT_MAX, "a place in a file, in bytes")


def check_loff(value: Any, parser: Parser) -> int:
    """loff_t that may be below 0, which the kernel refuses."""
    return integer(value, -JSON_INT_MAX, JSON_INT_MAX, "a number of bytes")


def check_accesses(value: Any, parser: Parser) -> int:
    """How many accesses."""
    return integer(value, 1, MAX_ACCESSES, "how many accesses")


def check_access_step(value: Any, parser: Parser) -> int:
    """Bytes from one access to the next."""
    return integer(value, 0, JSON_INT_MAX, "bytes from one access to the next")


def check_byte(value: Any, parser: Parser) -> int:
    """A byte to be stored."""
    return integer(value, 0, 255, "a byte")


def check_status(value: Any, parser: Parser) -> int:
    """The status of an exit."""
    return integer(value, -INT_MAX - 1, INT_MAX, "an exit status")


def check_bool(value: Any, parser: Parser) -> bool:
    """True or false, also as C writes them."""
    if value in ("true", "false"):
        return bool(value == "true")
    if type(value) is not bool and value not in (0, 1):
        raise BadArgument.at((), "true or false")
    return bool(value)


def check_swap_pages(value: Any, parser: Parser) -> int | None:
    """Pages of a new swap area with its header; null for one that is there."""
    if value is None:
        return None
    what = f"pages of a swap area with its header, from {LEAST_PAGES} to {MAX_PAGES}, or null"
    return integer(value, LEAST_PAGES, MAX_PAGES, what)


def check_path(value: Any, parser: Parser) -> str:
    """A path, absolute and without `.` and `..`."""
    what = f"an absolute path of at most {PATH_MAX} characters: parts of A-Z a-z 0-9 . _ - behind a /"
    path = matching(value, PATH, what)
    if len(path) > PATH_MAX or not {".", ".."}.isdisjoint(path.split("/")):
        raise BadArgument.at((), f"{what}, none of them . or ..")
    return path


def check_program(value: Any, parser: Parser) -> str:
    """A program: `/bin/NAME`."""
    path = check_path(value, parser)
    if re.fullmatch(r"/bin/[^/]+", path) is None:
        raise BadArgument.at((), "/bin/NAME: there are programs nowhere else, and all are the same one")
    return path


def check_flags(kind: str) -> Callable[[Any, Parser], str | int]:
    """A checker of flags; they are kept as they were written."""

    def check(value: Any, parser: Parser) -> str | int:
        as_flags(kind, value)
        return value  # type: ignore[no-any-return]

    return check


def as_flags(kind: str, value: str | int) -> int:
    """The mask that a number, or names joined with |, stand for. Raises BadArgument."""
    known = FLAGS[kind]
    first = next(iter(known))
    if not isinstance(value, str):
        return integer(
            value, -INT_MAX - 1, (1 << 32) - 1, f"names such as {first} joined with |, or a number"
        )
    if len(value) > gfp_text.TEXT_MAX:
        raise BadArgument.at((), f"flag names of at most {gfp_text.TEXT_MAX} characters")
    mask = 0
    for word in value.split("|"):
        name = word.strip()
        if name in known:
            mask |= known[name]
        elif (number := gfp_text.as_number(name)) is not None:
            mask |= number
        else:
            words = f"unknown name {name[:40]!r}; known are {', '.join(known)}"
            raise BadArgument.at((), words, name, known)
    return mask
