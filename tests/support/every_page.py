"""Every page and panel of the dashboard once, refusals included: for what all have in common."""

from collections.abc import Iterator
from typing import Any

from starlette.testclient import TestClient

from app.machine.replacement import POLICIES
from app.web.panels import PANELS
from tests.support.served import BASE
from tests.support.two_labs import TwoLabs, by_token

# Slabs, areas, names of every kind, a kernel log, a deadlock, and tasks that sleep for three reasons.
LINES = """
p = alloc_pages(GFP_KERNEL, 3)
movable = alloc_pages(GFP_HIGHUSER_MOVABLE, 2) * 40
lost = alloc_pages(GFP_KERNEL, 4)
get_page(p)
fill = alloc_page(GFP_KERNEL) * 300
__free_pages(fill[::2], 0)
object = kmalloc(200, GFP_KERNEL)
objects = kmalloc(100, GFP_KERNEL) * 60
kfree(objects[::3])
kfree(objects[0])
large = kmalloc(20000, GFP_KERNEL)
kmalloc(0, GFP_KERNEL)
demo = kmem_cache_create("demo", 100)
one = kmem_cache_alloc("demo", GFP_KERNEL)
area = vmalloc(64K)
gone = vmalloc(200K)
vfree(gone)
insmod("driver", 20K)
alloc_pages(GFP_KERNEL, 11)
alloc_pages(GFP_ATOMIC, 0)
page_count(p)
__free_pages(p, 3)
q = alloc_page(GFP_KERNEL)
r = alloc_page(GFP_KERNEL)
alice: lock_page(q)
bob: lock_page(r)
carol: lock_page(q)
alice: lock_page(r)
bob: lock_page(q)
""".strip().splitlines()

HIGHMEM = """
high = alloc_pages(GFP_HIGHUSER, 0)
page_address(high)
kmap(high)
alloc_pages(GFP_HIGHUSER, 8) * 40
alice: lock_page(high)
bob: lock_page(high)
alice: unlock_page(high)
""".strip().splitlines()


def made(client: TestClient, name: str, machine: dict[str, Any], lines: list[str]) -> tuple[str, int]:
    """A session on which the lines have been run: its path, and its last row."""
    answer = client.post(f"{BASE}/sessions", json={"name": name, "machine": machine})
    assert answer.status_code == 201, answer.text
    path = f"/sessions/{answer.json()['id']}"
    for line in lines:
        answer = client.post(f"{BASE}{path}/calls", content=line, headers={"Content-Type": "text/plain"})
        assert answer.status_code in (201, 409, 422), (line, answer.text)
    return path, int(client.get(f"{BASE}{path}").json()["seq"])


def every_page(client: TestClient) -> Iterator[tuple[str, str]]:
    """A name and the HTML of each."""
    yield "first visit", client.get("/").text
    busy, head = made(client, "b", {"profile": "tiny-16m"}, LINES)
    high, _ = made(client, "h", {"profile": "i386-1g", "cpus": 2}, HIGHMEM)
    nodes, _ = made(
        client, "n", {"profile": "x86_64-8g", "nodes": 2, "pcp": False}, ["alloc_page(GFP_KERNEL)"]
    )
    yield (
        "machine, new",
        client.get(made(client, "e", {"profile": "tiny-16m", "lecture": True}, [])[0]).text,
    )
    for path in ("/", "/gfp", "/gfp?mask=GFP_ATOMIC|__GFP_DMA", "/gfp?mask=0x7&mask=nonsense", "/calls"):
        yield path, client.get(path).text
    for mask in (
        "0",
        "__GFP_MOVABLE|__GFP_RECLAIMABLE",
        "GFP_KERNEL|__GFP_ZERO|__GFP_COMP",
        "GFP_NOFS|__GFP_NOFAIL",
        "GFP_KERNEL|__GFP_NORETRY|__GFP_MEMALLOC",
        "GFP_KERNEL|__GFP_RETRY_MAYFAIL|__GFP_HIGH",
        "GFP_HIGHUSER_MOVABLE",
        "GFP_NOIO|__GFP_DMA|__GFP_HIGHMEM",
        "GFP_NOWAIT|__GFP_DMA32",
        "nonsense",
    ):
        yield f"mask {mask}", client.get("/gfp", params={"mask": mask}).text
    yield "nowhere", client.get("/nowhere").text
    yield "not in this way", client.get(f"{busy}/undo").text
    yield from machine(client, busy, head)
    for panel in PANELS:
        for path in (high, nodes):
            yield f"{path} {panel}", client.get(path, params={"panel": panel}).text
    yield from explanations(client, busy, head)
    yield from refusals(client, busy)
    yield from demos(client)
    yield from exercises(client)
    yield from replacement(client, busy)


def machine(client: TestClient, path: str, head: int) -> Iterator[tuple[str, str]]:
    """The machine's page with every panel, what can be inspected, every form, and moments of the past."""
    for panel in PANELS:
        yield f"panel {panel}", client.get(path, params={"panel": panel}).text
    for cache in ("kmalloc-128", "demo", "kmalloc-8"):
        yield f"slabs of {cache}", client.get(path, params={"panel": "slab", "slabs": cache}).text
    for pfn in ("0", "0x400", "0x401", "0x500", "0x600", "0x700", "0xfff", "0x99999"):
        yield f"frame {pfn}", client.get(path, params={"pfn": pfn, "shift": "0"}).text
    names = client.get(f"{BASE}{path}/names").json()
    addresses = (
        [named["addr"] for named in names.values() if isinstance(named, dict) and named.get("addr")]
        if isinstance(names, dict)
        else []
    )
    rows = client.get(f"{BASE}{path}/events", params={"limit": 1000}).json()["items"]
    returned = [row["ret"] for row in rows if isinstance(row["ret"], str) and row["ret"].startswith("0xffff")]
    for address in [*addresses, *returned, "0x10", "0xffff888000000000", "nothing"]:
        yield f"address {address}", client.get(path, params={"obj": address}).text
    for name in client.get(f"{BASE}/calls").json()["calls"]:
        yield f"form of {name['name']}", client.get(path, params={"call": name["name"]}).text
    for seq in range(head + 1):
        yield f"row {seq}", client.get(path, params={"outcome": seq}).text
    yield from processes(client)
    yield from reclaimed(client)
    yield "past", client.get(path, params={"at": 5, "shift": "0"}).text
    yield "undone", client.get(client.post(f"{path}/undo", data={"view": ""}).headers["location"]).text
    yield (
        "forked",
        client.get(client.post(f"{path}/fork", data={"view": "", "at": "4"}).headers["location"]).text,
    )
    yield "delete", client.get(f"{path}/delete").text


def exercises(client: TestClient) -> Iterator[tuple[str, str]]:
    """A prediction and a goal: as they are asked, answered, shown, and refused."""
    for name, sent in (("what-a-split-leaves", "answers"), ("half-free-and-still-null", "check")):
        opened = client.post(f"/exercises/{name}", data={"variant": "7"}).headers["location"]
        path, _, query = opened.partition("?")
        view = {"view": query.partition("#")[0]}
        yield f"{name} asked", client.get(opened).text
        typed = {"f1": "0x400", **{f"f2.{order}": "1" for order in range(11)}}
        done = client.post(f"{path}/exercise/{sent}", data=view | typed).headers["location"]
        yield f"{name} {sent}", client.get(done).text
        view = {"view": done.partition("?")[2].partition("#")[0]}
        done = client.post(f"{path}/exercise/hints", data=view).headers["location"]
        view = {"view": done.partition("?")[2].partition("#")[0]}
        shown = client.post(f"{path}/exercise/reveal", data=view).headers["location"]
        yield f"{name} shown", client.get(shown).text
        away = client.get(f"{path}?exercise={name}&variant=7&task=1").text
        yield f"{name} away", away
    yield (
        "no answer",
        client.post(
            f"{path}/exercise/answers", data={"view": shown.partition("?")[2].replace("task=1", "task=2")}
        ).text,
    )
    yield "elsewhere", client.get(f"{path}?exercise={name}&variant=8&task=1").text


def replacement(client: TestClient, path: str) -> Iterator[tuple[str, str]]:
    """Page replacement compared: nothing, each policy, a second opinion, a session, a trace, refusals."""
    yield "no replacement", client.get("/replacement").text
    asked = {"of": "list", "string": "1W 2 3 4 1 2 5 1 2 3 4 5W", "opinion": "1 F\n2 F\n3 H\n"}
    for policy in POLICIES:
        yield f"replacement by {policy}", client.get("/replacement", params=asked | {"policy": policy}).text
    for said in ("9", "FFFFFFFHHFFH", "1 F", "nothing", "FFFFHFHHHFFH"):
        asked["opinion"] = said
        yield f"second opinion {said}", client.get("/replacement", params=asked).text
    long = " ".join(str(page) for page in range(150))
    yield (
        "replacement, long",
        client.get("/replacement", params={"of": "list", "string": long, "row": 100}).text,
    )
    session = {"of": "session", "session": path.rpartition("/")[2]}
    yield "replacement of a session", client.get("/replacement", params=session).text
    yield "replacement of nobody", client.get("/replacement", params=session | {"task": "nobody"}).text
    yield "replacement of a kernel thread", client.get("/replacement", params=session | {"task": "init"}).text
    trace = {"of": "trace", "trace_text": "==1== x\n L 1ffeffe7e0,8\nrest\n S 1ffeffd7e0,8\n"}
    yield "replacement of a trace", client.post("/replacement", data=trace).text
    wrong = {"of": "x", "frames": "0", "to": "x", "policy": "mru", "load_bit": "2", "with": "none"}
    yield "replacement refused", client.get("/replacement", params=wrong).text


def processes(client: TestClient) -> Iterator[tuple[str, str]]:
    """The view of processes: none, two of them, huge pages, a file, the life of a page."""
    lines = """a: execve("/bin/hello")
a: x = mmap(NULL, 4M, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)
a: load(x)
a: store(x+4K)
a: f = open("/data/a")
a: q = mmap(NULL, 1M, PROT_READ|PROT_WRITE, MAP_SHARED, f)
a: store(q)
a: b = fork()
b: store(x+4K, 9)
b: load(x, 3)
b: store(4096)"""
    for thp in ("never", "always"):
        path, _ = made(client, "v", {"profile": "x86_64-1g", "transparent_hugepage": thp}, [])
        yield "no process", client.get(path, params={"view": "vm"}).text
        for line in lines.splitlines():
            client.post(f"{BASE}{path}/calls", content=line, headers={"content-type": "text/plain"})
            yield f"processes after {line}", client.get(path, params={"view": "vm", "beside": 1002}).text
        for panel in ("pagecache", "lru"):
            yield panel, client.get(path, params={"view": "vm", "panel": panel, "cached": "/data/a"}).text
        for va in ("0x1000", "0xffff888000000000", "0x800000000000", "0x7fffffffd000"):
            yield f"walk of {va}", client.get(path, params={"view": "vm", "va": va}).text
        row = client.get(f"{BASE}{path}/events/4").json()
        pfn = row["access"][0]["pfn"]
        yield "frame of a process", client.get(path, params={"pfn": hex(pfn)}).text
        yield "life", client.get(f"{path}/life", params={"pfn": hex(pfn)}).text
        yield (
            "life of a page",
            client.get(f"{path}/life", params={"task": "a", "addr": "0x7ffff7bf9000"}).text,
        )
        yield "no life", client.get(f"{path}/life", params={"pfn": "0x999999"}).text


def reclaimed(client: TestClient) -> Iterator[tuple[str, str]]:
    """A machine on which memory is short: lists, swap, evicted pages, kswapd."""
    shape = {"profile": "x86_64-1g", "memory": "96M", "reclaim": True, "swap": 1024}
    path, _ = made(client, "r", shape, [])
    lines = """alloc_pages(GFP_KERNEL, 8) * 38
a: execve("/bin/hello")
a: f = open("/data/a", O_RDWR)
a: read(f, 4M)
a: x = mmap(NULL, 12M, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)
a: store(x) * 1200
a: store(x+5M) * 1200"""
    for line in lines.splitlines():
        client.post(f"{BASE}{path}/calls", content=line, headers={"content-type": "text/plain"})
    for panel in ("pagecache", "lru", "swap"):
        yield f"{panel}, short", client.get(path, params={"view": "vm", "panel": panel}).text


def explanations(client: TestClient, path: str, head: int) -> Iterator[tuple[str, str]]:
    """Every row explained, and some of them at a step."""
    for seq in range(1, head + 2):
        yield f"explained {seq}", client.get(f"{path}/explain/{seq}").text
    for step in (1, 2, 3):
        yield f"step {step}", client.get(f"{path}/explain/2", params={"decision": step}).text
        yield f"only {step}", client.get(f"{path}/explain/1", params={"decision": step, "only": 1}).text


def refusals(client: TestClient, path: str) -> Iterator[tuple[str, str]]:
    """What is said where something was refused."""
    forms = {
        "profile": ("/sessions", {"profile": "cray", "cpus": "many"}),
        "file": ("/sessions", {}),
        "name": (f"{path}/rename", {"name": ""}),
        "call": (f"{path}/call/alloc_pages", {"gfp": "nonsense", "order": "x"}),
        "line": (f"{path}/line", {"line": "alloc_pages(1, 2, 3, 4"}),
        "asleep": (f"{path}/call/alloc_pages", {"gfp": "GFP_KERNEL", "order": "0", "task": "carol"}),
        "rewind": (f"{path}/rewind", {"to": "x"}),
        "fork": (f"{path}/fork", {"at": "99999"}),
    }
    for name, (to, form) in forms.items():
        given: dict[str, Any] = {"files": {"file": ("x.json", b"[]")}} if name == "file" else {"data": form}
        yield f"refused {name}", client.post(to, **given).text
    fresh, _ = made(client, "f", {"profile": "tiny-16m"}, [])
    yield "refused undo", client.post(f"{fresh}/undo", data={"view": ""}).text
    for content in (b"", b"{", b'{"kmemlab": 1}\n'):
        yield f"file {content!r}", client.post("/sessions", files={"file": ("x.json", content)}).text


def demos(client: TestClient) -> Iterator[tuple[str, str]]:
    """Two demos, step by step: run, not run, and on another machine."""
    for name in ("split-and-merge", "vmalloc-wins", "the-locks-queue"):
        started = client.post(f"/demos/{name}")
        if started.status_code != 303:
            continue
        here = str(started.headers["location"])
        yield f"demo {name}", client.get(here).text
        path = here.partition("?")[0]
        for step in range(1, 7):
            yield f"demo {name}, step {step}", client.get(path, params={"demo": name, "step": step}).text
        ran = client.post(f"{path}/demo", data={"view": f"demo={name}&step=0"})
        if ran.status_code == 303:
            yield f"demo {name}, run", client.get(ran.headers["location"].partition("#")[0]).text


OF_A_LAB = (
    *(
        "/",
        "/labs",
        "/labs/{lab}",
        "/labs/{lab}/board",
        "/labs/{lab}/members",
        "/labs/{lab}/activity",
        "/labs/{lab}/wall",
        "/labs/{lab}/wall?as=table&sort=-trouble",
        "/audit",
    ),
    *("/labs/{lab}/sheets", "/labs/{lab}/sheets/{sheet}", "/labs/{lab}/sheets/{sheet}/delete"),
    *(
        "/labs/{lab}/polls",
        "/labs/{lab}/polls/{poll}",
        "/labs/{lab}/polls/{poll}/desk",
        "/labs/{lab}/polls/{poll}/projector",
        "/labs/{lab}/participation",
        "/labs/{lab}/misconceptions",
        "/labs/{lab}/sheets/{sheet}/results",
        "/labs/{lab}/sheets/{sheet}/results/tasks/1.1",
        "/labs/{lab}/sheets/{sheet}/results/members/1/1.1",
        "/labs/{lab}/sheets/{sheet}/regrade",
        "/sessions/{prepared}/ask?line=alloc_page(GFP_KERNEL)",
    ),
    *(
        "/audit",
        "/labs/{lab}/close",
        "/sessions/{prepared}/lab?at=1",
        "/labs/{lab}/delete",
        "/labs/{lab}/members/1/delete",
        "/labs/{lab}/members/remove-idle",
        "/sessions/{session}",
    ),
    *("/labs/{lab}/sessions/{session}/reset", "/me", "/me/leave", "/join", "/join/{code}", "/join/none"),
    *("/signin", "/signout", "/setup/none", "/enter/none"),
)


def every_page_of_a_lab(client: TestClient, world: TwoLabs) -> Iterator[tuple[str, str]]:
    """The pages of lab mode, as each who sees others of them than the last."""
    for role in ("anonymous", "waiting", "instructor", "owner", "watcher", "operator"):
        for path in OF_A_LAB:
            answer = client.get(world.at(role, path), headers=by_token(world.tokens.get(role)))
            if answer.headers.get("content-type", "").startswith("text/html"):
                yield f"{path}, {role}", answer.text
    as_teacher = by_token(world.tokens["instructor"])
    for form, typed in (("/join", {"code": "none"}), ("/signin", {"name": "Ada", "password": "x"})):
        yield f"refused {form}", client.post(form, data=typed).text
    for path in (
        "/labs",
        "/labs/{lab}/describe",
        "/labs/{lab}/machines",
        "/sessions/{prepared}/lab",
        "/me/token",
        "/me/link",
        "/me/invitation",
    ):
        yield f"refused {path}", client.post(world.at("instructor", path), data={}, headers=as_teacher).text
