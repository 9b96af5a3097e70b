"""Bounds on one request, in bytes and in work, beside those that are settings.

A call's own arguments are short: what is long is a list that an earlier call returned, and that is named. The
work of a batch is counted in blocks (or pages, where each is mapped by itself), because a batch of ten
thousand calls of a hundred thousand blocks each would be one small request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.errors import BadArgument

# Bytes of JSON of one call's arguments.
ARGUMENTS: Final = 64 << 10
# Arguments of fewer bytes are judged where the machine is, on the thread that everybody's calls share.
LONG_ARGUMENTS: Final = 4 << 10
# Arguments beyond this number are mistakes, and as many take long to name.
MOST_MEMBERS: Final = 50
# Blocks, or mapped pages, that all calls of one batch may touch.
BATCH_WORK: Final = 1 << 21
# Bytes of rows that one batch may make.
BATCH_BYTES: Final = 16 << 20

# A number, a comma and what else stands around a value; more than this nothing is counted for numbers.
_PLAIN: Final = 6


def is_long(body: Mapping[str, Any]) -> bool:
    """Whether arguments are so long that checking them would delay other requests on this thread."""
    if len(body) > MOST_MEMBERS:
        return True
    for value in body.values():
        kind = type(value)
        if kind is int:
            continue
        if kind is list or kind is dict or (kind is str and len(value) > LONG_ARGUMENTS):
            return size_of(body, LONG_ARGUMENTS) > LONG_ARGUMENTS
    return False


def require_short(body: Mapping[str, Any]) -> None:
    """Raise BadArgument for arguments that are too long. Stops counting there."""
    if is_long(body) and size_of(body, ARGUMENTS) > ARGUMENTS:
        raise BadArgument.at(
            (),
            f"the arguments of one call take at most {ARGUMENTS} bytes: name the result of an earlier call "
            "instead of listing its blocks",
        )


def size_of(value: Any, most: int) -> int:
    """About how many bytes of JSON a value takes, at least; counted no further than `most`."""
    size = 0
    left = [value]
    while left and size <= most:
        one = left.pop()
        if isinstance(one, str):
            size += len(one) + 2
        elif isinstance(one, dict):
            for key, member in one.items():
                size += len(str(key)) + 4
                left.append(member)
                if size > most:
                    break
        elif isinstance(one, list):
            size += 1 + len(one)
            if size <= most:
                left.extend(one)
        elif type(one) is int:
            size += one.bit_length() * 3 // 10 + 1
        else:
            size += _PLAIN
    return size
