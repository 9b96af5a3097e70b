"""Pages and addresses are two things: the answer to who mixes them up, on both kinds of kernels."""

from typing import Any

import pytest

from app.machine import boot, parsing
from app.machine.calls import Named
from app.machine.calltext import parse_line
from app.machine.entry import CALLS
from app.machine.outcome import Outcome
from app.mm.memory_model import PAGE_SIZE
from tests.support.explainer import Explainer, of, only
from tests.support.lab import Lab, texts

ZEROED = "page dumped because: "


class Typist:
    """Lines of text on a machine, with names."""

    def __init__(self, **description: Any) -> None:
        self.lab = Lab(**{"profile": "x86_64-1g"} | description)
        self.names: dict[str, Named] = {}

    def __call__(self, text: str) -> Outcome:
        line = parse_line(text)
        m = self.lab.m
        self.lab.seq += 1
        parsed = parsing.parse(str(line.name), line.body, m.model, self.names)
        call = parsed.resolve(self.names, m.model, rules=m.rules)
        outcome = m.apply(call, self.lab.seq)
        if line.as_name is not None and outcome.named is not None:
            self.names[line.as_name] = outcome.named
        # What the journal keeps reads back as the same call.
        kept = {
            key: value for key, value in call.as_json(m.model).items() if value is not None or key != "count"
        }
        assert parsing.parse(call.name, kept, m.model) == call
        return outcome


@pytest.fixture
def debugging() -> Typist:
    return Typist()


@pytest.fixture
def silent() -> Typist:
    return Typist(debug=False)


@pytest.mark.parametrize("line", ["free_page(p)", "free_pages(p, 0)"])
def test_a_page_where_an_address_is_freed(debugging: Typist, silent: Typist, line: str) -> None:
    debugging("p = alloc_page(GFP_KERNEL)")
    freed = debugging(line)
    assert (freed.verdict, "kernel BUG at mm/page_alloc.c:5757!" in texts(freed)) == ("bug", True)
    page = silent("p = alloc_page(GFP_KERNEL)").page
    assert page is not None
    fault = silent(line)
    assert fault.verdict == "bug"
    assert any("unable to handle page fault" in text for text in texts(fault))


@pytest.mark.parametrize(
    ("line", "reason", "place"),
    [
        ("__free_page(a)", "VM_BUG_ON_PAGE(page_ref_count(page) == 0)", "include/linux/mm.h:780"),
        ("__free_pages(a, 2)", "VM_BUG_ON_PAGE(page_ref_count(page) == 0)", "include/linux/mm.h:780"),
        ("put_page(a+64)", "VM_BUG_ON_PAGE(page_ref_count(page) == 0)", "include/linux/mm.h:780"),
        (
            "get_page(a)",
            "VM_BUG_ON_FOLIO(((unsigned int) folio_ref_count(folio) + 127u <= 127u))",
            "include/linux/mm.h:1146",
        ),
        ("unlock_page(a)", "VM_BUG_ON_FOLIO(!folio_test_locked(folio))", "mm/filemap.c:1552"),
        ("split_page(a, 1)", "VM_BUG_ON_PAGE(!page_count(page))", "mm/page_alloc.c:3645"),
    ],
)
@pytest.mark.parametrize("profile", ["x86_64-1g", "i386-1g"])
def test_an_address_where_a_page_is_taken(line: str, reason: str, place: str, profile: str) -> None:
    """The page's zeroes are read as a struct page, in which the count is 0."""
    debugging, silent = Typist(profile=profile), Typist(profile=profile, debug=False)
    for caller in (debugging, silent):
        caller("a = __get_free_pages(GFP_KERNEL, 2)")
    said = debugging(line)
    assert said.verdict == "bug"
    assert [text for text in texts(said) if text.startswith(ZEROED)] == [ZEROED + reason]
    assert f"kernel BUG at {place}!" in texts(said)
    quiet = silent(line)
    assert quiet.verdict == "warn"
    assert any("the kernel would now change what is in memory there" in text for text in texts(quiet))


def test_the_zeroes_as_a_page(debugging: Typist) -> None:
    address = debugging("a = __get_free_page(GFP_KERNEL)").ret
    shown = texts(debugging("__free_page(a)"))
    assert isinstance(address, str)
    assert shown[0].startswith(
        f"page:{address[2:]} refcount:0 mapcount:1 mapping:0000000000000000 index:0x0 pfn:0x"
    )
    assert shown[1] == "flags: 0x0(node=0|zone=0|lastcpupid=0x0)"
    assert shown[2] == shown[3] == "raw: " + " ".join(["0" * 16] * 4)


@pytest.mark.parametrize("profile", ["x86_64-1g", "i386-1g"])
@pytest.mark.parametrize("debug", [True, False])
def test_what_only_reads_reads_zeroes(profile: str, *, debug: bool) -> None:
    caller = Typist(profile=profile, debug=debug)
    caller("a = __get_free_page(GFP_KERNEL)")
    answers = {"page_count": 0, "page_mapcount": 1, "get_page_unless_zero": 0, "trylock_page": 1}
    for name, answer in answers.items():
        assert caller(f"{name}(a)").ret == answer
    for name in ("wait_on_page_locked", "lock_page", "SetPageDirty", "ClearPageReserved"):
        assert caller(f"{name}(a)").ret is None
    for name in ("page_address", "kmap"):
        assert str(caller(f"{name}(a)").ret).startswith("0x")
    caller("kunmap(a)")


def test_every_call_that_takes_a_page_has_an_answer(debugging: Typist) -> None:
    debugging("a = __get_free_page(GFP_KERNEL)")
    for name, spec in CALLS.items():
        if spec.native == "page":
            more = ", 0" if any(arg.name == "order" and arg.required for arg in spec.args) else ""
            assert debugging(f"{name}(a{more})").verdict in {"ok", "warn", "bug"}


@pytest.mark.parametrize(
    ("name", "at", "access"),
    [("page_count", 8, "read"), ("page_mapcount", 0, "read"), ("SetPageReserved", 0, "write")],
)
def test_nothing_is_mapped_there(debugging: Typist, name: str, at: int, access: str) -> None:
    said = debugging(f"{name}(0xffffeb0200000000)")
    assert f"BUG: unable to handle page fault for address: {0xFFFFEB0200000000 + at:016x}" in texts(said)
    assert f"#PF: supervisor {access} access in kernel mode" in texts(said)


def test_an_unsigned_long_counts_in_bytes(debugging: Typist) -> None:
    a = debugging("a = __get_free_pages(GFP_KERNEL, 3)")
    assert isinstance(a.ret, str)
    third = debugging(f"p = virt_to_page(a+{2 * PAGE_SIZE})").page
    assert third is not None
    assert a.page is not None
    assert third["pfn"] == a.page["pfn"] + 2
    same = debugging("virt_to_page(a+3)").page
    assert same is not None
    assert same["pfn"] == a.page["pfn"]
    assert (
        debugging("free_pages(a+3, 3)").verdict == "ok"
    )  # virt_to_page cuts the rest off, in the kernel too


def test_what_is_right_stays_right(debugging: Typist) -> None:
    for line in (
        "p = alloc_pages(GFP_KERNEL, 3)", "a = page_address(p)", "q = virt_to_page(a)", "get_page(q+0)",
        "put_page(p)", "free_pages(a, 3)", "l = __get_free_page(GFP_KERNEL) * 20", "free_page(l[::2])",
        "m = alloc_page(GFP_KERNEL) * 20", "__free_page(m)", "k = kmalloc(64, GFP_KERNEL)", "kfree(k)",
        "n = alloc_page(GFP_KERNEL|__GFP_HIGHMEM)", "v = kmap(n)", "kunmap(n)", "free_page(NULL)",
    ):  # fmt: skip
        assert debugging(line).verdict == "ok", line


def test_lists_have_a_type_too(debugging: Typist) -> None:
    debugging("m = alloc_page(GFP_KERNEL) * 20")
    assert "kernel BUG at mm/page_alloc.c:5757!" in texts(debugging("free_page(m)"))
    debugging("a = __get_free_page(GFP_KERNEL) * 20")
    with pytest.raises(ValueError, match="a list of addresses, where pages are asked for"):
        debugging("__free_page(a)")


def test_a_session_of_rule_set_1_takes_one_for_the_other() -> None:
    old = Typist(rules=1)
    old("p = alloc_page(GFP_KERNEL)")
    assert old("free_page(p)").verdict == "ok"
    old("a = __get_free_pages(GFP_KERNEL, 3)")
    assert old("get_page(a)").verdict == "ok"
    assert old("get_page(a+0)").page is not None
    assert boot.boot({"profile": "tiny-16m"}).rules >= 2


def test_mistakes_are_explained() -> None:
    machine = Explainer(debug=True)
    machine.call("alloc_page", "p", gfp="GFP_KERNEL")
    assert machine.outcome.page is not None
    page = machine.outcome.page
    step, mistake = of(machine.call("free_page", page="$p"), "free_pages")
    assert mistake["verdict"] == "bad"
    assert step["what"] == (
        f"{page['page']} is the struct page of frame {page['pfn']:#x}, not its address: __free_pages takes it"
    )
    machine.call("__get_free_page", "a", gfp="GFP_KERNEL")
    assert machine.outcome.page is not None
    page = machine.outcome.page
    step = only(machine.call("get_page", page="$a"), "get_page")
    assert step["what"] == (
        f"{page['address']} is no struct page: it lies in page frame {page['pfn']:#x}, whose zeroes are read"
        " as one; get_page takes virt_to_page of it"
    )
