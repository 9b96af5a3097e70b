"""The machines that can be had ready-made, and what may be changed of them.

A profile names an architecture and a size of memory; everything else follows from the kernel's own rules.
Sizes are those at which zones appear or vanish: 1 GiB without ZONE_NORMAL on x86_64, 1 GiB with little
HIGHMEM on i386, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20
GIB: Final = 1 << 30
TIB: Final = 1 << 40

TINY: Final = "a machine for the blackboard: no kernel of today could boot in so little memory"

# The smallest memory in which the recorded kernels still boot; the largest that a dump of every free block
# can describe, and on i386 the largest whose array of struct pages leaves room in the 879 MiB that it must
# lie in.
MEMORY_LIMITS: Final = {"x86_64": (96 * MIB, 4 * TIB), "i386": (64 * MIB, 32 * GIB)}
MAX_CPUS: Final = {"x86_64": 64, "i386": 32}
MAX_NODES: Final = {"x86_64": 8, "i386": 1}


@dataclass(frozen=True, slots=True)
class Profile:
    """A ready-made machine. memory: bytes. tiny: why it could not exist, None for machines that can."""

    name: str
    title: str
    arch: str
    memory: int
    tiny: str | None = None

    @property
    def memory_limits(self) -> tuple[int, int]:
        """The smallest and the largest memory that it can be given, in bytes."""
        return (self.memory, self.memory) if self.tiny else MEMORY_LIMITS[self.arch]

    @property
    def max_nodes(self) -> int:
        """How many nodes its memory can be divided into."""
        return 1 if self.tiny else MAX_NODES[self.arch]


DEFAULT_PROFILE: Final = "x86_64-8g"

PROFILES: Final = {
    profile.name: profile
    for profile in (
        Profile("x86_64-8g", "a PC of today: DMA, DMA32 and NORMAL", "x86_64", 8 * GIB),
        Profile("x86_64-1g", "a small virtual machine: no ZONE_NORMAL", "x86_64", GIB),
        Profile("x86_64-64g", "a server", "x86_64", 64 * GIB),
        Profile("x86_64-1t", "a large server: 268 million page frames", "x86_64", TIB),
        Profile("i386-1g", "32 bits with 144 MiB of HIGHMEM", "i386", GIB),
        Profile("i386-4g", "32 bits with more HIGHMEM than low memory", "i386", 4 * GIB),
        Profile("tiny-16m", "4,096 page frames, ZONE_DMA only", "x86_64", 16 * MIB, TINY),
        Profile("tiny-32m", "i386: 8,192 page frames in ZONE_DMA and ZONE_NORMAL", "i386", 32 * MIB, TINY),
    )
}
