"""A list that is short enough to be read whole, handed out in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from app.api.requests import BASE
from app.errors import BadArgument

T = TypeVar("T")


def part(
    path: str, items: Sequence[T], limit: int, after: str | None, key: Callable[[T], Any]
) -> tuple[Sequence[T], str | None]:
    """The items behind the one whose key is `after`, at most so many, and the address of the next part.

    path: under the API's base. Raises BadArgument at `after` where no item has that key.
    """
    first = 0
    if after is not None:
        keys = [str(key(item)) for item in items]
        if after not in keys:
            raise BadArgument.at(("query", "after"), "what the last part's `next` says, or none")
        first = keys.index(after) + 1
    shown = items[first : first + limit]
    more = first + limit < len(items)
    return shown, f"{BASE}/{path}?limit={limit}&after={key(shown[-1])}" if more else None
