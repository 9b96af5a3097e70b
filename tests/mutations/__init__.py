"""Which rules of the allocators, and of checks of exercises, are guarded: break one, and a test should fail.

The tables hold small changes of app/mm, each against one rule of the kernel's, and of app/exercises.
`python -m tests.mutations` makes each in a copy of the tree and looks for a test that notices.
"""

from tests.mutations.areas import AREAS
from tests.mutations.blocks import BLOCKS
from tests.mutations.checks import CHECKS
from tests.mutations.compaction import COMPACTION
from tests.mutations.exact import EXACT
from tests.mutations.labs import LABS
from tests.mutations.mutation import FACTS, Mutation, StaleError
from tests.mutations.oom import OOM
from tests.mutations.page_lists import PAGE_LISTS
from tests.mutations.processes import PROCESSES
from tests.mutations.reclaim import RECLAIM
from tests.mutations.references import REFERENCES
from tests.mutations.slabs import SLABS
from tests.mutations.watermarks import WATERMARKS

__all__ = ["FACTS", "MUTATIONS", "Mutation", "StaleError"]

MUTATIONS = sorted(
    (
        *PAGE_LISTS,
        *WATERMARKS,
        *BLOCKS,
        *REFERENCES,
        *SLABS,
        *AREAS,
        *EXACT,
        *LABS,
        *PROCESSES,
        *RECLAIM,
        *OOM,
        *COMPACTION,
        *CHECKS,
    ),
    key=lambda mutation: mutation.fact,
)
