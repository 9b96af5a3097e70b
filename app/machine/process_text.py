"""What a call did to processes, in one sentence: of its outcome alone, so that everybody says the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Json = Mapping[str, Any]

# What the fault of an access came to. {frame}: where the address is mapped then.
FAULTS: Final = {
    "anon_zero": "nothing was ever written here, so a read gets the page of zeros that all share",
    "anon_page": "the first write gets a zeroed page of its own, frame {frame}",
    "file_cached": "the page of the file is in memory already, in frame {frame}",
    "file_read": "the page of the file was not in memory and is in frame {frame} now",
    "file_cow": "a private write to a file gets a copy of its own, frame {frame}; the file stays as it is",
    "file_shared": "the page of the shared file, frame {frame}, may be written and is dirty",
    "shmem": "a page of shared memory is made of zeros, frame {frame}",
    "mkwrite": "the file system is told of the first write, and frame {frame} is dirty",
    "cow_reuse": "nobody else has frame {frame} any more, so it is made writable and nothing is copied",
    "cow_copy": "the page is shared, so the writer gets a copy of its own, frame {frame}",
    "swap_in": "the page was in swap and is in frame {frame} now",
    "thp": "one huge page of 512 frames is mapped by one entry; the address is in frame {frame}",
    "thp_zero": "a read gets the huge page of zeros that all share",
    "thp_cow": "the huge page is shared: its mapping is split, and the small page is copied to frame {frame}",
    "hugetlb": "a huge page of the pool is mapped; the address is in frame {frame}",
    "hugetlb_cow": "the huge page is shared, so the writer gets another one of the pool, with frame {frame}",
    "stack": "the stack grows down to the address, and a page is mapped there, frame {frame}",
    "spurious": "the entry allowed it already when the kernel looked",
}
ALLOWED: Final = "the entry allows it, so the processor makes the access alone"
# Which of a call's steps decided, by the fault or by the call: the last of the first of these that there is.
DECIDING: Final = {
    "anon_zero": ("do_anonymous_page",),
    "anon_page": ("do_wp_page", "do_anonymous_page"),
    "file_cached": ("do_async_mmap_readahead", "filemap_fault", "shmem_get_folio_gfp", "filemap_map_pages"),
    "file_read": ("filemap_fault",),
    "file_cow": ("do_wp_page", "do_cow_fault"),
    "file_shared": ("do_wp_page", "fault_dirty_shared_page"),
    "shmem": ("shmem_get_folio_gfp",),
    "mkwrite": ("do_wp_page",),
    "cow_reuse": ("do_wp_page", "do_huge_pmd_wp_page", "hugetlb_wp"),
    "cow_copy": ("do_wp_page",),
    "swap_in": ("do_swap_page",),
    "thp": ("do_huge_pmd_anonymous_page",),
    "thp_zero": ("set_huge_zero_page",),
    "thp_cow": ("do_huge_pmd_wp_page",),
    "hugetlb": ("alloc_huge_page", "hugetlb_no_page"),
    "hugetlb_cow": ("hugetlb_wp",),
    "stack": ("expand_downwards",),
    "spurious": ("handle_pte_fault",),
    "mmap": ("mmap_region",),
    "munmap": ("do_mas_align_munmap",),
    "brk": ("brk",),
    "fork": ("copy_pte_range", "dup_mmap"),
    "sysctl": ("migrate_pages", "compact_zone"),
    "swapon": ("swapon",),
    "swapoff": ("unuse_pte", "try_to_unuse"),
}
SIGNALS: Final = {
    "SEGV_MAPERR": "no area has {addr}",
    "SEGV_ACCERR": "the area of {addr} does not allow a {access}",
    "SI_KERNEL": "{addr} is no address of a process or the kernel",
    "BUS_ADRERR": "the area has {addr}, but nothing is behind it",
}


def sentence(outcome: Json) -> str | None:
    """What became of it; None of a call that is not about processes, or was answered with an error."""
    if "access" not in outcome or outcome["verdict"] not in ("ok", "null") or is_error(outcome):
        return None
    if outcome["call"] in ("load", "store"):
        return of_accesses(outcome)
    say = SAID.get(outcome["call"])
    said = say(outcome) if say is not None else "Done"
    if signal := signal_of(outcome):
        return f"{said}. {signal}."
    return f"{said}{faulted(outcome)}."


def is_error(outcome: Json) -> bool:
    """Whether the kernel's answer is an error."""
    ret = outcome["ret"]
    return isinstance(ret, int) and not isinstance(ret, bool) and ret < 0


def deciding(outcome: Json, steps: Sequence[Json]) -> int | None:
    """The number of the step that decided."""
    if not steps:
        return None
    places = {step["fn"]: number for number, step in enumerate(steps, 1)}
    access = outcome["access"]
    if signal_of(outcome):
        end = places.get("force_sig_fault", len(steps))
        against = [number for number, step in enumerate(steps[:end], 1) if step["verdict"] in ("no", "none")]
        return against[-1] if against else end
    key = access[-1]["fault"] if outcome["call"] in ("load", "store") and access else outcome["call"]
    return next((places[fn] for fn in DECIDING.get(key, ()) if fn in places), len(steps))


# -- accesses --------------------------------------------------------------------------------------


def of_accesses(outcome: Json) -> str:
    """Of a `load` or `store`."""
    access, args = outcome["access"], outcome["args"]
    times = int(args.get("count", 1))
    if times == 1 and access:
        return of_one(access[0])
    what = "writes" if outcome["call"] == "store" else "reads"
    faults = outcome["faults"]
    said = (
        f"{times:,} {what}: {several(faults['min'], 'minor fault')}, {several(faults['maj'], 'major fault')}"
    )
    if access is not None and access:
        kinds = dict.fromkeys(entry["fault"] for entry in access if entry["signal"] is None)
        said += "".join(f"; {sum(entry['fault'] == kind for entry in access):,} × {kind}" for kind in kinds)
    if signal := signal_of(outcome):
        return f"{said}. {signal}."
    return f"{said}."


def of_one(entry: Json) -> str:
    """Of one access."""
    if entry["signal"] is not None:
        return f"{signal_text(entry)}."
    if entry["fault"] == "none":
        return f"No fault: {ALLOWED}."
    frame = "none" if entry["pfn"] is None else f"{entry['pfn']:#x}"
    said = f"A {'major' if entry['major'] else 'minor'} fault: {FAULTS[entry['fault']].format(frame=frame)}"
    if entry["fault"] == "file_cached" and entry["major"]:
        said += ", and with it the next read-ahead began"
    if entry["mapped_around"]:
        said += f"; {several(entry['mapped_around'], 'neighbour')} mapped with it"
    if entry["new_tables"]:
        said += f"; {several(len(entry['new_tables']), 'new page table')} ({', '.join(entry['new_tables'])})"
    return f"{said}."


def signal_text(entry: Json) -> str:
    """Why a process gets a signal."""
    access = "write" if entry["write"] else "read"
    why = SIGNALS[entry["code"]].format(addr=entry["addr"], access=access)
    return f"{entry['signal']} ({entry['code']}): {why}, so the process dies"


def signal_of(outcome: Json) -> str:
    """The signal with which the accesses of a call ended; empty where there was none."""
    access = outcome["access"]
    return signal_text(access[-1]) if access and access[-1]["signal"] is not None else ""


def several(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def faulted(outcome: Json) -> str:
    """The faults that a call made by the way."""
    faults = outcome["faults"]
    told = [
        several(faults[key], f"{name} fault")
        for key, name in (("min", "minor"), ("maj", "major"))
        if faults[key]
    ]
    return f"; {' and '.join(told)}" if told else ""


# -- other calls -----------------------------------------------------------------------------------


def pages(outcome: Json, *, gone: bool) -> int | None:
    """How many pages got another entry, or have none any more; None where there were too many to tell."""
    runs: Sequence[Sequence[Any]] | None = outcome["pte"]
    if runs is None:
        return None
    return sum(int(run[2]) for run in runs if (run[3] == "none") is gone)


def amount(number: int | None) -> str:
    """A number of pages."""
    return "many pages" if number is None else several(number, "page")


def of_mmap(outcome: Json) -> str:
    """Of `mmap`: the area that has the addresses now."""
    start = int(outcome["ret"], 16)
    area = next((run for run in outcome["vma"] or () if int(run[1], 16) <= start < int(run[2], 16)), None)
    mapped = pages(outcome, gone=False)
    filled = "no page is mapped before it is touched" if mapped == 0 else f"{amount(mapped)} mapped at once"
    where = "" if area is None else f", in the area {area[1]}-{area[2]} {area[3]}"
    return f"Addresses from {outcome['ret']} on may be used{where}; {filled}"


def of_munmap(outcome: Json) -> str:
    """Of `munmap`."""
    return f"The addresses are nobody's any more; {amount(pages(outcome, gone=True))} unmapped"


def of_fork(outcome: Json) -> str:
    """Of `fork`: what is shared, and what is not."""
    child = outcome["args"].get("child")
    runs = outcome["pte"]
    if runs is None:
        return f"{child} has the same areas; no page was copied, and neither may write to what they share"
    shared = sum(run[2] for run in runs if run[0] != child and not run[3].startswith("swap"))
    return (
        f"{child} has the same areas and no page was copied: it shares what no fault could find again, and"
        f" faults in the rest; {amount(shared)} lost the right to write, so that the first write is seen"
    )


def of_execve(outcome: Json) -> str:
    """Of `execve`."""
    mapped = amount(pages(outcome, gone=False))
    return f"A new address space with the program's areas; {mapped} of them mapped so far"


def of_exit(outcome: Json) -> str:
    """Of `exit`."""
    return "The address space is gone, with the pages and tables that nobody else had"


def of_brk(outcome: Json) -> str:
    """Of `brk`."""
    return f"The heap ends at {outcome['ret']}"


def of_mprotect(outcome: Json) -> str:
    """Of `mprotect`."""
    return f"The addresses have other rights; {amount(pages(outcome, gone=False))} got other entries"


def of_madvise(outcome: Json) -> str:
    """Of `madvise`."""
    gone, other = pages(outcome, gone=True), pages(outcome, gone=False)
    if gone is None or gone:
        return f"{amount(gone).capitalize()} given up; the addresses may be used as before"
    return (
        f"{amount(other).capitalize()} got other entries"
        if other
        else "Noted for the addresses; no entry changed"
    )


def of_mremap(outcome: Json) -> str:
    """Of `mremap`."""
    return f"The area begins at {outcome['ret']}; its pages were not copied"


def of_open(outcome: Json) -> str:
    """Of `open`."""
    return f"Descriptor {outcome['ret']} is the open file"


def of_copy(outcome: Json) -> str:
    """Of `copy_from_user` and `copy_to_user`."""
    left = int(outcome["ret"])
    return (
        f"{several(left, 'byte')} not copied: a bad address is no signal here" if left else "All was copied"
    )


def of_file(outcome: Json) -> str:
    """Of `read` and `write`."""
    what = "read from" if outcome["call"] == "read" else "written to"
    return f"{several(int(outcome['ret']), 'byte')} {what} the page cache"


def of_sysctl(outcome: Json) -> str:
    """Of `sysctl`: of the settings that do something at once, compaction moves pages of processes."""
    if outcome["args"]["name"].removeprefix("vm.") != "compact_memory":
        return "Done"
    moved = pages(outcome, gone=False)
    if moved == 0:
        return "No page of a process was moved"
    return f"{amount(moved).capitalize()} of processes got another frame; who maps them finds them there"


def of_swapon(outcome: Json) -> str:
    """Of `swapon`."""
    return f"Pages may be written to {outcome['args']['path']} where memory is short"


def of_swapoff(outcome: Json) -> str:
    """Of `swapoff`."""
    return f"Nothing is in {outcome['args']['path']} any more: what was there has been brought back"


SAID: Final[dict[str, Callable[[Json], str]]] = {
    "mmap": of_mmap,
    "munmap": of_munmap,
    "fork": of_fork,
    "execve": of_execve,
    "exit": of_exit,
    "brk": of_brk,
    "mprotect": of_mprotect,
    "madvise": of_madvise,
    "mremap": of_mremap,
    "sysctl": of_sysctl,
    "open": of_open,
    "close": lambda _: "The descriptor is free again; what is mapped stays mapped",
    "read": of_file,
    "write": of_file,
    "copy_from_user": of_copy,
    "copy_to_user": of_copy,
    "mlock": lambda _: "The pages are in memory and stay there",
    "munlock": lambda _: "The pages may be reclaimed again",
    "msync": lambda _: "What was written through shared mappings is written back",
    "fsync": lambda _: "The file's dirty pages are written back",
    "ftruncate": lambda _: "The file has its new size; what was mapped behind its end is unmapped",
    "posix_fadvise": lambda _: "Noted for the file",
    "swapon": of_swapon,
    "swapoff": of_swapoff,
    "unlink": lambda _: "The name is gone; the file goes when nobody has it open or mapped",
}
