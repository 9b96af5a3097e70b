"""kmap: 512 slots, addresses that outlive their users, and what happens when all are taken."""

import pytest

from app.errors import BadArgument, TaskBlocked
from app.machine import boot
from app.mm.highmem import LAST_PKMAP
from tests.support.vmalloc_machines import Caller, text

PAGE = 4096
PKMAP_BASE = 0xFF000000


def machine(pages: int = 1) -> tuple[Caller, list[int]]:
    """A machine with HIGHMEM, and page frames of it."""
    call = Caller("i386-1g")
    runs = call("alloc_pages", gfp="GFP_HIGHUSER", order=0, repeat=pages).runs
    assert runs is not None
    return call, [pfn for first, count in runs for pfn in range(first, first + count)]


def test_a_highmem_page_has_no_address_until_it_is_mapped() -> None:
    call, (pfn,) = machine()
    outcome = call("page_address", pfn=pfn)
    assert (outcome.ret, outcome.verdict) == (None, "null")
    mapped = call("kmap", pfn=pfn)
    assert mapped.ret == f"{PKMAP_BASE + PAGE:#x}"
    assert mapped.named is not None
    assert mapped.named.addr == PKMAP_BASE + PAGE
    assert call("page_address", pfn=pfn).ret == mapped.ret


def test_a_second_kmap_is_a_reference_on_the_same_slot() -> None:
    call, (first, second) = machine(2)
    assert call("kmap", pfn=first).ret == call("kmap", pfn=first).ret
    assert call("kmap", pfn=second).ret == f"{PKMAP_BASE + 2 * PAGE:#x}"
    assert call.m.pkmap.pkmap_count[1:4] == [3, 2, 0]


def test_the_address_stays_until_the_search_comes_round() -> None:
    call, pages = machine(LAST_PKMAP + 1)
    address = call("kmap", pfn=pages[0]).ret
    call("kunmap", pfn=pages[0])
    for pfn in pages[1:LAST_PKMAP]:
        assert call("page_address", pfn=pages[0]).ret == address
        call("kmap", pfn=pfn)
    assert call("page_address", pfn=pages[0]).ret is None
    assert call("kmap", pfn=pages[LAST_PKMAP]).ret == address


def test_low_memory_and_64_bits_need_no_slot() -> None:
    call, _ = machine()
    low = call("alloc_pages", gfp="GFP_KERNEL", order=0).page
    assert low is not None
    assert call("kmap", pfn=low["pfn"]).ret == low["address"]
    assert call("kunmap", pfn=low["pfn"]).verdict == "ok"
    call = Caller("x86_64-1g")
    page = call("alloc_pages", gfp="GFP_HIGHUSER", order=0).page
    assert page is not None
    assert call("kmap", pfn=page["pfn"]).ret == page["address"]
    assert not any(call.m.pkmap.pkmap_count)


def all_taken() -> tuple[Caller, list[int]]:
    """A machine with every slot in use, and frames of which the last four are not mapped."""
    call, pages = machine(LAST_PKMAP + 4)
    for pfn in pages[:LAST_PKMAP]:
        assert call("kmap", pfn=pfn).verdict == "ok"
    return call, pages


def test_the_513th_mapping_sleeps_until_one_is_given_up() -> None:
    call, pages = all_taken()
    alices, bobs = pages[-1], pages[-2]
    outcome = call("kmap", pfn=alices, task="alice")
    assert (outcome.ret, outcome.verdict) == (None, "blocked")
    assert call("kmap", pfn=bobs, task="bob").verdict == "blocked"
    with pytest.raises(
        TaskBlocked, match=r"alice has been asleep since #\d+, for a kmap slot .* kunmap"
    ) as blocked:
        call("page_count", pfn=alices, task="alice")
    assert blocked.value.pfn == alices
    # A queue in which nobody waits exclusively is filled at its head: the last to come is served first.
    assert call("kunmap", pfn=pages[0]).woken == ["bob"]
    assert call("page_address", pfn=bobs).ret == f"{PKMAP_BASE + PAGE:#x}"
    assert call("page_address", pfn=pages[0]).ret is None
    assert call("kunmap", pfn=pages[7], task="bob").woken == ["alice"]
    assert call("page_address", pfn=alices).ret == f"{PKMAP_BASE + 8 * PAGE:#x}"


def test_a_slot_with_other_users_wakes_nobody() -> None:
    call, pages = all_taken()
    call("kmap", pfn=pages[0])
    call("kmap", pfn=pages[-1], task="alice")
    assert call("kunmap", pfn=pages[0]).woken is None
    assert call("kunmap", pfn=pages[0]).woken == ["alice"]


def test_a_killed_task_leaves_the_queue() -> None:
    call, pages = all_taken()
    call("kmap", pfn=pages[-1], task="alice")
    call("kill_task", task="alice")
    assert call("kunmap", pfn=pages[0]).woken is None
    assert call("page_address", pfn=pages[-1]).ret is None


def test_an_interrupt_cannot_wait_for_a_slot() -> None:
    call, pages = all_taken()
    outcome = call("kmap", pfn=pages[-1], context="softirq")
    assert (outcome.ret, outcome.verdict) == (None, "bug")
    assert "BUG: scheduling while atomic: init/1/0x00000101" in text(outcome)
    assert call("page_count", pfn=pages[-1]).verdict == "ok"


@pytest.mark.parametrize("debug", [True, False])
def test_kmap_in_an_interrupt_is_reported_by_a_debugging_kernel(debug: bool) -> None:
    call = Caller("i386-1g", debug=debug)
    page = call("alloc_pages", gfp="GFP_HIGHUSER", order=0).page
    assert page is not None
    outcome = call("kmap", pfn=page["pfn"], context="tasklet")
    assert outcome.ret == f"{PKMAP_BASE + PAGE:#x}"
    assert outcome.verdict == ("bug" if debug else "ok")
    report = "BUG: sleeping function called from invalid context at include/linux/highmem-internal.h:44"
    assert (report in text(outcome)) is debug


def test_kunmap_of_what_is_not_mapped_is_a_bug() -> None:
    call, (pfn,) = machine()
    outcome = call("kunmap", pfn=pfn)
    assert outcome.verdict == "bug"
    assert "kernel BUG at mm/highmem.c:358!" in text(outcome)


def test_one_kunmap_too_many_is_a_bug_and_the_slot_survives() -> None:
    call, (pfn,) = machine()
    address = call("kmap", pfn=pfn).ret
    assert call("kunmap", pfn=pfn).verdict == "ok"
    outcome = call("kunmap", pfn=pfn)
    assert outcome.verdict == "bug"
    assert "kernel BUG at mm/highmem.c:368!" in text(outcome)
    assert call("kmap", pfn=pfn).ret == address


def test_a_dump_keeps_slots_and_waiters() -> None:
    call, pages = all_taken()
    call("kmap", pfn=pages[-1], task="alice")
    call("kmap", pfn=pages[-2], task="bob")
    assert call.reloaded() == call.m.dump()


@pytest.mark.parametrize(
    "window",
    [
        {"slots": [[512, 1, 230000]]},
        {"slots": [[1, 1, 5000]]},
        {"slots": [[1, 0, 230000]]},
        {"slots": [[1, 1, 230000], [2, 1, 230000]]},
        {"waiters": [["init", 230000]]},
        {"waiters": [["nobody", 230000]]},
        {"last_pkmap_nr": -1},
    ],
)
def test_a_window_that_cannot_be_is_refused(window: dict[str, object]) -> None:
    call, _ = machine()
    with pytest.raises(BadArgument) as caught:
        boot.load(call.m.dump() | {"pkmap": window})
    assert caught.value.faults[0].loc[:2] == ("dump", "pkmap")
