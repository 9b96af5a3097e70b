"""Writes a corpus of exported sessions of this version, into tests/corpus/NAME.

    python -m tests.support.keep_corpus tests/corpus/NAME

What one version has journalled must be made again by every later one, call by call, to the same returns and
states (`tests/sessions/test_corpus.py`). So a corpus is written once, when behaviour is about to change, and
never again. `first` is of the version in which rows had whole lists, and calls that free a list all of its
blocks. `second` is of the version before sessions had a rule set, and dumps a format.
"""

import asyncio
import gzip
import hashlib
import io
import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from app.machine import boot
from app.sessions import LOCAL, BatchItem, Sessions
from tests.support.factories import serving, settings_for
from tests.support.random_calls import RandomCalls

MACHINES: Final[Mapping[str, dict[str, Any]]] = {
    "tiny": {"profile": "tiny-16m"},
    "tiny-32m": {"profile": "tiny-32m", "mobility": False},
    "lecture": {"profile": "tiny-16m", "lecture": True},
    "pc": {"profile": "x86_64-8g"},
    "small": {"profile": "x86_64-1g", "cpus": 2, "movablecore": "256M"},
    "server": {"profile": "x86_64-64g", "nodes": 2, "cpus": 4},
    "terabyte": {"profile": "x86_64-1t", "transparent_hugepage": "always"},
    "highmem": {"profile": "i386-1g", "sysctl": {"min_free_kbytes": 8192}},
    "lecture-highmem": {"profile": "i386-4g", "lecture": True, "cpus": 2},
    "silent": {"profile": "x86_64-1g", "debug": False, "pcp": False},
}
COPIED: Final = ("tiny", "small", "highmem", "silent")
CALLS: Final = 170

ALLOC: Final = {"gfp": "GFP_KERNEL"}
LISTS: Final = [
    BatchItem("alloc_page", {**ALLOC, "repeat": 600}, "fill"),
    BatchItem("__free_pages", {"page": "$fill", "order": 0, "step": 2}),
    BatchItem("kmalloc", {"size": 100, "flags": "GFP_KERNEL", "repeat": 300}, "objs"),
    BatchItem("kfree", {"addr": "$objs", "step": 3}),
    BatchItem("alloc_page", {**ALLOC, "repeat": 400}, "holes"),
    BatchItem("__free_pages", {"page": "$holes", "order": 0}),
    BatchItem("vmalloc", {"size": 1 << 20}, "v"),
]
# One after the other, each by itself: a caller that sleeps, or a machine without HIGHMEM, refuses some.
SCENES: Final = [
    BatchItem("alloc_pages", {**ALLOC, "order": 3}, "twice"),
    BatchItem("__free_pages", {"page": "$twice", "order": 3}),
    BatchItem("__free_pages", {"page": "$twice", "order": 3}),
    BatchItem("alloc_pages", {**ALLOC, "order": 2}, "half"),
    BatchItem("__free_pages", {"page": "$half", "order": 1}),
    BatchItem("alloc_pages", {"gfp": "GFP_KERNEL|__GFP_COMP", "order": 2}, "compound"),
    BatchItem("__free_pages", {"page": "$compound+1", "order": 0}),
    BatchItem("alloc_pages", {**ALLOC, "order": 1, "context": "hardirq"}),
    BatchItem("alloc_pages", {"gfp": "GFP_ATOMIC", "order": 3, "context": "softirq"}),
    BatchItem("get_page", {"page": "$compound"}),
    BatchItem("put_page", {"page": "$compound"}),
    BatchItem("put_page", {"page": "$compound"}),
    BatchItem("put_page", {"page": "$compound"}),
    BatchItem("kmem_cache_create", {"name": "points", "size": 48, "align": 16}, "points"),
    BatchItem("kmem_cache_alloc", {"cache": "points", "flags": "GFP_KERNEL", "repeat": 130}, "some"),
    BatchItem("kmem_cache_free", {"cache": "points", "addr": "$some", "step": 2}),
    BatchItem("kmem_cache_shrink", {"cache": "points"}),
    BatchItem("kmem_cache_destroy", {"cache": "points"}),
    BatchItem("kmalloc", {"size": 96, "flags": "GFP_KERNEL", "task": "eve"}, "object"),
    BatchItem("krealloc", {"addr": "$object", "size": 9000, "flags": "GFP_KERNEL"}, "larger"),
    BatchItem("kfree", {"addr": "$object"}),
    BatchItem("kfree", {"addr": "$larger"}),
    BatchItem("kfree", {"addr": "$larger"}),
    BatchItem("insmod", {"name": "ext4", "size": 700_000}),
    BatchItem("vmalloc", {"size": 300_000, "repeat": 20}, "areas"),
    BatchItem("vfree", {"addr": "$areas", "start": 1, "step": 3}),
    BatchItem("vm_unmap_aliases", {}),
    BatchItem("rmmod", {"name": "ext4"}),
    BatchItem("alloc_page", {"gfp": "GFP_HIGHUSER"}, "high"),
    BatchItem("kmap", {"page": "$high"}),
    BatchItem("kmap", {"page": "$high", "task": "bob"}),
    BatchItem("kunmap", {"page": "$high"}),
    BatchItem("alloc_page", ALLOC, "p"),
    BatchItem("alloc_page", ALLOC, "q"),
    BatchItem("lock_page", {"page": "$p", "task": "anna"}),
    BatchItem("lock_page", {"page": "$q", "task": "ben"}),
    BatchItem("lock_page", {"page": "$q", "task": "anna"}),
    BatchItem("lock_page", {"page": "$p", "task": "ben"}),
    BatchItem("wait_on_page_locked", {"page": "$p", "task": "carl"}),
    BatchItem("kill_task", {"task": "ben"}),
    BatchItem("unlock_page", {"page": "$p", "task": "anna"}),
    BatchItem("unlock_page", {"page": "$q", "task": "dora"}),
    BatchItem("unlock_page", {"page": "$q", "task": "dora"}),
    BatchItem("alloc_pages", {"gfp": "GFP_ATOMIC", "order": 9, "repeat": 300, "until": "null"}, "all"),
    BatchItem("alloc_pages", {**ALLOC, "order": 5}),
    BatchItem("__free_pages", {"page": "$all", "order": 9, "start": 1, "step": 2}),
    BatchItem("alloc_pages", {"gfp": "GFP_DMA", "order": 1, "repeat": 40}),
]


def digest(dump: Any) -> str:
    """The hash of a machine's dump."""
    return hashlib.sha256(json.dumps(dump, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


async def exported(sessions: Sessions, sid: str) -> bytes:
    _, parts = await sessions.export(LOCAL, sid)
    return b"".join([part async for part in parts])


class Corpus:
    """The files of one version, in a folder."""

    def __init__(self, sessions: Sessions, folder: Path) -> None:
        self.sessions = sessions
        self.folder = folder
        self.dumps: dict[str, str] = {}

    async def keep(self, name: str, sid: str) -> None:
        file = gzip.compress(await exported(self.sessions, sid), 9, mtime=0)
        (self.folder / f"{name}.ndjson.gz").write_bytes(file)
        self.dumps[name] = digest(await self.sessions.dump(LOCAL, sid))

    async def random(self, name: str, machine: dict[str, Any], seed: int) -> str:
        """A session with calls of all kinds, lists, a rewind and an undo."""
        sid = (await self.sessions.create(LOCAL, name, machine)).id
        m = boot.boot(machine)
        for made in RandomCalls(m, seed).outcomes(CALLS):
            with suppress(Exception):  # what the one machine allows may be refused on the other
                await self.sessions.apply(LOCAL, sid, made.call.spec.name, made.call.as_json(m.model))
        for scene in SCENES:
            with suppress(Exception):
                await self.sessions.batch(LOCAL, sid, [scene])
        head = (await self.sessions.batch(LOCAL, sid, LISTS))[-1].seq
        await self.sessions.rewind(LOCAL, sid, head - 3)
        await self.sessions.undo(LOCAL, sid)
        await self.sessions.apply(LOCAL, sid, "alloc_pages", {**ALLOC, "order": 2})
        await self.keep(name, sid)
        return sid

    async def copies(self, name: str, sid: str) -> None:
        """Copies of a session, of whole ones and of its middle, one from its dump, and one from a file."""
        middle = (await self.sessions.get(LOCAL, sid)).seq // 2
        prepared = await self.sessions.fork(LOCAL, sid, middle, "Exercise 1", of=LOCAL, names={})
        for _ in range(3):
            await self.sessions.batch(LOCAL, prepared.id, LISTS)
            await self.sessions.undo(LOCAL, prepared.id)
        await self.keep(f"{name}-prepared", prepared.id)
        fork = (await self.sessions.fork(LOCAL, sid)).id
        free = {"page": "$fill", "order": 0, "start": 1, "step": 2}
        lock = [BatchItem("alloc_page", ALLOC, "p"), BatchItem("lock_page", {"page": "$p"})]
        await self.sessions.batch(LOCAL, fork, [BatchItem("__free_pages", free), *lock])
        await self.keep(f"{name}-copy", fork)
        dump = await self.sessions.dump(LOCAL, sid)
        loaded = (await self.sessions.create(LOCAL, "from a dump", {"dump": dump})).id
        fill = BatchItem("alloc_page", {**ALLOC, "repeat": 50}, "a")
        freed = BatchItem("__free_pages", {"page": "$a", "order": 0})
        await self.sessions.batch(LOCAL, loaded, [fill, BatchItem("drain_all_pages", {}), freed])
        await self.keep(f"{name}-dump", loaded)
        file = io.BytesIO(await exported(self.sessions, fork))
        imported = (await self.sessions.import_(LOCAL, file)).id
        put = [BatchItem("unlock_page", {"page": "$p"}), BatchItem("put_page", {"page": "$p"})]
        await self.sessions.batch(LOCAL, imported, put)
        await self.keep(f"{name}-import", imported)


async def write(folder: Path) -> None:
    folder.mkdir(parents=True)  # noqa: ASYNC240 - nothing else runs
    async with serving(settings_for(Path(tempfile.mkdtemp()))) as sessions:
        corpus = Corpus(sessions, folder)
        for seed, (name, machine) in enumerate(MACHINES.items(), 1):
            sid = await corpus.random(name, machine, seed)
            if name in COPIED:
                await corpus.copies(name, sid)
    (folder / "dumps.json").write_text(json.dumps(corpus.dumps, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1])))
