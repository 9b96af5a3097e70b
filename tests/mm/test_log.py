"""The log is the kernel's: rates, struct slab, bytes of objects, slabs at OOM, nothing after a panic."""

import re

import pytest

from tests.support.lab import Lab, texts

SLEEPING = "BUG: sleeping function called from invalid context"
BAD = (
    "GFP_DMA|__GFP_HIGHMEM",
    "GFP_DMA|GFP_DMA32",
    "GFP_DMA32|__GFP_HIGHMEM",
    "GFP_DMA|GFP_DMA32|__GFP_HIGHMEM",
)
MOVABLE = "|__GFP_MOVABLE"


@pytest.mark.parametrize(("rules", "reports"), [(1, 2), (2, 1)])
def test_sleeping_is_reported_once_a_call(rules: int, reports: int) -> None:
    lab = Lab(rules=rules)
    for _ in range(2):
        said = [line for line in texts(lab("vmalloc", size=8192, context="atomic")) if SLEEPING in line]
        assert (len(said) == 1) if rules == 2 else (len(said) >= reports)


@pytest.mark.parametrize("bits", [bits + more for bits in BAD for more in ("", MOVABLE)])
@pytest.mark.parametrize(("rules", "debug"), [(1, True), (2, False), (2, True)])
def test_zone_bits_that_exclude_each_other(bits: str, rules: int, debug: bool) -> None:
    lab = Lab(rules=rules, debug=debug)
    outcome = lab("alloc_page", gfp=f"GFP_KERNEL|{bits}")
    found = "kernel BUG at include/linux/gfp.h:136!" in texts(outcome)
    assert found is (rules == 2 and debug)
    assert outcome.verdict == ("bug" if found else "ok")
    if not found:
        assert outcome.page is not None
        assert outcome.page["zone"] == "DMA"
    assert (outcome.cause is None) is (rules == 1)
    assert lab("alloc_page", gfp="GFP_KERNEL").verdict == "ok"


@pytest.mark.parametrize("profile", ["tiny-16m", "tiny-32m"])
def test_the_page_of_a_slab_is_read_as_a_slab(profile: str) -> None:
    lab = Lab(profile=profile)
    lab("kmem_cache_create", name="mine", size=100)
    address = lab("kmem_cache_alloc", cache="mine", flags="GFP_KERNEL")
    lines = texts(lab("free_pages", addr=address.ret, order=0))
    words = [int(word, 16) for line in lines if line.startswith("raw: ") for word in line[5:].split()]
    slab = next(iter(lab.m.caches["mine"].slabs.values()))
    assert words[3] == lab.m.caches["mine"].object
    assert words[4] == slab.address(slab.freelist[-1])
    assert words[5] == slab.objects << 16 | 1
    assert any(f"index:{words[4]:#x} " in line for line in lines)


def test_an_object_is_dumped_as_bytes() -> None:
    lab = Lab()
    first, second, _ = (lab("kmalloc", size=64, flags="GFP_KERNEL").ret for _ in range(3))
    lab("kfree", addr=first)
    lab("kfree", addr=second)
    lines = texts(lab("kfree", addr=second))
    dump = [line for line in lines if re.match(r"(Bytes b4|Object  ) [0-9a-f]{16}: ", line)]
    assert [line[:9] for line in dump] == ["Bytes b4 ", *["Object   "] * 4]
    assert all(re.fullmatch(r".{25}: ([0-9a-f]{2} ){16} .{16}", line) for line in dump)
    content = bytes.fromhex("".join(line[27:74] for line in dump[1:]))
    place = int(second, 16) + 32
    pointer = int.from_bytes(content[32:40], "little") ^ int.from_bytes(place.to_bytes(8, "little"), "big")
    assert pointer == int(first, 16)
    assert content[:32] == bytes(32)


def test_poison_and_red_zones_are_shown() -> None:
    lab = Lab()
    lab("kmem_cache_create", name="p", size=40, flags="SLAB_POISON|SLAB_RED_ZONE|SLAB_CONSISTENCY_CHECKS")
    address = lab("kmem_cache_alloc", cache="p", flags="GFP_KERNEL").ret
    lab("kmem_cache_alloc", cache="p", flags="GFP_KERNEL")
    lab("kmem_cache_free", cache="p", addr=address)
    lines = texts(lab("kmem_cache_free", cache="p", addr=address))
    sections = [
        (line.split()[0], line.split(": ")[1].split("  ")[0].split())
        for line in lines
        if re.match(r"(Red|Obj|Pad).{22}: ", line)
    ]
    assert [name for name, _ in sections] == ["Redzone", "Object", "Object", "Object", "Redzone", "Padding"]
    assert set(sections[0][1]) == set(sections[4][1]) == {"bb"}
    assert [byte for name, row in sections if name == "Object" for byte in row] == ["6b"] * 39 + ["a5"]
    assert set(sections[5][1]) == {"5a"}


def test_out_of_memory_names_the_slabs_and_ends_the_log() -> None:
    lab = Lab(reclaim=False)
    lines = texts(lab("kmalloc", size=4096, flags="GFP_KERNEL", until="null"))
    at = lines.index("Unreclaimable slab info:")
    assert lines[at + 1] == "Name                      Used          Total"
    assert any(re.fullmatch(r"kmalloc-4k +\d+KB +\d+KB", line) for line in lines[at + 2 :])
    assert not any(line.startswith("kmalloc-rcl") for line in lines[at:])
    assert at < lines.index("Tasks state (memory values in pages):")
    assert lines[-1] == "Kernel panic - not syncing: System is deadlocked on memory"
    # The next call's are there again.
    assert texts(lab("put_page", page=None))


def test_the_slab_allocator_s_own_report_is_printed_ten_times_a_call() -> None:
    lab = Lab()
    lab("alloc_page", gfp="GFP_ATOMIC|__GFP_MEMALLOC", until="null")
    lines = texts(lab("kmalloc", size=2000, flags="GFP_NOWAIT", repeat=50))
    assert sum(line.startswith("SLUB: Unable to allocate") for line in lines) == 10
