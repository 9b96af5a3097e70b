"""The view of processes: who there is, areas, pages, the walk of an address, two processes side by side."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app import mm
from app.machine.faulting import CODES
from app.web.vm import fault_words
from tests.support.browsers import class_of
from tests.support.served import BASE, build, client_of

RW = "PROT_READ|PROT_WRITE"
ANONYMOUS = "MAP_PRIVATE|MAP_ANONYMOUS"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(build(tmp_path_factory.mktemp("processes"))) as client:
        yield client


class Machine:
    """A machine whose page is looked at."""

    def __init__(self, client: TestClient, lines: str = "", **description: Any) -> None:
        self.client = client
        made = client.post(
            f"{BASE}/sessions", json={"name": "p", "machine": {"profile": "x86_64-1g", **description}}
        )
        assert made.status_code == 201, made.text
        self.path = f"/sessions/{made.json()['id']}"
        for line in filter(None, map(str.strip, lines.splitlines())):
            self.call(line)

    def call(self, line: str) -> dict[str, Any]:
        answer = self.client.post(
            f"{BASE}{self.path}/calls", content=line, headers={"content-type": "text/plain"}
        )
        assert answer.status_code == 201, answer.text
        outcome: dict[str, Any] = answer.json()["outcomes"][-1]
        return outcome

    def page(self, query: str = "") -> str:
        answer = self.client.get(f"{self.path}?view=vm{query}")
        assert answer.status_code == 200, answer.text
        return answer.text

    def text(self, query: str = "") -> str:
        return plain(self.view(query))

    def view(self, query: str = "") -> str:
        return self.page(query).partition('<section class="vm"')[2].partition("</section>")[0]

    def pid(self, name: str) -> int:
        tasks = self.client.get(f"{BASE}{self.path}/tasks").json()["tasks"]
        return int(next(task["pid"] for task in tasks if task["name"] == name))

    def send(self, form: str, **fields: str) -> Response:
        return self.client.post(f"{self.path}/{form}", data={"view": "view=vm", **fields})


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html)))


START = f"""
a: execve("/bin/hello")
a: x = mmap(NULL, 32K, {RW}, {ANONYMOUS})
"""


@pytest.fixture
def machine(client: TestClient) -> Machine:
    return Machine(client, START)


def test_a_machine_without_processes_offers_one_button_that_starts_one(client: TestClient) -> None:
    machine = Machine(client)
    view = machine.view()
    assert "No process yet" in plain(view)
    (button,) = re.findall(r"<button[^>]*>([^<]*)</button>", view)
    assert button == "Start a process"
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', view))
    answer = machine.send("call/execve", task=fields["task"], path=fields["path"])
    shown = client.get(answer.headers["location"].partition("#")[0]).text
    assert "exit" in re.findall(r"<button[^>]*>([^<]*)</button>", shown)
    assert f"{fields['task']} {machine.pid(fields['task'])}" in plain(shown)


def test_the_strip_has_all_areas_in_order_and_says_how_much_nothing_lies_between(machine: Machine) -> None:
    strip = machine.view().partition('class="vm-areas"')[2].partition("</ol>")[0]
    words = plain(strip)
    assert re.findall(r"\b(bin/hello|heap|anon|vvar|vdso|stack)\b", words) == [
        "bin/hello", "bin/hello", "bin/hello", "bin/hello", "heap", "anon", "vvar", "vdso", "stack",
    ]  # fmt: skip
    assert "128 TiB" in words
    table = plain(machine.view().partition('id="areas-twin"')[2].partition("</details>")[0])
    assert "0x7ffff7ff1000 0x7ffff7ff9000 rw-p anon 8 32 KiB" in table


def test_an_address_walks_to_its_frame_level_by_level(machine: Machine) -> None:
    stored = machine.call("a: store(x+4K)")
    (access,) = stored["access"]
    text = machine.text()
    walk = text.partition("P4D folded")[2]
    for level, index, entry in access["walk"]:
        assert f"{index:09b} {level.upper()} {index}" in walk
        assert entry in walk
    assert f"Frame {access['pfn']:#07x}: anonymous page." in walk
    assert "new" in walk  # the table that this call made
    assert "present rw user accessed dirty" in walk
    # Another address, typed: nothing is there.
    assert "PTE 499 is empty: the first access is a page fault." in machine.text("&va=0x7ffff7ff3123")
    assert "no area is here: an access ends in SIGSEGV" in machine.text("&va=4096")
    assert "kernel’s" in machine.text("&va=0xffff888000000000")
    assert "not canonical" in machine.text("&va=0x800000000000")
    assert "+0x123, 12 bits" in machine.text("&va=x%2B0x2123")
    # What is no address shows what the last call was about.
    assert 'value="0x7ffff7ff2000"' in machine.view("&va=nonsense")


def test_a_huge_entry_ends_the_walk_early(client: TestClient) -> None:
    machine = Machine(client, START.replace("32K", "8M"), transparent_hugepage="always")
    machine.call("a: store(x+3M)")
    text = machine.text()
    assert "itself: the walk ends early." in text
    assert "21 bits" in text
    assert "maps 2 MiB" in text
    assert " PTE " not in text.partition("P4D folded")[2]
    assert "present 512 of 2,048 pages" in text


def test_on_i386_two_levels_are_folded(client: TestClient) -> None:
    machine = Machine(client, START, profile="i386-1g")
    machine.call("a: store(x)")
    text = machine.text()
    assert "P4D and PUD folded" in text
    assert re.search(r"10 PGD 2 table cr3", text)
    assert machine.text("&va=0xffffffffffffffff")  # higher than the processor knows


def test_fork_shows_parent_and_child_joined_and_a_copy_parts_them(machine: Machine) -> None:
    machine.call("a: load(x)")
    stored = machine.call("a: store(x+4K, 7)")
    answer = machine.send("call/fork", task="a", child="b", view=f"view=vm&pid={machine.pid('a')}&va=x%2B4K")
    shown = machine.client.get(answer.headers["location"].partition("#")[0]).text
    assert "No page was copied." in plain(shown)
    assert "2 pages here are one frame in both; 0 pages differ." in plain(shown)
    assert shown.count('class="page-pair shared"') == 2
    a, b = machine.pid("a"), machine.pid("b")
    copied = machine.call("b: store(x+4K, 9)")
    query = f"&pid={a}&beside={b}&va=x%2B4K"
    assert "1 page here is one frame in both; 1 page differs." in machine.text(query)
    twin = plain(machine.view(query).partition('id="pages-twin"')[2].partition("</details>")[0])
    old, new = (outcome["access"][0]["pfn"] for outcome in (stored, copied))
    assert f"0x7ffff7ff2000 {old:#07x} {new:#07x}" in twin
    # The other process has another page at the same address, and the way there keeps the address.
    assert f"Frame {new:#07x}" in machine.text(f"&pid={b}&va=x%2B4K")
    assert f"Frame {old:#07x}" in machine.text(f"&pid={a}&va=x%2B4K")


def test_a_large_area_is_shown_in_a_bounded_number_of_cells(client: TestClient) -> None:
    machine = Machine(client, START.replace("32K", "128M"))
    sizes = []
    for count in (1, 1_000, 12_000):
        machine.call(f"a: store(x, 1, {count})")
        page = machine.page("&va=x")
        sizes.append(len(page))
        assert page.count('class="page-cell') < 80
    assert "present 12,000 of 32,768 pages" in machine.text("&va=x")
    assert abs(sizes[2] - sizes[1]) < 3_000
    assert sizes[2] < 160_000
    cells = machine.view("&va=x").partition('class="page-cells"')[2].partition("</div>")[0]
    assert "1,024 of 1,024 pages present" in unescape(cells)
    assert "0 of 1,024 pages present" in unescape(cells)


def test_counters_are_those_of_the_kernel_and_shares_those_of_smaps(machine: Machine) -> None:
    machine.call("a: store(x, 1, 4)")
    machine.call("a: b = fork()")
    machine.call("b: store(x)")
    for name in ("a", "b"):
        rollup = machine.client.get(f"{BASE}{machine.path}/tasks/{name}/proc/smaps_rollup").text
        kilobytes = {key: int(value) for key, value in re.findall(r"(\w+): +(\d+) kB", rollup)}
        text = machine.text(f"&pid={machine.pid(name)}")
        task = machine.client.get(f"{BASE}{machine.path}/tasks/{name}").json()
        assert f"min_flt {task['faults']['min']} maj_flt {task['faults']['maj']}" in text
        assert f"RSS {kilobytes['Rss'] // 4} pages" in text
        pss = float(re.findall(r"PSS ([\d.]+)", text)[0])
        assert kilobytes["Pss"] <= 4 * (pss + 0.05) < kilobytes["Pss"] + 1.4
        assert f"USS {(kilobytes['Private_Clean'] + kilobytes['Private_Dirty']) // 4}" in text


def test_form_and_console_call_as_the_process_that_is_shown(machine: Machine) -> None:
    machine.call("a: b = fork()")
    a = machine.pid("a")
    view = f"view=vm&pid={a}"
    page = machine.page(f"&pid={a}&va=x")
    form = page.partition('id="call"')[2].partition("</section>")[0]
    assert 'action="' + machine.path + '/call/store"' in form
    assert 'value="0x7ffff7ff1000"' in form
    assert re.search(r'name="task" value="a"', form)
    assert re.search(r'name="task" value="a"', page.partition("data-console")[2])
    machine.send("line", line="store(x)", task="a", view=view)
    machine.send("line", line="b: store(x)", task="a", view=view)
    rows = machine.client.get(f"{BASE}{machine.path}/events").json()["items"]
    callers = {row["seq"]: row["args"].get("task") for row in rows}
    assert [callers[seq] for seq in (4, 5)] == ["a", "b"]
    # What was called is what is shown next, whoever was shown before.
    answer = machine.send("line", line="b: load(x+8K)", task="a", view=view)
    assert "pid=" not in answer.headers["location"]
    shown = machine.client.get(answer.headers["location"].partition("#")[0]).text
    assert f'data-pid="{machine.pid("b")}" data-va="0x7ffff7ff3000"' in shown


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a: load(x)", "Minor fault: the zero page is mapped, no frame is taken"),
        ("a: store(x)", "Minor fault: first write to an anonymous page: one zeroed frame"),
        ("a: store(x) * 3", "3 minor faults, 0 major."),
        ("a: store(4096)", "The process is killed: SIGSEGV: no area is there."),
        ("a: store(0x401000)", "The process is killed: SIGSEGV: the area does not allow it."),
    ],
)
def test_what_an_access_met_is_one_sentence(machine: Machine, line: str, words: str) -> None:
    machine.call(line)
    answer = machine.page().partition('id="outcome"')[2].partition("</section>")[0]
    assert words in plain(answer)


def test_every_kind_of_fault_has_words() -> None:
    assert set(CODES.values()) == set(fault_words.SIGNALS)
    sources = "".join(path.read_text() for path in Path(mm.__file__).parent.glob("*.py"))
    kinds = re.findall(r"\.kind = \"(\w+)\"", sources)
    assert "file_read" in kinds
    assert set(kinds) <= set(fault_words.WORDS)


def test_a_major_fault_fills_the_page_cache_and_names_its_file(machine: Machine) -> None:
    machine.call('a: f = open("/data/a")')
    machine.call("a: q = mmap(NULL, 1M, PROT_READ, MAP_SHARED, f)")
    loaded = machine.call("a: load(q)")
    page = machine.page("&panel=pagecache&cached=/data/a")
    text = plain(page)
    assert "◷ Major fault: read from the file into the page cache" in text
    panel = page.partition('id="panels"')[2]
    assert f'title="page 0, frame {loaded["access"][0]["pfn"]:#07x}, mapped 1 time' in unescape(panel)
    cached = len(re.findall(r'<a class="page-cell[^"]*"', panel))
    assert f"cached {cached} of 4,096 pages" in plain(panel)
    assert "Later" in plain(panel)
    assert "3,969 to 4,096 of 4,096" in plain(machine.page("&panel=pagecache&cached=/data/a&row=4000"))
    # Where nothing is chosen the first file that has anything cached is shown, and any name will do.
    for query in ("", "&cached=/nothing", "&cached=%00", "&row=99999999"):
        assert "/bin/hello cached 4 of 4 pages" in plain(machine.page(f"&panel=pagecache{query}"))


def test_lru_lists_are_told_from_head_to_tail(machine: Machine) -> None:
    machine.call("a: store(x, 1, 8)")
    machine.call("a: y = mmap(NULL, 1M, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)")
    machine.call("a: store(y, 1, 100)")
    panel = machine.page("&panel=lru").partition('id="panels"')[2]
    lists = machine.client.get(f"{BASE}{machine.path}/lru?node=0&list=inactive_anon").json()
    shown = re.findall(r"title=\"frame (0x[0-9a-f]+), mapped", panel)[:40]
    pages = [item["pfn"] for item in lists["items"]]
    assert [int(pfn, 16) for pfn in shown] == pages[:14] + pages[-26:]
    assert f"inactive_anon {lists['size']}" in plain(panel)
    assert f"… {lists['size'] - 40} more" in plain(panel)


def test_the_inspector_says_who_maps_a_frame(machine: Machine) -> None:
    pfn = machine.call("a: store(x)")["access"][0]["pfn"]
    machine.call("a: b = fork()")
    page = machine.page(f"&pfn={pfn:#x}").partition('id="inspector"')[2].partition("</section>")[0]
    text = plain(page)
    assert "mapped 2 times: each counts 1/2 of it in its PSS" in text
    for name in ("a", "b"):
        assert f"{name} 0x7ffff7ff1000 rw-p" in text
        assert f"pid={machine.pid(name)}" in page
    assert "_mapcount 1 + 1 = 2 page table entries" in text
    assert "anonymous (bit 0 is set): anon_vma" in text
    kept = machine.client.get(f"{machine.path}?pfn={pfn:#x}").text  # in the view of frames too
    assert "Who maps this frame" in kept


def test_the_past_shows_processes_as_they_were(machine: Machine) -> None:
    machine.call("a: store(x)")
    machine.call("a: exit(0)")
    assert "No process yet" in machine.text()
    then = machine.page("&at=3&va=x")
    assert "Frame 0x" in plain(then)
    assert "disabled" in then.partition('class="vm"')[2].partition("</section>")[0]


def test_many_processes_are_listed_in_parts(client: TestClient) -> None:
    machine = Machine(client, START)
    for number in range(30):
        machine.call(f"a: c{number} = fork()")
    view = machine.view()
    assert view.count('<li class="process') == 12
    last = machine.pid("c29")
    assert "Processes before" in machine.view(f"&pid={last}")
    assert machine.view(f"&pid={last}").count('aria-current="true"') == 2 + 1


def test_nothing_in_an_address_is_an_error(machine: Machine) -> None:
    for query in ("&pid=0", "&pid=99999999", "&pid=x", "&beside=1", "&beside=99", "&va=", "&va=%F0%9F%92%A9",
                  "&va=0x" + "f" * 60, "&va=-1", "&cached=" + "x" * 300):  # fmt: skip
        assert "Walk" in machine.text(query)


def test_a_name_of_an_address_leads_to_its_walk(machine: Machine) -> None:
    machine.call("a: b = fork()")
    names = machine.page().partition('id="names"')[2].partition("</section>")[0]
    assert re.search(r'href="[^"]*view=vm&amp;va=0x7ffff7ff1000"[^>]*><b>x</b>', names)
    assert re.search(rf'href="[^"]*pid={machine.pid("b")}"[^>]*><b>b</b> {machine.pid("b")}<', names)


def test_the_life_of_a_page_and_of_a_frame_is_told_row_by_row(machine: Machine) -> None:
    pfn = machine.call("a: store(x)")["access"][0]["pfn"]
    machine.call("a: b = fork()")
    machine.call("b: store(x)")
    machine.call("a: exit(0)")
    (link,) = re.findall(r'href="([^"]*)">Life of this page<', machine.page("&at=5&pid=1001&va=x"))
    assert "task=a&amp;addr=0x7ffff7ff1000" in link
    told = plain(machine.client.get(unescape(link).replace("at=5", "")).text)
    assert f"#3 a: store mapped, written {pfn:#07x} anon" in told
    inspector = machine.page(f"&at=5&pfn={pfn:#x}").partition('id="inspector"')[2]
    (link,) = re.findall(r'href="([^"]*)">Life of this frame<', inspector)
    told = plain(machine.client.get(unescape(link).replace("at=5", "")).text)
    assert re.search(
        rf"#3 a: store allocated, mapped.* {pfn:#07x} .*#4 a: fork .*shared.*#6 a: exit .*freed", told
    )
    nothing = machine.client.get(f"{machine.path}/life?pfn=0x9999999")
    assert (nothing.status_code, "no such frame" in nothing.text) == (409, True)


def test_on_a_shared_machine_a_members_processes_are_theirs(tmp_path: Path) -> None:
    with class_of(tmp_path) as room:
        lab = room.lab()
        session = room.session("", name="together")
        room.machine(lab, session, "operate")
        kim, bo = room.student(lab, "Kim"), room.student(lab, "Bo")
        path = f"/sessions/{session}"
        view = kim.get(f"{path}?view=vm").text
        (task,) = re.findall(
            r'name="task" value="(m\d+)"', view.partition('class="vm"')[2].partition("</section>")[0]
        )
        started = kim.post(
            f"{path}/call/execve", data={"view": "view=vm", "task": task, "path": "/bin/hello"}
        )
        page = kim.get(started.headers["location"].partition("#")[0]).text
        assert f"Kim ({task})" in plain(page)
        assert re.findall(r"<button[^>]*>(fork|exit)</button>", page) == ["fork", "exit"]
        forked = kim.post(f"{path}/call/fork", data={"view": "view=vm", "task": task, "child": "b"})
        assert forked.status_code == 303
        child = kim.get(forked.headers["location"].partition("#")[0]).text
        assert f"{task}-b" in plain(child)
        assert 'name="child" value="c"' in child
        # To others they are to be looked at; they are offered one of their own.
        theirs = bo.get(f"{path}?view=vm").text
        assert f"Kim ({task})" in plain(theirs)
        assert re.findall(r"<button[^>]*>([^<]*process|fork|exit)</button>", theirs) == ["Start a process"]
        assert 'id="runs-as"></span>' in theirs
