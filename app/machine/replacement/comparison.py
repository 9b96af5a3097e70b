"""Runs of several policies with several numbers of frames, and how much of that is done at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from app.errors import BadArgument
from app.machine.replacement.simulate import Result, run
from app.machine.replacement.strings import ReferenceString

MOST_WORK: Final = 2 * 10**8
MOST_RESULTS: Final = 4_096
MOST_FRAMES: Final = 1 << 20


def compare(
    string: ReferenceString,
    policies: Sequence[str],
    sizes: Sequence[int],
    load_bit: int,
    pause: Callable[[], None],
) -> list[Result]:
    """Each policy with each number of frames, in that order. Raises BadArgument at `frames`."""
    if len(sizes) * len(policies) > MOST_RESULTS:
        raise BadArgument.at("frames", f"at most {MOST_RESULTS} results: numbers of frames × policies")
    if len(string) * len(sizes) * len(policies) > MOST_WORK:
        raise BadArgument.at("frames", f"at most {MOST_WORK} of references × numbers of frames × policies")
    return [run(string, name, size, load_bit, pause) for name in policies for size in sizes]
