"""Which rule set a machine follows.

A rule set is what this program answers, as far as it has corrected itself. A machine keeps the one with which
it was begun, and its session's journal, exports, dumps and copies carry it: so a correction never changes
what an old journal answers when it is replayed. Kernel functions ask `m.rules`:

    if m.rules >= 2:  # the kernel counts the guard page; rule set 1 did not

To correct an answer: raise `TODAY`, name the correction here, and leave the old answer behind such a
question. Texts of the kernel's log are answers too, since a dump holds them; sentences of explanations are
not.

    1  what sessions were begun with that do not say
    2  a `struct page *` and an address are two things, also where a name stands for one;
       a loop `until NULL` that ends at the most that one call makes is not ok;
       zone bits that exclude each other are a BUG under DEBUG_VM (`gfp_zone`); the log has its rate
       limits, struct slab, bytes of objects and unreclaimable slabs, and ends at a panic; a page table
       stays one when somebody else frees it, and so does a cache of the kernel's own
"""

from __future__ import annotations

from typing import Final

FIRST: Final = 1
TODAY: Final = 2
