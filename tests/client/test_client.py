"""The Python client against a server: calls, outcomes, what is refused, and the past."""

import copy
import inspect
import pickle
import re
from collections.abc import Iterator
from itertools import islice
from threading import Thread
from types import SimpleNamespace
from typing import Any

import kmemlab_client
import pytest
from kmemlab_client import KmemlabError, Machine, Outcome, Refused, Unreachable

from app.machine.entry import CALLS
from tests.support.served import build, listening
from tests.support.served_process import ROOT


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(build(tmp_path_factory.mktemp("client"))) as address:
        yield address


@pytest.fixture
def m(server: str) -> Machine:
    return Machine.new(server, profile="tiny-16m")


def test_every_function_of_the_kernel_is_a_method(m: Machine) -> None:
    assert set(CALLS) <= set(dir(m))
    assert not set(CALLS) & ({*dir(Machine), "session", "functions"})
    for name, spec in CALLS.items():
        method = getattr(m, name)
        assert [*inspect.signature(method).parameters] == [*(arg.name for arg in spec.args), "beside"]
        assert method.__doc__.startswith(spec.prototype)


def test_what_a_call_returns_is_given_to_the_next(m: Machine) -> None:
    page = m.alloc_pages("GFP_KERNEL", order=3)
    assert page
    assert page.pfn == 0x400
    assert m.page_address(page) == 0xFFFF888000400000
    assert int(m.page_count(page)) == 1
    assert m.__free_pages(page, 3)
    assert not m.page_count(m.alloc_pages("GFP_KERNEL", 11))


def test_a_number_is_a_frame_or_a_pointer_as_in_lines_of_c(m: Machine) -> None:
    page = m.alloc_page("GFP_KERNEL")
    for same in (page, page.pfn, int(page), page.ret, m.page_to_pfn(page)):
        assert m.get_page(same)["page"]["pfn"] == page.pfn
    address = m.__get_free_page("GFP_KERNEL")
    assert m.virt_to_page(int(address)).pfn == m.virt_to_page(address).pfn
    assert m.free_page(int(address))
    assert m.free_pages(m.__get_free_pages("GFP_KERNEL", 1), 1)
    assert m.free_page(page)


def test_lists_caches_tasks_and_descriptors(m: Machine) -> None:
    some = m.alloc_page("GFP_KERNEL", repeat=10)
    assert int(some) == 10
    assert int(m.__free_page(some, step=2)) == 5
    cache = m.kmem_cache_create("mine", 100)
    assert m.kmem_cache_free(cache, m.kmem_cache_alloc(cache, "GFP_KERNEL"))
    assert m.kmem_cache_free_bulk(cache, 3, m.kmem_cache_alloc_bulk(cache, "GFP_KERNEL", 3))
    m.execve()
    area = m.mmap(None, 32768, "PROT_READ|PROT_WRITE", "MAP_PRIVATE|MAP_ANONYMOUS")
    m.store(area + 0x1000, 7)
    child = m.fork("bob")
    assert int(m.load(area + 0x1000, task=child)) == 7
    assert m.kill_task(child)
    assert int(m.read(m.open("/data/a"), None, 4096)) == 4096


def test_an_outcome_shows_the_kernels_log_and_the_mistake(m: Machine) -> None:
    page = m.alloc_page("GFP_KERNEL")
    m.__free_page(page)
    again = m.__free_page(page)
    assert again.verdict == "bug"
    assert not again
    assert again.cause is not None
    assert repr(again).split("\n")[1:] == [again.cause, *again.log]
    assert "kernel BUG at include/linux/mm.h" in str(again)
    assert repr(page) == f"#1 alloc_page(gfp=GFP_KERNEL) = {page.ret} (ok, pfn 0x400)"
    assert f"{page:#x}" == page.ret
    assert repr(m.alloc_pages("GFP_KERNEL", 11)).startswith("#4 alloc_pages(gfp=GFP_KERNEL, order=11) = NULL")
    assert repr(m.drain_all_pages()) == "#5 drain_all_pages() (ok)"


def test_pages_are_not_counted_in_bytes(m: Machine) -> None:
    page = m.alloc_pages("GFP_KERNEL", 1)
    for count in (lambda: page + 1, lambda: 1 + page, lambda: page - 1):
        with pytest.raises(TypeError, match=r"page\.pfn"):
            count()
    address = m.page_address(page)
    assert (address + 4096) - 4096 == address - 0 == address


def test_outcomes_are_copied_and_stored(m: Machine) -> None:
    page = m.alloc_page("GFP_KERNEL")
    for same in (copy.deepcopy(page), pickle.loads(pickle.dumps(page))):
        assert (int(same), same.row) == (int(page), page.row)


def test_a_notebook_shows_text_and_not_markup(m: Machine) -> None:
    markup = "<img src=x onerror=alert(1)>"
    row = {
        "seq": 1,
        "call": markup,
        "args": {"name": markup},
        "ret": None,
        "verdict": markup,
        "log": [markup],
    }
    shown = Outcome({**row, "cause": {"text": markup}})._repr_html_()
    assert "<img" not in shown
    assert shown.count("&lt;img") == 5
    assert "<td>DMA</td>" in m._repr_html_()
    m.session = markup
    assert "<img" not in m._repr_html_()


def test_a_mistake_in_a_request_is_raised(m: Machine) -> None:
    with pytest.raises(Refused) as refused:
        m.alloc_page("GFP_KERNAL")
    assert refused.value.status == 422
    assert refused.value.errors[0]["loc"] == ["gfp"]
    assert str(refused.value).endswith("\nGFP_KERNAL: did you mean GFP_KERNEL?")
    with pytest.raises(Refused, match="line 2: the closing parenthesis is missing"):
        m.run("p = alloc_page(GFP_KERNEL)\nkfree(")
    with pytest.raises(TypeError, match="takes 2 arguments: struct page"):
        m.alloc_pages("GFP_KERNEL", 0, 0)
    with pytest.raises(TypeError, match="got gfp twice"):
        m.alloc_page("GFP_KERNEL", gfp=0)
    with pytest.raises(AttributeError, match="malloc"):
        _ = m.malloc
    with pytest.raises(AttributeError, match="no function of this server"):
        m.call("malloc")
    assert [*m.rows()] == []


def test_an_address_or_a_session_that_is_not_there(server: str) -> None:
    with pytest.raises(Refused, match="there is no session 'none'"):
        Machine("none", server)
    with pytest.raises(Refused, match="nothing is here"):
        Machine("none/such?", server)
    with pytest.raises(ValueError, match="begins with http"):
        Machine("some", "file:///etc")
    with pytest.raises(Unreachable, match="refused"):
        Machine("some", "http://127.0.0.1:1")


def test_lines_of_c_the_past_and_going_back(m: Machine) -> None:
    p, q = m.run("p = alloc_pages(GFP_KERNEL, 1)\nq = kmalloc(100, GFP_KERNEL)\n")
    assert [p.seq, q.seq] == [1, 2]
    free = m.zones()[0]["free"]
    m.__free_pages(p, 1)
    m.drain_all_pages()
    assert m.zones(at=2)[0]["free"] == free < m.zones()[0]["free"]
    assert m.proc("buddyinfo", at=0) != m.proc("buddyinfo")
    assert m.get("/pages/1024", at=1)["struct_page"]["_refcount"] == 1
    assert m.explain(1)["conclusion"]
    assert m.undo()["args"]["to"] == 3
    assert m.rewind(1)["args"] == {"to": 1}
    assert [row.seq for row in m.rows(after=2)] == [3, 4, 5, 6]


def test_a_call_can_depend_on_the_seq_and_wait(m: Machine) -> None:
    page = m.alloc_page("GFP_KERNEL", if_match=0)
    with pytest.raises(Refused) as refused:
        m.put_page(page, if_match=0)
    assert refused.value.status == 412
    m.lock_page(page)
    assert m.lock_page(page, task="a", wait=0.01)["woken_at"] is None


def test_events_are_heard_as_they_are_made(m: Machine) -> None:
    m.run("alloc_page(GFP_KERNEL)\nalloc_page(GFP_KERNEL)")
    heard = m.events(after=1)
    assert next(heard).seq == 2
    calling = Thread(target=m.call, args=("drain_all_pages",))
    calling.start()
    assert repr(next(heard)) == "#3 drain_all_pages() (ok)"
    calling.join()
    heard.close()
    assert [row.seq for row in islice(m.events(after=0), 3)] == [1, 2, 3]


def test_a_cell_of_lines_of_c(m: Machine) -> None:
    magics: dict[str, Any] = {}
    notebook = SimpleNamespace(
        user_ns={"m": m, "n": 5},
        register_magic_function=lambda function, kind, name: magics.update({f"{kind} {name}": function}),
    )
    kmemlab_client.load_ipython_extension(notebook)
    kmem = magics["cell kmem"]
    rows = kmem(" m", "p = alloc_page(GFP_KERNEL)\nput_page(p)\nput_page(p)\n")
    assert [row.verdict for row in rows] == ["ok", "ok", "bug"]
    assert rows._repr_html_().count("<code>#") == 3
    assert repr(rows).startswith(f"{rows[0]!r}\n{rows[1]!r}\n#3 put_page(")
    for name in ("", "n", "nobody"):
        with pytest.raises(KmemlabError, match=f"%%kmem {name}: the name of a Machine"):
            kmem(name, "put_page(p)")


@pytest.mark.parametrize("page", ["client/README.md", "docs/clients.md"])
def test_what_the_pages_show(page: str, server: str) -> None:
    (shown,) = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    known: dict[str, Any] = {}
    exec(shown.replace("http://127.0.0.1:8000", server), known)
    rows = [*known["m"].rows()]
    assert len(rows) > 2
    assert {row.verdict for row in rows} == {"ok"}


def test_a_machine_is_found_again_by_its_id(m: Machine, server: str) -> None:
    m.drain_all_pages()
    assert [row["call"] for row in Machine(m.session, f"{server}/").rows()] == ["drain_all_pages"]
