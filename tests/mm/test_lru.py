"""Pages of files on a machine that reclaims: what is read ahead, dropped in lots, and counts as movable."""

from collections import Counter

from app.machine import boot
from app.machine.machine import Machine
from app.mm import buddy, mem_map, namei, pagemap, read_write, sched, swap
from app.mm.fs import File
from app.mm.gfp import GFP_HIGHUSER_MOVABLE
from app.mm.mmzone import MIGRATE_MOVABLE, MIGRATE_UNMOVABLE
from app.mm.page import PG_lru, PG_writeback
from app.mm.page_alloc import alloc_pages
from app.mm.vmstat import global_node_page_state

PAGE = 4096


def machine(*, reclaim: bool = True) -> Machine:
    m = boot.boot({"profile": "x86_64-1g", "process_caches": False, "reclaim": reclaim})
    sched.new_task(m, "a")
    m.current.task = "a"
    return m


def opened(m: Machine) -> File:
    inode = namei.lookup(m, "/data/a")
    assert inode is not None
    return File(inode)


def test_more_than_a_window_is_read_at_once_as_far_as_the_disk_takes_it() -> None:
    """64 pages are no more than the disk takes, so nothing is read ahead of them; 1,000 are."""
    found = []
    for reclaim in (True, False):
        m = machine(reclaim=reclaim)
        file = opened(m)
        read_write.read(m, file, None, 64 * PAGE, 1000 * PAGE)
        behind = max(file.inode.i_pages)
        read_write.read(m, file, None, 1000 * PAGE, 2000 * PAGE)
        found.append((behind, file.ra.size))
    assert found == [(1063, 320), (1095, 32)]


def test_a_marked_page_before_a_full_window_of_cached_ones_reads_on_behind_them() -> None:
    """The kernel takes the last page that it looked at for the first that is missing."""
    m = machine()
    file = opened(m)
    file.random = True
    read_write.read(m, file, None, 33 * PAGE, 100 * PAGE)
    file.random = False
    mem_map.set_flags(m, file.inode.i_pages[100], mem_map.PG_readahead)
    read_write.read(m, file, None, PAGE, 100 * PAGE)
    assert (file.ra.start, file.ra.size) == (132, 32)


def test_shadows_fill_lots_in_which_pages_are_dropped() -> None:
    m = machine()
    file = opened(m)
    file.random = True
    read_write.read(m, file, None, 20 * PAGE, 0)
    for index in range(5, 12):
        file.inode.shadows[index] = 2
        pagemap.filemap_remove_folio(m, file.inode, file.inode.i_pages[index])
    groups = pagemap.lots(m, file.inode, 0, None)
    assert [len(group) for group in groups] == [8, 5]
    pagemap.drop_pagecache(m, file.inode)
    assert not file.inode.i_pages
    assert not file.inode.shadows


def test_pages_that_are_being_written_are_not_dropped() -> None:
    m = machine()
    file = opened(m)
    file.random = True
    read_write.read(m, file, None, 3 * PAGE, 0)
    swap.lru_add_drain(m)
    mem_map.set_flags(m, file.inode.i_pages[1], PG_writeback)
    assert pagemap.drop_pagecache(m, file.inode) == 0
    assert list(file.inode.i_pages) == [1]


def test_pages_on_lists_keep_a_pageblock_for_what_can_be_moved() -> None:
    """Of a movable pageblock, all that is neither free nor on a list is taken to be like what steals."""
    claimed = []
    for on_lists in (True, False):
        m = machine()
        zone = m.zones[-1]
        taken: list[int] = []
        frames = Counter[int]()
        block = first = 0
        while frames[block] < 300 or not first:
            taken.append(alloc_pages(m, GFP_HIGHUSER_MOVABLE, 0) or 0)
            block = taken[-1] & -512
            frames[block] += 1
            first = next((pfn for pfn in zone.buddy if block <= pfn < block + 512), 0)
        for pfn in taken if on_lists else ():
            mem_map.set_flags(m, pfn, PG_lru)
        assert buddy.steal_pageblock(m, zone, first, MIGRATE_UNMOVABLE, MIGRATE_MOVABLE)
        claimed.append(zone.get_pfnblock_migratetype(block) == MIGRATE_UNMOVABLE)
    assert claimed == [False, True]


def test_a_node_of_a_file_counts_when_only_shadows_are_left_in_it() -> None:
    m = machine()
    file = opened(m)
    file.random = True
    read_write.read(m, file, None, 130 * PAGE, 0)
    counts = []
    for index in range(130):
        file.inode.shadows[index] = 2
        pagemap.filemap_remove_folio(m, file.inode, file.inode.i_pages[index])
        counts.append(global_node_page_state(m)["workingset_nodes"])
    assert (counts[62:65], counts[127], counts[-1]) == ([0, 1, 1], 2, 3)
