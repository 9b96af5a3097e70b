"""Which steps of a long explanation are listed, and which are folded."""

from typing import Any

from app.machine.trace import conclusion
from app.web.folding import FOLDED, Fold, Part, folds, listing
from tests.support.explainer import Explainer


def steps(*names: str) -> list[dict[str, Any]]:
    return [{"fn": name, "depth": 0, "verdict": None, "zone": None} for name in names]


LONG = steps("a", *["x", "y"] * 200, "b", "c")


def test_a_loop_is_found_however_long_it_is() -> None:
    assert folds(LONG) == [Fold(1, 2, 200)]


def test_what_is_behind_a_loop_is_on_the_page() -> None:
    loop = Fold(1, 2, 200)
    assert listing(LONG, 0, None, 100, percpu=False) == [
        Part(0, 3),
        Part(3, 3 + FOLDED, loop),
        Part(401, 403),
    ]


def test_the_step_that_is_shown_is_listed_in_its_fold() -> None:
    loop = Fold(1, 2, 200)
    assert listing(LONG, 200, 250, 100, percpu=False) == [Part(200, 300, loop)]
    assert listing(LONG, 400, 402, 100, percpu=False) == [Part(400, 401, loop), Part(401, 403)]


def test_steps_of_per_cpu_lists_fold_for_the_lecture() -> None:
    some = steps("__alloc_pages", "rmqueue_pcplist", "rmqueue_bulk", "__alloc_pages")
    assert listing(some, 0, None, 100, percpu=True) == [Part(0, 1), Part(1, 3, of="percpu"), Part(3, 4)]
    assert listing(some, 0, None, 100, percpu=False) == [Part(0, 4)]


def test_steps_of_the_allocator_fold_inside_a_fault() -> None:
    machine = Explainer()
    for line in ("a: execve()", "a: p = mmap(NULL, 8K, PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)"):
        machine.line(line)
    found = machine.line("a: store(p)")
    folded = [part for part in listing(found, 0, None, 100, percpu=False, inside=True) if part.of]
    assert {part.of for part in folded} == {"allocator"}
    hidden = {found[place]["fn"] for part in folded for place in range(part.start, part.stop)}
    assert {"__alloc_pages", "rmqueue_pcplist", "kmem_cache_alloc"} <= hidden
    assert folds(found) == []
    assert not hidden & {"exc_page_fault", "find_vma", "pmd_offset", "do_anonymous_page", "set_pte_at"}


def test_why_there_is_no_block_is_said_in_one_sentence() -> None:
    machine = Explainer(memory="256M")
    machine.call("alloc_pages", gfp="GFP_ATOMIC|__GFP_MEMALLOC", order=0, until="null")
    machine.call("__free_pages", page="$it", order=0, step=2)
    found = machine.call("alloc_pages", gfp="GFP_KERNEL", order=4)
    said, deciding = conclusion.of(machine.outcome.as_json(machine.m.model), found, None, {})
    assert said.startswith("NULL: DMA32: free ")
    assert said.count("but no block of order ≥ 4") == 2
    assert deciding is not None
    assert (found[deciding - 1]["fn"], found[deciding - 1]["verdict"]) == ("zone_watermark_fast", "no")
    assert len(listing(found, 0, None, 100, percpu=False)) == 5


def test_conclusions_of_what_went_well() -> None:
    machine = Explainer()
    for function, args, words in (
        ("alloc_pages", {"gfp": "GFP_KERNEL", "order": 3}, "0xffffea"),
        ("kmalloc", {"size": 100, "flags": "GFP_KERNEL"}, "0xffff888"),
        ("kfree", {"addr": "$it"}, "Done: "),
    ):
        found = machine.call(function, **args)
        said, deciding = conclusion.of(machine.outcome.as_json(machine.m.model), found, None, {})
        assert said.startswith(words)
        assert deciding in range(1, len(found) + 1)
    assert conclusion.of({"verdict": "ok", "ret": 1}, [], None, {})[1] is None
