"""Pages without script: every form of the dashboard, sent as a browser would send it."""

import ast
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.machine.entry import CALLS
from app.web import address, sleeping
from app.web.frame_states import LETTERS
from app.web.panels import PANELS
from tests.support.served import BASE, build, client_of, protected


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(build(tmp_path_factory.mktemp("pages"))) as client:
        yield client


@pytest.fixture
def machine(client: TestClient) -> str:
    """The path of a fresh machine."""
    return make(client, profile="tiny-16m", name="blackboard")


def make(client: TestClient, **form: str) -> str:
    answer = client.post("/sessions", data=form)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def text_of(answer: Response) -> str:
    """What a person reads."""
    body = answer.text.partition("<body")[2]
    body = re.sub(r"<(svg|datalist).*?</\1>", " ", body, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", body)))


def page(client: TestClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"
    protected(answer)
    return text_of(answer)


def call(client: TestClient, machine: str, name: str, /, **fields: str) -> Response:
    return client.post(f"{machine}/call/{name}", data={"view": "", **fields})


def journal(client: TestClient, machine: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get(f"{BASE}{machine}/events").json()["items"]
    return items


# -- home --------------------------------------------------------------------------------------------------


def test_the_first_visit_says_what_to_do(tmp_path: Path) -> None:
    with client_of(build(tmp_path)) as client:
        assert "No machine yet" in page(client, "/")


def test_every_profile_is_offered_with_its_figures(client: TestClient) -> None:
    text = page(client, "/")
    for profile in client.get(f"{BASE}/profiles").json()["profiles"]:
        assert profile["name"] in text
        assert f"{profile['frames']:,}" in text
    assert "128 MiB (1.56 %)" in text


def test_a_machine_from_a_profile(client: TestClient) -> None:
    fields = {"memory": "2G", "cpus": "2", "lecture": "on", "pcp": "on", "debug": "off", "mobility": ""}
    made = make(client, profile="x86_64-8g", name="my machine", **fields)
    described = client.get(f"{BASE}{made}").json()["machine"]
    assert (described["memory"], described["cpus"]) == (2 << 30, 2)
    assert (described["lecture"], described["pcp"], described["mobility"], described["debug"]) == (
        True,
        True,
        False,
        False,
    )
    text = page(client, made)
    assert "my machine" in text
    assert "my machine" in page(client, "/")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"memory": "lots"}, "memory"), ({"cpus": "many"}, "cpus"),
        ({"nodes": "99"}, "nodes"), ({"profile": "cray"}, "profile"),
    ],
)  # fmt: skip
def test_a_refused_machine_keeps_what_was_typed(
    client: TestClient, fields: dict[str, str], field: str
) -> None:
    answer = client.post("/sessions", data={"profile": "x86_64-1g", "name": "kept <b>", **fields})
    assert answer.status_code == 422
    assert "No machine was created" in text_of(answer)
    assert 'value="kept &lt;b&gt;"' in answer.text
    assert f"<code>{field}</code>:" in answer.text
    if field != "profile":
        assert f'value="{fields[field]}"' in answer.text


def test_a_machine_from_a_dump(client: TestClient, machine: str) -> None:
    call(client, machine, "alloc_pages", gfp="GFP_KERNEL", order="2")
    dump = client.get(f"{BASE}{machine}/dump")
    answer = client.post("/sessions", data={"name": "again"}, files={"file": ("machine.json", dump.content)})
    assert answer.status_code == 303
    assert client.get(f"{BASE}{answer.headers['location']}/dump").json() == dump.json()


@pytest.mark.parametrize(("dump", "words"), [(b"{", "not JSON"), (b"[]", "one JSON object"), (b"{}", "dump")])
def test_a_file_that_is_no_dump(client: TestClient, dump: bytes, words: str) -> None:
    answer = client.post("/sessions", data={"name": "again"}, files={"file": ("machine.json", dump)})
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert 'id="file-name" name="name" type="text" value="again"' in answer.text


def test_rename(client: TestClient, machine: str) -> None:
    assert client.post(f"{machine}/rename", data={"name": "other"}).status_code == 303
    assert "other" in page(client, machine)
    answer = client.post(f"{machine}/rename", data={"name": "x" * 1000})
    assert answer.status_code == 422
    assert "The name stays as it was" in text_of(answer)
    assert "x" * 1000 in answer.text
    assert client.get(f"{BASE}{machine}").json()["name"] == "other"


def test_delete_asks_first(client: TestClient, machine: str) -> None:
    assert "Delete “blackboard”?" in page(client, f"{machine}/delete")
    assert client.get(machine).status_code == 200
    assert client.post(f"{machine}/delete").headers["location"] == "/"
    assert "Page not found" in page(client, machine, 404)


def test_names_are_only_text(client: TestClient) -> None:
    made = make(client, profile="tiny-16m", name="<script>alert(1)</script>")
    for path in ("/", made, f"{made}/delete"):
        assert "<script>alert" not in client.get(path).text


# -- calls -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_every_call_has_a_form(client: TestClient, machine: str, name: str) -> None:
    answer = client.get(f"{machine}?call={name}")
    form = answer.text.partition(f'action="{machine}/call/{name}"')[2].partition("</form>")[0]
    named = set(re.findall(r'name="(\w+)"', form))
    spec = CALLS[name]
    assert {arg.name for arg in spec.args} <= named
    assert {"view", "cpu", "context"} <= named
    assert ({"repeat", "until"} <= named) == spec.repeats
    assert ({"start", "step", "count"} <= named) == spec.frees
    text = text_of(answer)
    assert spec.prototype in text
    assert spec.source in text
    assert "curl -s" in text


WORDS = {
    "gfp": "GFP_KERNEL", "uint": "0", "size": "64", "node": "0", "page": "NULL", "page_or_addr": "NULL",
    "addr": "NULL", "cache": "kmalloc-64", "object_name": "demo", "slab_flags": "0",
    "sysctl": "min_free_kbytes",
    "sysctl_value": "500", "task": "alice",
    "array": "1",
    "number": "0x10",
    "function": "init_once",
    "rounds": "2",
    "user_addr": "0x400000", "fd": "3", "length": "4K", "offset": "8K", "loff": "4K", "accesses": "2",
    "access_step": "8K", "byte": "7", "status": "1", "path": "/data/b", "program": "/bin/cat",
    "swap_pages": "64", "bool": "true",
    "prot": "PROT_READ", "map_flags": "MAP_SHARED|MAP_ANONYMOUS", "mremap_flags": "MREMAP_MAYMOVE",
    "ms_flags": "MS_ASYNC", "madvice": "MADV_RANDOM", "fadvice": "POSIX_FADV_RANDOM", "open_flags": "O_RDWR",
}  # fmt: skip


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", CALLS)
def test_every_form_makes_its_call(client: TestClient, machine: str, name: str) -> None:
    empty = dict.fromkeys(("task", "cpu", "repeat", "until", "start", "step", "count", "as"), "")
    fields = empty | {arg.name: WORDS[arg.kind] for arg in CALLS[name].args}
    answer = call(client, machine, name, **fields)
    assert answer.status_code == 303, text_of(answer)
    assert [row["call"] for row in journal(client, machine)] == [name]
    shown = page(client, answer.headers["location"].partition("#")[0])
    assert f"#1 {name}(" in shown


def test_done_leads_back_to_the_same_view_with_the_outcome(client: TestClient, machine: str) -> None:
    view = "zone=DMA&node=0&start=0x400&shift=0&pfn=0x410&panel=log"
    answer = call(client, machine, "alloc_pages", gfp="GFP_KERNEL", order="3", view=view)
    where = answer.headers["location"]
    assert where.endswith("#outcome")
    assert all(part in where for part in view.split("&"))
    shown = client.get(where.partition("#")[0])
    text = text_of(shown)
    outcome = journal(client, machine)[0]
    assert f"{outcome['page']['pfn']:#07x}" in text
    assert outcome["ret"] in text
    assert "Frame 0x00410" in text
    assert "curl -s http://127.0.0.1:8000/api/v1/sessions/" in text


def test_null_is_the_kernels_answer(client: TestClient, machine: str) -> None:
    answer = call(client, machine, "alloc_pages", gfp="GFP_KERNEL", order="11")
    assert answer.status_code == 303
    text = page(client, answer.headers["location"].partition("#")[0])
    assert "The kernel’s answer is NULL. No block is larger than order 10." in text
    assert journal(client, machine)[0]["verdict"] == "null"


def test_an_error_value_has_its_name(client: TestClient, machine: str) -> None:
    answer = call(client, machine, "rmmod", name="absent")
    assert "The kernel’s answer is −ENOENT." in page(client, answer.headers["location"].partition("#")[0])


def test_the_tasks_panel_says_who_holds_a_lock(client: TestClient, machine: str) -> None:
    call(client, machine, "alloc_page", gfp="GFP_KERNEL")
    pfn = journal(client, machine)[0]["page"]["pfn"]
    call(client, machine, "lock_page", page=hex(pfn), task="alice")
    text = page(client, f"{machine}?panel=tasks")
    assert re.search(rf"alice\s+1001\s+{pfn:#07x}", text)


def test_a_refused_request_is_no_kernel_call(client: TestClient, machine: str) -> None:
    answer = call(
        client, machine, "alloc_pages", gfp="GFP_NONSENSE", order="abc", cpu="7", repeat="2", **{"as": "p"}
    )
    assert answer.status_code == 422
    text = text_of(answer)
    assert "Not sent to the kernel" in text
    for name, value in (
        ("gfp", "GFP_NONSENSE"),
        ("order", "abc"),
        ("cpu", "7"),
        ("repeat", "2"),
        ("as", "p"),
    ):
        assert f'name="{name}" value="{value}"' in answer.text
    for field in ("gfp", "order", "cpu"):
        assert f"<code>{field}</code>:" in answer.text
    assert journal(client, machine) == []


def test_reloading_a_refused_form_leads_to_the_form(client: TestClient, machine: str) -> None:
    assert client.get(f"{machine}/call/kfree").headers["location"] == f"{machine}?call=kfree"


def test_a_call_that_does_not_exist(client: TestClient, machine: str) -> None:
    assert call(client, machine, "printk").status_code == 404


def test_a_sleeping_task_is_told_why(client: TestClient, machine: str) -> None:
    call(client, machine, "alloc_page", gfp="GFP_KERNEL", **{"as": "p"})
    call(client, machine, "lock_page", page="p", task="alice")
    blocked = call(client, machine, "lock_page", page="p", task="bob")
    pfn = journal(client, machine)[0]["page"]["pfn"]
    shown = page(client, blocked.headers["location"].partition("#")[0])
    assert f"The task sleeps. alice holds the lock of {pfn:#07x}." in shown
    assert f"unlock_page(pfn_to_page({pfn:#x})) by any task, or kill_task(bob), would end that" in shown
    assert "Before it in the queue" not in shown
    behind = call(client, machine, "lock_page", page="p", task="carol")
    shown = page(client, behind.headers["location"].partition("#")[0])
    assert "Before it in the queue: bob. An unlock wakes those first" in shown
    assert "→ asleep" in shown
    refused = call(client, machine, "page_count", page="p", task="bob")
    assert refused.status_code == 409
    assert "The task sleeps: nothing happened" in text_of(refused)
    assert "unlock_page by any task" in text_of(refused)
    assert "bob" in page(client, f"{machine}?panel=tasks")


def test_who_was_woken_sleeps_no_longer(client: TestClient, machine: str) -> None:
    call(client, machine, "alloc_page", gfp="GFP_KERNEL", **{"as": "p"})
    for name, task in (("lock_page", "alice"), ("lock_page", "bob"), ("unlock_page", "alice")):
        call(client, machine, name, page="p", task=task)
    assert "The task slept. bob has been woken since" in page(client, f"{machine}?outcome=3")


def test_a_deadlock_is_told_as_a_circle(client: TestClient, machine: str) -> None:
    for name, page_name, task in (
        ("alloc_page", "p", "init"), ("alloc_page", "q", "init"), ("lock_page", "p", "alice"),
        ("lock_page", "q", "bob"), ("lock_page", "q", "alice"), ("lock_page", "p", "bob"),
    ):  # fmt: skip
        fields = {"gfp": "GFP_KERNEL", "as": page_name} if name == "alloc_page" else {"page": page_name}
        call(client, machine, name, task=task, **fields)
    p, q = (row["page"]["pfn"] for row in journal(client, machine)[:2])
    text = page(client, machine)
    assert "Deadlock: nobody in this circle can go on." in text
    assert f"bob waits for {p:#07x}, which alice holds; alice waits for {q:#07x}, which bob holds." in text
    assert f"unlock_page(pfn_to_page({p:#x})) or unlock_page(pfn_to_page({q:#x})) would end it" in text


def test_the_map_shows_where_the_call_was(client: TestClient) -> None:
    machine = make(client, profile="i386-4g", name="zones")
    current = re.compile(r'<a[^>]*aria-current="true"[^>]*>(\w+)</a>')
    assert "Normal" in current.findall(client.get(machine).text)
    call(client, machine, "alloc_page", gfp="GFP_HIGHUSER")
    assert "HighMem" in current.findall(client.get(machine).text)
    assert "DMA" in current.findall(client.get(f"{machine}?zone=DMA").text)


def test_unknown_flags_lead_to_the_page_of_masks(client: TestClient, machine: str) -> None:
    refused = call(client, machine, "alloc_page", gfp="GFP_LUNCH")
    assert 'the page <a href="/gfp">/gfp</a> lists the names' in refused.text
    assert "/api/v1/gfp" not in text_of(refused)


@pytest.mark.parametrize(("name", "field"), [("ksize", "addr"), ("kmem_cache_shrink", "cache")])
def test_a_call_that_oopsed_returned_nothing(client: TestClient, machine: str, name: str, field: str) -> None:
    call(client, machine, "alloc_page", gfp="GFP_KERNEL", **{"as": "p"})
    value = {"addr": "0x4000", "cache": "no-such-cache"}[field]
    call(client, machine, name, **{field: value})
    (_, outcome) = journal(client, machine)
    assert (outcome["ret"], outcome["verdict"]) == (None, "bug")
    assert "→ did not return bug" in page(client, machine)


@pytest.mark.parametrize(
    ("name", "fields", "then"),
    [
        ("kfree", {"addr": "0x1234"}, "A real kernel would kill the calling task here"),
        ("alloc_page", {"gfp": "GFP_KERNEL", "context": "hardirq"}, "as a real one would."),
    ],
)
def test_a_bug_says_whether_the_kernel_goes_on(
    client: TestClient, machine: str, name: str, fields: dict[str, str], then: str
) -> None:
    assert call(client, machine, name, **fields).status_code == 303
    assert then in page(client, machine)


def test_a_call_that_would_sleep_in_an_interrupt_says_that_it_came_back(
    client: TestClient, machine: str
) -> None:
    call(client, machine, "alloc_page", gfp="GFP_KERNEL", **{"as": "p"})
    assert " order 0 in " in page(client, machine)
    call(client, machine, "trylock_page", page="$p")
    call(client, machine, "lock_page", page="$p", context="hardirq")
    assert "Here the call comes back, without what it waited for." in page(client, machine)
    call(client, machine, "unlock_page", page="$p")
    call(client, machine, "__free_page", page="$p")
    assert " order 0 in " not in page(client, machine)


def test_a_loop_is_shown_as_it_was_asked_for(client: TestClient, machine: str) -> None:
    call(client, machine, "alloc_pages", gfp="GFP_KERNEL", order="4", until="NULL")
    assert "alloc_pages(GFP_KERNEL, 4) until NULL →" in page(client, machine)


def test_names_stand_for_results(client: TestClient, machine: str) -> None:
    call(client, machine, "alloc_pages", gfp="GFP_KERNEL", order="2", **{"as": "p"})
    call(client, machine, "get_page", page="p+1")
    first, second = journal(client, machine)
    assert second["args"]["pfn"] == first["page"]["pfn"] + 1
    assert f"p {first['page']['pfn']:#07x}" in page(client, machine)


def test_many_at_once(client: TestClient, machine: str) -> None:
    call(client, machine, "alloc_page", gfp="GFP_KERNEL", repeat="100", **{"as": "fill"})
    call(client, machine, "__free_pages", page="fill", order="0", step="2")
    text = page(client, machine)
    assert "alloc_page(GFP_KERNEL) * 100" in text
    assert "__free_pages(fill[0:100:2], 0)" in text


# -- the console -------------------------------------------------------------------------------------------


def line(client: TestClient, machine: str, text: str) -> Response:
    return client.post(f"{machine}/line", data={"line": text, "view": "panel=log"})


def test_a_line_is_a_call(client: TestClient, machine: str) -> None:
    answer = line(client, machine, "alice/softirq: p = alloc_pages(GFP_ATOMIC, 1)  # two frames")
    assert answer.status_code == 303
    assert "panel=log" in answer.headers["location"]
    assert "alice/softirq: alloc_pages(GFP_ATOMIC, 1)" in page(client, machine)


@pytest.mark.parametrize("text", ["alloc_pages(", "printk(1)", "alloc_pages(GFP_KERNEL, x)", "kfree($)"])
def test_a_line_that_is_no_call_stays_in_the_console(client: TestClient, machine: str, text: str) -> None:
    answer = line(client, machine, text)
    assert answer.status_code == 422
    assert f'value="{text}"' in answer.text
    assert "Not sent to the kernel" in text_of(answer)
    assert journal(client, machine) == []


def test_an_empty_line_does_nothing(client: TestClient, machine: str) -> None:
    assert line(client, machine, "  # nothing").status_code == 303
    assert journal(client, machine) == []


# -- reading -----------------------------------------------------------------------------------------------


@pytest.mark.sampled(4)
@pytest.mark.parametrize("profile", ["x86_64-8g", "i386-1g", "tiny-32m", "x86_64-1t"])
@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_on_every_kind_of_machine(client: TestClient, profile: str, panel: str) -> None:
    made = make(client, profile=profile)
    line(client, made, "p = kmalloc(100, GFP_KERNEL)")
    line(client, made, "v = vmalloc(20000)")
    answer = client.get(f"{made}?panel={panel}")
    assert answer.status_code == 200
    assert 'aria-current="true"' in answer.text.partition('class="tabs"')[2].partition("</nav>")[0]
    zones = client.get(f"{BASE}{made}/zones").json()["zones"]
    for zone in zones:
        shown = page(client, f"{made}?zone={zone['name']}&panel={panel}")
        assert f"{zone['free']:,} free of {zone['managed']:,}" in shown


def test_without_script_the_map_is_a_drawing_and_a_table(client: TestClient, machine: str) -> None:
    call(client, machine, "alloc_pages", gfp="GFP_KERNEL", order="3")
    html = client.get(f"{machine}?shift=0&start=0").text
    assert html.count('class="cell cell-unmovable"') >= 1
    assert 'class="changed"' in html
    table = html.partition('id="map-table"')[2].partition("</table>")[0]
    assert "unmovable" in table
    assert "changed" in table
    assert all(f"pattern-{state}" in html for state in LETTERS if state != "free")


def test_the_map_can_be_walked_by_links(client: TestClient, machine: str) -> None:
    seen = {machine}
    todo = [machine]
    while todo:
        html = client.get(todo.pop()).text.partition('class="zoom"')[2].partition("</nav>")[0]
        links = {
            unescape(link).replace("outcome=0&", "") for link in re.findall(r'href="([^"]*)"', html)
        } - seen
        seen |= links
        todo += links
    shifts = {int(found) for link in seen for found in re.findall(r"shift=(\d+)", link)}
    assert 0 in shifts
    assert len(seen) < 20


def test_inspecting_a_frame(client: TestClient, machine: str) -> None:
    call(client, machine, "alloc_pages", gfp="GFP_KERNEL|__GFP_COMP", order="2", task="alice")
    pfn = journal(client, machine)[0]["page"]["pfn"]
    doc = client.get(f"{BASE}{machine}/pages/{pfn}").json()
    text = page(client, f"{machine}?pfn={pfn:#x}")
    assert "the head of a compound page of order 2" in text
    assert "by alice at #1" in text
    assert "_refcount _count" in text
    assert doc["page"] in text
    assert doc["struct_page"]["flags"]["value"] in text
    assert all(f"{buddy['pfn']:#07x}" in text for buddy in doc["buddies"])
    tail = page(client, f"{machine}?pfn={pfn + 1:#x}")
    assert "page 1 of a compound page of order 2" in tail
    assert "0xdead000000000400" in tail


def test_the_calls_on_a_frame_are_buttons(client: TestClient, machine: str) -> None:
    call(client, machine, "alloc_pages", gfp="GFP_KERNEL", order="1")
    pfn = journal(client, machine)[0]["page"]["pfn"]
    html = client.get(f"{machine}?pfn={pfn:#x}").text
    forms = html.partition('class="actions"')[2].partition("</div>")[0]
    for form in forms.split("</form>")[:-1]:
        target = re.search(r'action="([^"]*)"', form)
        assert target is not None
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
        fresh = make(client, profile="tiny-16m")
        call(client, fresh, "alloc_pages", gfp="GFP_KERNEL", order="1")
        answer = client.post(fresh + target[1].removeprefix(machine), data=fields)
        assert answer.status_code == 303


def test_no_such_frame_is_said_not_failed(client: TestClient, machine: str) -> None:
    assert "This machine has no page frame 0xfffff" in page(client, f"{machine}?pfn=0xfffff")


def test_the_journal_is_shown_in_pages(client: TestClient, machine: str) -> None:
    lines = "\n".join("alloc_page(GFP_KERNEL)" for _ in range(60))
    client.post(f"{BASE}{machine}/calls", content=lines, headers={"content-type": "text/plain"})
    first = client.get(machine).text
    assert first.count('class="row') >= 50
    assert ">#60<" in first
    assert ">#10<" not in first
    older = client.get(f"{machine}?before=11").text
    assert ">#10<" in older
    assert ">#1<" in older
    assert ">#11<" not in older.partition('id="journal"')[2]


def test_an_earlier_outcome_can_be_looked_at(client: TestClient, machine: str) -> None:
    line(client, machine, "alloc_pages(GFP_KERNEL, 1)")
    line(client, machine, "alloc_pages(GFP_KERNEL, 2)")
    text = page(client, f"{machine}?outcome=1")
    assert text.index("alloc_pages(GFP_KERNEL, 1)") < text.index("alloc_pages(GFP_KERNEL, 2)")
    assert "Nothing has been called yet" in page(client, f"{machine}?outcome=99")


# -- explanations ------------------------------------------------------------------------------------------


def test_a_call_is_explained_step_by_step(client: TestClient, machine: str) -> None:
    for order in ("3", "0", "11"):
        call(client, machine, "alloc_pages", gfp="GFP_KERNEL", order=order)
    shown = client.get(f"{machine}/explain/1")
    text = page(client, f"{machine}/explain/1")
    explained = client.get(f"{BASE}{machine}/events/1/explain").json()
    for step in explained["steps"]:
        assert step["what"] in text
        assert step["fn"] in text
        assert step["file"] in text
    assert "\n".join(explained["tracepoints"]) in unescape(shown.text)
    assert all(f"pfn={pfn:#x}" in shown.text for step in explained["steps"] for pfn, _, _ in step["changed"])
    assert "alloc_pages(GFP_KERNEL, 3)" in text
    assert f'href="{machine}/explain/2" rel="next"' in shown.text
    assert 'rel="prev"' not in shown.text
    last = client.get(f"{machine}/explain/3").text
    assert f'href="{machine}/explain/2" rel="prev"' in last
    assert 'rel="next"' not in last


def test_outcome_and_journal_lead_to_the_explanation(client: TestClient, machine: str) -> None:
    call(client, machine, "alloc_page", gfp="GFP_KERNEL")
    assert client.get(machine).text.count(f'href="{machine}/explain/1"') == 4


def test_the_losing_side_of_a_comparison_stands_out(client: TestClient, machine: str) -> None:
    call(client, machine, "alloc_page", gfp="GFP_ATOMIC", until="NULL")
    call(client, machine, "alloc_page", gfp="GFP_ATOMIC")
    losing = re.findall(r'<em class="losing">(.*?)</em>(.*?)<', client.get(f"{machine}/explain/2").text)
    assert losing
    assert re.match(r"free [\d,]+ − 0", losing[0][0])
    assert losing[0][1].startswith(" ≤ ")


@pytest.mark.slow
def test_a_long_explanation_is_shown_in_part(client: TestClient, machine: str) -> None:
    call(client, machine, "alloc_page", gfp="GFP_KERNEL", repeat="500")
    total = len(client.get(f"{BASE}{machine}/events/1/explain").json()["steps"])
    part = client.get(f"{machine}/explain/1").text
    assert 24 < part.count('<li class="decision"') < 100
    assert "more times" in part
    assert re.search(r'decision=\d+#step-\d+">[\d,]+ more</a> like these', part)
    behind = re.search(r'href="([^"]+)">↓ the steps behind', part)
    rest = int(behind[1].rpartition("#step-")[2]) if behind else 0
    listed = f"the first {rest - 1:,} of" if rest else f"{total:,}"
    assert listed in text_of(client.get(f"{machine}/explain/1"))
    last = client.get(f"{machine}/explain/1", params={"decision": total}).text
    assert 0 < last.count('<li class="decision"') <= (total - 1) % 100 + 1
    assert f'id="step-{total}"' in last
    assert f'href="{BASE}{machine}/events/1/explain">All as JSON' in part


@pytest.mark.parametrize("seq", ["0", "2", "999999", "-1", "x"])
def test_only_what_happened_can_be_explained(client: TestClient, machine: str, seq: str) -> None:
    call(client, machine, "alloc_page", gfp="GFP_KERNEL")
    assert "Page not found" in page(client, f"{machine}/explain/{seq}", 404)


def test_a_call_of_another_session_is_not_explained_here(client: TestClient, machine: str) -> None:
    other = make(client, profile="tiny-16m", name="another")
    call(client, other, "alloc_page", gfp="GFP_KERNEL")
    assert client.get(f"{other}/explain/1").status_code == 200
    page(client, f"{machine}/explain/1", 404)
    page(client, "/sessions/nobody-has-this-one/explain/1", 404)


# -- reference and choices ---------------------------------------------------------------------------------


def test_calls_are_a_page_to_read(client: TestClient) -> None:
    text = page(client, "/calls")
    for spec in CALLS.values():
        assert spec.prototype in text
        assert f"/api/v1/sessions/$ID/{spec.name}" in text


def test_the_curl_lines_of_the_reference_are_accepted(client: TestClient, machine: str) -> None:
    found = re.findall(
        r"\$ID/(\w+) -H 'Content-Type: application/json' -d '(.*?)'", text_of(client.get("/calls"))
    )
    assert {name for name, _ in found} == set(CALLS)
    for name, body in found:
        document = json.loads(body)
        if "pfn" in document:
            document["pfn"] = 1024
        answer = client.post(f"{BASE}{machine}/{name}", json=document)
        assert answer.status_code == 201, (name, answer.text)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        ("GFP_KERNEL", ("0xcc0 = GFP_KERNEL", "yes: only from a process", "NORMAL, and those below it")),
        ("GFP_ATOMIC", ("0xa20", "no: allowed in every context", "down to 3/8 of it", "NULL at once")),
        ("0x1", ("GFP_DMA", "DMA only")),
        ("GFP_KERNEL", ("up to order 3 the OOM killer",)),
        ("GFP_KERNEL|__GFP_DMA", ("NULL without the OOM killer, which is not asked for so low",)),
        ("GFP_KERNEL|__GFP_DMA32", ("NULL without the OOM killer", "on i386 as without __GFP_DMA32")),
        ("GFP_KERNEL|__GFP_THISNODE", ("NULL without the OOM killer: other nodes",)),
        ("GFP_KERNEL|__GFP_NOFAIL", ("it tries for ever",)),
        ("GFP_ATOMIC|__GFP_NOFAIL", ("a warning and NULL all the same",)),
        ("__GFP_WAIT|__GFP_REPEAT", ("__GFP_RETRY_MAYFAIL", "__GFP_REPEAT", "without the OOM killer")),
        ("GFP_HIGHUSER_MOVABLE", ("movable", "MOVABLE, then HIGHMEM")),
    ],
)
def test_masks_are_taken_apart(client: TestClient, mask: str, words: tuple[str, ...]) -> None:
    text = page(client, f"/gfp?mask={mask}")
    assert all(word in text for word in words)


def test_a_mask_that_is_none(client: TestClient) -> None:
    answer = client.get("/gfp?mask=GFP_NONSENSE")
    assert answer.status_code == 422
    assert 'value="GFP_NONSENSE"' in answer.text
    assert "unknown flag" in text_of(answer)
    assert "the page /gfp lists the names" in text_of(answer)


def test_ticked_flags_become_a_mask(client: TestClient) -> None:
    answer = client.get("/gfp?flag=GFP_KERNEL&flag=__GFP_IO&flag=__GFP_COMP&flag=nonsense")
    assert answer.headers["location"] == "/gfp?mask=GFP_KERNEL%7C__GFP_COMP"


def test_the_python_line_makes_the_same_call(client: TestClient, machine: str) -> None:
    call(client, machine, "alloc_pages", gfp="GFP_KERNEL", order="2", **{"as": "it's"})
    call(client, machine, "kmalloc", size="100", flags="GFP_KERNEL")
    html = client.get(machine).text
    for label in ("Python line", "The call as a Python line"):
        found = re.search(rf'aria-label="{label}"><code[^>]*>(.*?)</code>', html)
        assert found is not None
        statement = ast.parse(unescape(found[1]), mode="eval")
        sent = eval(compile(statement, "line", "eval"), {"httpx": SimpleNamespace(post=client.post)})
        assert sent.get("verdict", "ok") == "ok"
    assert journal(client, machine)[-2]["args"] == journal(client, machine)[-3]["args"]


def test_the_lectures_tables_have_their_order_and_what_came_since(client: TestClient) -> None:
    text = page(client, "/gfp?mask=GFP_NOFS")
    actions = re.findall(r"__GFP_\w+", text[text.index("Action modifiers") : text.index("Zone modifiers")])
    assert actions[:8] == [
        *("__GFP_RECLAIM", "__GFP_WAIT", "__GFP_HIGH", "__GFP_IO", "__GFP_FS", "__GFP_COLD"),
        *("__GFP_NOWARN", "__GFP_RETRY_MAYFAIL"),
    ]
    assert "__GFP_DIRECT_RECLAIM newer 0x400" in text
    assert "0xa20 must not sleep" in text
    composed = "__GFP_HIGH | __GFP_ATOMIC | __GFP_KSWAPD_RECLAIM __GFP_HIGH"
    assert composed in text
    assert "__GFP_RECLAIM | __GFP_IO __GFP_WAIT | __GFP_IO" in text


def test_every_mask_of_the_advice_is_one(client: TestClient) -> None:
    html = client.get("/gfp").text
    masks = re.findall(
        r'class="mono" href="(/gfp\?mask=[^"]+)"', html[html.index("Which flag") : html.index("Action")]
    )
    assert len(masks) > 20
    assert {client.get(unescape(mask)).status_code for mask in masks} == {200}


def test_choices_are_remembered_and_the_address_goes_before(client: TestClient, machine: str) -> None:
    for name, value in (("theme", "dark"), ("names", "lecture"), ("projector", "on")):
        answer = client.post("/preferences", data={name: value, "back": machine})
        assert (answer.status_code, answer.headers["location"]) == (303, machine)
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "SameSite=lax" in answer.headers["set-cookie"]
    html = client.get(machine).text
    assert '<html lang="en" data-zone="UTC" data-theme="dark" data-projector>' in html
    assert "_count _refcount" in page(client, f"{machine}?pfn=0x400")
    call(client, machine, "alloc_page", gfp="GFP_KERNEL")
    assert "_count 1" in page(client, machine)
    assert "_refcount 1" in page(client, f"{machine}?names=6.1")
    at_start = page(client, f"{machine}?at=0")
    assert "Before the first call." in at_start
    assert "Nothing has been called yet" not in at_start
    assert "_refcount _count" in page(client, f"{machine}?pfn=0x400&names=6.1")
    client.cookies.clear()
    assert '<html lang="en" data-zone="UTC">' in client.get(machine).text


def test_a_choice_that_is_none_is_not_remembered(client: TestClient) -> None:
    answer = client.post("/preferences", data={"theme": "pink", "back": "//example.org"})
    assert "set-cookie" not in answer.headers
    assert answer.headers["location"] == "/"


@pytest.mark.slow
def test_pages_name_only_what_exists(client: TestClient, machine: str) -> None:
    links: set[str] = set()
    for path in ("/", machine, f"{machine}?pfn=0x400&panel=slab", "/gfp", "/calls"):
        html = client.get(path).text
        ids = set(re.findall(r'\bid="([^"]*)"', html))
        for name in ("for", "aria-labelledby", "aria-describedby", "list"):
            assert set(re.findall(rf'\b{name}="([^"]*)"', html)) <= ids
        links |= set(re.findall(r'(?:href|src)="(/[^"#]*)', html))
    for link in links:
        assert client.get(unescape(link)).status_code in {200, 303}, link


def test_who_waits_for_a_kmap_slot_is_not_in_the_pages_queue() -> None:
    queues = (("a", "kmap"), ("b", "lock_page"), ("c", "wait_on_page_locked"))
    tasks = [
        {"name": name, "waiting_for": 5, "waits_in": queue, "since": since}
        for since, (name, queue) in enumerate(queues)
    ]
    assert sleeping.turn(tasks[1], tasks) == ""
    assert "queue: b. " in sleeping.turn(tasks[2], tasks)


def test_a_crafted_address_makes_no_link_long() -> None:
    query = "&".join(f"{name}={'%F0%9F%90%A7' * 60}" for name in address.TEXTS) + "&pfn=0x1000&at=7"
    for given in (query[: address.QUERY_LENGTH], dict(parse_qsl(query))):
        here = address.parse("id", given)
        assert len(here.query) <= address.VIEW_LENGTH
    assert (here.pfn, here.moment) == (0x1000, 7)


def test_the_field_for_a_cache_suggests_those_that_there_are(client: TestClient, machine: str) -> None:
    call(client, machine, "kmem_cache_create", name="my_objects", size="200")
    html = client.get(f"{machine}?call=kmem_cache_alloc").text
    listed = re.findall(r'<option value="([^"]*)">', html.partition('<datalist id="cache-names">')[2])
    assert listed[0] == "my_objects"
    assert "kmalloc-64" in listed
