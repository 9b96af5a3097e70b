"""Breakages of compaction and migration. The numbers are 200 and the rule's own."""

from typing import Final

from tests.mutations.mutation import Mutation

RUN: Final = "mm/compaction.py"
TAKE: Final = "mm/compact_migrate.py"
FREE: Final = "mm/compact_free.py"
SKIP: Final = "mm/compact_skip.py"
WORTH: Final = "mm/compact_suitable.py"
PAGES: Final = "mm/migrate.py"
ENTRIES: Final = "mm/migrate_ptes.py"

COMPACTION: Final = (
    Mutation(
        263,
        RUN,
        "        for zone in zones_of(m, node):\n            cc = CompactControl(zone, WHOLE",
        "        for zone in zones_of(m, node)[1:]:\n            cc = CompactControl(zone, WHOLE",
        "every zone is compacted, the lowest first",
    ),
    Mutation(
        263,
        RUN,
        "            cc.whole_zone = cc.ignore_skip_hint = True\n",
        "            cc.whole_zone = True\n",
        "compact_memory does not look at marks",
    ),
    Mutation(
        263,
        RUN,
        "CompactControl(zone, WHOLE, MIGRATE_SYNC, ",
        "CompactControl(zone, WHOLE, 1, ",
        "compact_memory tries to move what is dirty, too",
    ),
    Mutation(
        263,
        RUN,
        "    return cc.free_pfn >> PAGEBLOCK_ORDER <= cc.migrate_pfn >> PAGEBLOCK_ORDER\n",
        "    return cc.free_pfn <= cc.migrate_pfn\n",
        "the scanners meet in a pageblock",
    ),
    Mutation(
        264,
        TAKE,
        "    return cc.nr_migratepages >= COMPACT_CLUSTER_MAX and not cc.rescan\n",
        "    return cc.nr_migratepages >= COMPACT_CLUSTER_MAX\n",
        "the second visit of a pageblock takes all the rest",
    ),
    Mutation(
        264,
        TAKE,
        "    return cc.nr_migratepages >= COMPACT_CLUSTER_MAX and not cc.rescan\n",
        "    return False\n",
        "the first visit takes 32 pages",
    ),
    Mutation(
        264,
        TAKE,
        "    cc.migratepages.appendleft(pfn)\n",
        "    cc.migratepages.append(pfn)\n",
        "the highest frame of a lot is moved first",
    ),
    Mutation(
        264,
        TAKE,
        "    if not has_mapping and s.refcount[pfn & 511] > s.mapcount[pfn & 511] + 1:\n",
        "    if False:\n",
        "an anonymous page that somebody holds is not taken",
    ),
    Mutation(
        265,
        FREE,
        "    return cc.ignore_block_suitable or zone.get_pfnblock_migratetype(start) == MIGRATE_MOVABLE\n",
        "    return True\n",
        "pages move only into movable pageblocks",
    ),
    Mutation(
        265,
        FREE,
        "    if order is not None and order >= PAGEBLOCK_ORDER:\n",
        "    if order is not None and order > PAGEBLOCK_ORDER:\n",
        "and not into one that is free as a whole",
    ),
    Mutation(
        265,
        FREE,
        "    cc.freepages = deque(reversed(frames))\n",
        "    cc.freepages = deque(frames)\n",
        "the last free frame that was taken is used first",
    ),
    Mutation(
        265,
        FREE,
        "min(COMPACT_CLUSTER_MAX, stride << 1)",
        "1",
        "behind pageblocks without free frames only some frames are looked at",
    ),
    Mutation(
        265,
        FREE,
        "        if cc.nr_migratepages <= cc.nr_freepages:\n",
        "        if cc.nr_migratepages < cc.nr_freepages:\n",
        "no more free blocks are taken than are needed",
    ),
    Mutation(
        265,
        FREE,
        "    if not freelist.zone_watermark_ok(zone, 0, mark, 0, 0, zone.vm_stat_free):\n",
        "    if False:\n",
        "free frames are not taken below the min mark",
    ),
    Mutation(
        266,
        PAGES,
        "    new.flags[j] = old.flags[i] & MOVED_FLAGS\n",
        "    new.flags[j] = old.flags[i] & MOVED_FLAGS & ~PG_active\n",
        "an active page stays active",
    ),
    Mutation(
        266,
        PAGES,
        "        if taken:\n            swap.lru_add_drain(m)\n",
        "",
        "a page that was mapped comes to its list at once",
    ),
    Mutation(
        266,
        ENTRIES,
        "    if entry & DIRTY:\n        pagemap.set_page_dirty(m, pfn)\n",
        "",
        "what the entry says of writes, the page says now",
    ),
    Mutation(
        266,
        ENTRIES,
        "    if not old & ACCESSED:\n        entry &= ~ACCESSED\n",
        "",
        "an old entry stays old",
    ),
    Mutation(
        266,
        ENTRIES,
        "exclusive=exclusive or bool(old & RW)",
        "exclusive=bool(old & RW)",
        "who has the page alone still has it alone",
    ),
    Mutation(
        266,
        PAGES,
        "    if cached and s.flags[i] & PG_dirty and not has_migrate_folio(m, src):\n",
        "    if False:\n",
        "pages of ramfs cannot be moved",
    ),
    Mutation(
        266,
        PAGES,
        "    if s.refcount[i] != (2 + bool(s.flags[i] & PG_private) if cached else 1):\n",
        "    if False:\n",
        "a page with references that nobody can name stays",
    ),
    Mutation(
        266,
        PAGES,
        "        swap_state.replace_in_swap_cache(m, src, dst)\n",
        "        pass\n",
        "a page of the swap cache keeps its slot",
    ),
    Mutation(
        267,
        TAKE,
        "        suitable = zone.get_pfnblock_migratetype(start_pfn) == cc.migratetype\n",
        "        suitable = True\n",
        "who does not wait looks only into pageblocks of the own type",
    ),
    Mutation(
        267,
        "mm/buddy.py",
        "    capture.page = pfn\n    return True\n",
        "    return False\n",
        "a direct compactor keeps the block that it has made",
    ),
    Mutation(
        267,
        RUN,
        "    if cc.order == WHOLE or cc.migrate_pfn % PAGEBLOCK_NR_PAGES:\n",
        "    if cc.order == WHOLE:\n",
        "a pageblock that was begun is finished",
    ),
    Mutation(
        267,
        RUN,
        "            lru_add_drain_cpu_zone(m, cc.zone)\n",
        "",
        "what was freed leaves the per-CPU lists, so that it can merge",
    ),
    Mutation(
        267,
        FREE,
        "    fast_isolate_freepages(m, cc)\n",
        "",
        "free frames are first looked for in the free lists",
    ),
    Mutation(
        267,
        FREE,
        "        free_list.move_to_end(pfn)\n",
        "        pass\n",
        "blocks that were looked at are looked at last the next time",
    ),
    Mutation(
        267,
        SKIP,
        "    set_pageblock_skip(cc.zone, pfn)\n    cc.zone.compact.cached_free_pfn",
        "    cc.zone.compact.cached_free_pfn",
        "a pageblock without free frames is marked",
    ),
    Mutation(
        268,
        WORTH,
        "        if 0 <= index <= EXTFRAG_THRESHOLD:\n",
        "        if False:\n",
        "where memory is short, pages are not moved for a costly order",
    ),
    Mutation(
        268,
        WORTH,
        "    return 2 << order\n",
        "    return 0\n",
        "a run needs twice the block in free frames",
    ),
    Mutation(
        268,
        WORTH,
        "    state.defer_shift = min(state.defer_shift + 1, COMPACT_MAX_DEFER_SHIFT)\n",
        "",
        "after each failure more runs are skipped",
    ),
    Mutation(
        268,
        WORTH,
        "    if order < state.order_failed:\n        return False\n",
        "",
        "smaller orders than the one that failed are tried",
    ),
    Mutation(
        268,
        RUN,
        "    if not order:\n        return\n    node.kcompactd_max_order",
        "    node.kcompactd_max_order",
        "kcompactd is not woken for single frames",
    ),
)
