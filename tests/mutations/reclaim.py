"""Breakages of the LRU, the page cache, reclaim, swap and kswapd. The numbers are 200 and the rule's own."""

from typing import Final

from tests.mutations.mutation import Mutation


def broken(rule: int, file: str, old: str, new: str, what: str) -> Mutation:
    """A breakage in app/mm."""
    return Mutation(200 + rule, f"mm/{file}.py", old, new, what)


LISTS: Final = (
    broken(
        6,
        "swap",
        "    for name in MOVES:\n",
        "    for name in reversed(MOVES):\n",
        "new pages come to their list first",
    ),
    broken(
        7,
        "shrink_list",
        "    file = lru_list >= LRU_INACTIVE_FILE\n    swap.lru_add_drain(m)\n",
        "    file = lru_list >= LRU_INACTIVE_FILE\n",
        "batches are emptied before inactive pages are taken",
    ),
    broken(
        7,
        "swap_readahead",
        "            read_ahead(m, other, read, wanted=other == entry)\n        swap.lru_add_drain(m)\n",
        "            read_ahead(m, other, read, wanted=other == entry)\n",
        "a window that was read from swap comes to its list at once",
    ),
    broken(
        10,
        "swap",
        '        elif head in m.vm.batches["add"]:\n            set_flags(m, head, PG_active)\n',
        "",
        "a page that waits for its list becomes active there",
    ),
    broken(
        10,
        "swap",
        "        workingset.workingset_activation(m, head)\n",
        "",
        "an activation ages what is evicted",
    ),
    broken(
        12,
        "read_write",
        "        if ra.prev_pos < 0 or (ra.prev_pos - 1) >> 12 != pos >> 12:\n",
        "        if True:\n",
        "reads that go on within a page use it once",
    ),
    broken(
        17,
        "swap",
        "PG_locked | PG_dirty | PG_unevictable | PG_lru) == PG_lru",
        "PG_locked | PG_lru) == 0",
        "a page that was written for reclaim goes to the tail",
    ),
    broken(
        19,
        "shrink_list",
        "        set_flags(m, head, PG_workingset, PG_active)\n",
        "        set_flags(m, head, 0, PG_active)\n",
        "deactivated pages have been in use",
    ),
)
FILES: Final = (
    broken(
        20,
        "readahead",
        "    if size < most // 16:\n",
        "    if size < most // 8:\n",
        "windows grow four times at first",
    ),
    broken(
        20,
        "readahead",
        "size - req_size if size > req_size else size",
        "size",
        "what the first request did not want is ahead of it",
    ),
    broken(
        20,
        "fadvise",
        " << (advice == POSIX_FADV_SEQUENTIAL)",
        "",
        "who reads in order reads twice as far ahead",
    ),
    broken(
        21,
        "readahead",
        "    set_flags(m, pfn, 0, PG_readahead)\n    ondemand",
        "    ondemand",
        "a mark is used once",
    ),
    broken(
        22,
        "readahead",
        "    if size <= req_size:\n",
        "    if size < req_size:\n",
        "more pages before it than it wants show that somebody reads on",
    ),
    broken(
        23,
        "readahead",
        "return index + most - m.vm.reclaim",
        "return index + most",
        "the last page looked at is missing",
    ),
    broken(
        24,
        "readahead",
        "ra.ra_pages // 4",
        "ra.ra_pages // 2",
        "the last quarter of what is read around is ahead",
    ),
    broken(
        26,
        "page_writeback",
        "    if 0 < written < PAGEVEC_SIZE:\n",
        "    if written:\n",
        "writing empties the batches once",
    ),
)
WORKINGSET: Final = (
    broken(
        28,
        "shrink_list",
        "        if mem_map.flags(m, head) & PG_active:\n            workingset",
        "        if False:\n            workingset",
        "pages put back active age what is evicted",
    ),
    broken(
        28,
        "workingset",
        "    workingset_age_nonresident(lruvec, 1 << mem_map.compound_order(m, head))\n    return shadow",
        "    return shadow",
        "an eviction ages the others",
    ),
    broken(
        30,
        "workingset",
        "    activate = distance <= size\n",
        "    activate = distance < size\n",
        "a page as old as the lists are long is activated",
    ),
    broken(
        30,
        "workingset",
        "        if file:\n            size += sizes[LRU_INACTIVE_ANON]\n",
        "",
        "with swap files compete with anonymous pages",
    ),
    broken(
        30,
        "workingset",
        "        lru_note_cost(lruvec, nr, file=file)\n",
        "",
        "a page that had been in use costs when it comes back",
    ),
    broken(
        31,
        "pagemap",
        "if shadow is not None and not write:",
        "if shadow is not None:",
        "what is made to be written is no refault",
    ),
    broken(
        32,
        "lruvec",
        "        if new > self.stat_threshold or -new > self.stat_threshold:\n",
        "        if new:\n",
        "sizes of lists are folded by threshold",
    ),
    broken(
        33,
        "lruvec",
        "        if zone.zid <= highest_zoneidx and zone.managed_pages",
        "        if zone.managed_pages",
        "scans count pages of zones that would help",
    ),
)
SCANS: Final = (
    broken(
        34,
        "scan_control",
        "SWAP_CLUSTER_MAX: Final = 32",
        "SWAP_CLUSTER_MAX: Final = 33",
        "32 pages are enough",
    ),
    broken(
        34,
        "vmscan",
        "            snapshot_refaults(m, nid)\n        if sc.nr",
        "            pass\n        if sc.nr",
        "refaults are remembered at the end",
    ),
    broken(
        35,
        "scan_count",
        "refaulted or inactive_is_low(lruvec, 2 * file)",
        "inactive_is_low(lruvec, 2 * file)",
        "refaults make active pages stale",
    ),
    broken(
        35,
        "scan_count",
        "return inactive * inactive_ratio(inactive + active) < active",
        "return inactive * inactive_ratio(inactive + active) <= active",
        "as many inactive pages as active ones are enough",
    ),
    broken(
        36,
        "scan_count",
        '    return "file" if sc.cache_trim_mode else "fractions"\n',
        '    return "fractions"\n',
        "a large inactive file list is trimmed first",
    ),
    broken(
        36,
        "scan_count",
        '    if sc.file_is_tiny:\n        return "anon"\n',
        "",
        "hardly any file pages are left alone",
    ),
    broken(
        36,
        "scan_count",
        "    anon, file = total + anon_cost, total + file_cost\n",
        "    anon, file = anon_cost, file_cost\n",
        "a third of the pressure goes to each kind",
    ),
    broken(
        37,
        "shrink_list",
        "    lru_note_cost(lruvec, stat.pageout, file=file)\n",
        "    if stat.pageout:\n        lru_note_cost(lruvec, stat.pageout, file=file)\n",
        "costs are halved even when nothing is added",
    ),
    broken(
        37,
        "lruvec",
        "sum(lruvec.folded[:4]) // 4",
        "sum(lruvec.folded[:4]) // 2",
        "costs are kept below a quarter of the lists",
    ),
    broken(
        38,
        "vmscan",
        "percentage = min(anon, file) * 100",
        "percentage = max(anon, file) * 100",
        "what is left of the smaller kind cuts the other",
    ),
    broken(
        39,
        "shrink_list",
        "    for head in passed:\n        lru.list_add(",
        "    for head in reversed(passed):\n        lru.list_add_tail(",
        "pages of zones that do not help go to the head",
    ),
    broken(
        39,
        "shrink_folio",
        "    for head in reversed(pages):\n        lru.free",
        "    for head in pages:\n        lru.free",
        "the last page of a lot is freed first",
    ),
)
PAGES: Final = (
    broken(
        40,
        "shrink_folio",
        '        set_flags(m, head, PG_reclaim)\n        return Fate(ACTIVATE, "dirty file")',
        '        return Fate(ACTIVATE, "dirty file")',
        "a dirty file page is marked for when it is clean",
    ),
    broken(
        41,
        "shrink_folio",
        "        if referenced or referenced_ptes > 1:\n",
        "        if referenced:\n",
        "a page that several have used is activated",
    ),
    broken(
        41,
        "shrink_folio",
        "        if vm_flags & VM_EXEC and file:\n",
        "        if False:\n",
        "code is activated when it was used once",
    ),
    broken(
        42,
        "shrink_list",
        "        if referenced and vm_flags & VM_EXEC and not",
        "        if referenced and not",
        "only code gets another round on the active list",
    ),
    broken(
        45,
        "shrink_folio",
        '        return Fate(KEEP, "being written")',
        '        return Fate(ACTIVATE, "being written")',
        "a page that is being written stays inactive",
    ),
)
SWAP: Final = (
    broken(
        48,
        "swap_info",
        "SWAP_SLOTS_CACHE_SIZE: Final = 64",
        "SWAP_SLOTS_CACHE_SIZE: Final = 63",
        "64 slots are taken in advance",
    ),
    broken(
        49,
        "swapfile_scan",
        "LATENCY_LIMIT: Final = 256",
        "LATENCY_LIMIT: Final = 512",
        "patience ends after 256 slots",
    ),
    broken(
        50,
        "rmap_reclaim",
        "        swapped |= SWP_EXCLUSIVE\n",
        "        pass\n",
        "what is one process's alone is noted with its slot",
    ),
    broken(
        51,
        "swap_readahead",
        "    pages = hits + 2\n",
        "    pages = hits + 1\n",
        "two more slots are read than were wanted",
    ),
    broken(
        51,
        "swap_readahead",
        "return max(min(pages, MOST), last // 2)",
        "return min(pages, MOST)",
        "windows shrink by half at most",
    ),
    broken(
        51,
        "swap_readahead",
        "first = max(offset & ~mask, 1)",
        "first = max(offset, 1)",
        "windows are aligned",
    ),
)
KSWAPD: Final = (
    broken(
        54,
        "kswapd",
        "WMARK_HIGH), highest_zoneidx, 0",
        "0), highest_zoneidx, 0",
        "kswapd is woken while no zone is above high",
    ),
    broken(
        55,
        "kswapd",
        "    node.kswapd_order = max(node.kswapd_order, order)\n",
        "    node.kswapd_order = order\n",
        "the largest order that was wanted is remembered",
    ),
    broken(
        56,
        "balance_pgdat",
        "max(zone.wmark_pages(WMARK_HIGH), SWAP_CLUSTER_MAX)",
        "SWAP_CLUSTER_MAX",
        "kswapd aims at the sum of the high marks",
    ),
    broken(
        57,
        "balance_pgdat",
        "        zone.flags |= ZONE_RECLAIM_ACTIVE\n",
        "        pass\n",
        "lists of free pages are short while kswapd runs",
    ),
    broken(
        59,
        "balance_pgdat",
        "        zone.boost -= min(zone.boost, boost)\n",
        "        pass\n",
        "the boost goes when it was worked off",
    ),
)
RECLAIM: Final = (*LISTS, *FILES, *WORKINGSET, *SCANS, *PAGES, *SWAP, *KSWAPD)
