"""Programs of other people read a session's tree, and say what the API says."""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import jc
import psutil  # type: ignore[import-untyped]
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app import procdirectory
from tests.support.kernel_tools import compiled
from tests.support.patience import PATIENCE
from tests.support.served import BASE, build, listening
from tests.support.tools import tool

EXAMPLE = Path(__file__).parents[2] / "docs/examples/session_in_drgn.py"
MACHINE = {"profile": "x86_64-1g", "memory": "128M"}
CALLS = """
p = alloc_pages(GFP_KERNEL, 3)
o = kmalloc(100, GFP_KERNEL) * 40
v = vmalloc(100K)
t = kmem_cache_alloc("TCP", GFP_KERNEL)
q = alloc_pages(GFP_KERNEL, 3) * 5
a: execve()
a: x = mmap(0, 64K, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)
a: store(x)
"""
COLLECTORS = ("buddyinfo", "meminfo", "zoneinfo", "slabinfo", "vmstat")
BOUND = ("meminfo", "slabinfo", "vmstat", "zoneinfo", "buddyinfo", "stat", "kpagecount")

as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="files are mounted over /proc in a name space of their own"
)


class Seen:
    """A session, and the directory that it was written to."""

    def __init__(self, at: str, folder: Path) -> None:
        self.at = at
        self.folder = folder
        self.meminfo = {name: int(kilobytes) for name, kilobytes in self.words("meminfo", ":")}
        self.vmstat = {name: int(value) for name, value in self.words("vmstat", " ")}
        self.slabs = {words[0]: words[1:] for words in map(str.split, self.text("slabinfo").splitlines()[2:])}

    def text(self, name: str) -> str:
        return httpx2.get(f"{self.at}/proc/{name}").text

    def words(self, name: str, separator: str) -> Iterator[tuple[str, str]]:
        for line in self.text(name).splitlines():
            key, _, rest = line.partition(separator)
            yield key, rest.split()[0]

    def in_its_place(self, script: str) -> str:
        """What programs say for which the directory is /proc and /sys/kernel/slab."""
        proc, slab = self.folder / "proc", self.folder / "sys/kernel/slab"
        mounts = [f"mount --bind {proc}/{name} /proc/{name}" for name in BOUND]
        mounts += ["mount -t tmpfs none /sys/kernel/slab", f"cp -r {slab}/. /sys/kernel/slab/"]
        command = ["unshare", "-m", "--propagation", "private", "sh", "-ec", "\n".join([*mounts, script])]
        environment = {**os.environ, "LC_ALL": "C"}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with listening(build(tmp_path_factory.mktemp("readers"))) as address:
        made = httpx2.post(f"{address}{BASE}/sessions", json={"machine": MACHINE}).json()
        at = f"{address}{BASE}/sessions/{made['id']}"
        answer = httpx2.post(f"{at}/calls", content=CALLS, headers={"content-type": "text/plain"})
        assert answer.status_code == 201, answer.text
        folder = tmp_path_factory.mktemp("tree")
        procdirectory.write(procdirectory.Source(address, made["id"]), folder, None, frames=True)
        yield Seen(at, folder)


# -- libraries -----------------------------------------------------------------------------------------------


def parsed(seen: Seen, name: str) -> Any:
    """What jc makes of a file."""
    return jc.parse(f"proc_{name}", (seen.folder / "proc" / name).read_text())


def test_jc(seen: Seen) -> None:
    zones = httpx2.get(f"{seen.at}/zones").json()["zones"]
    assert [zone["free_chunks"] for zone in parsed(seen, "buddyinfo")] == [zone["nr_free"] for zone in zones]
    assert parsed(seen, "meminfo") == seen.meminfo
    assert parsed(seen, "vmstat") == seen.vmstat
    slabs = {
        row["name"]: [row["active_objs"], row["num_objs"], row["obj_size"]]
        for row in parsed(seen, "slabinfo")
    }
    assert slabs == {name: list(map(int, words[:3])) for name, words in seen.slabs.items()}
    assert len(slabs) == 199
    [area] = parsed(seen, "vmallocinfo")
    assert (area["size"], area["caller"]) == (26 << 12, "lab_init+0x0/0x0")
    [node] = parsed(seen, "zoneinfo")
    free = sum(node[zone["name"]]["pages"]["free"] for zone in zones)
    assert free == seen.vmstat["nr_free_pages"]
    by_type = parsed(seen, "pagetypeinfo")["free_pages"]
    assert sum(count << order for row in by_type for order, count in enumerate(row["free"])) == free


def test_psutil(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "PROCFS_PATH", f"{seen.folder}/proc")
    memory = psutil.virtual_memory()
    assert memory.total == seen.meminfo["MemTotal"] << 10
    assert memory.free == seen.meminfo["MemFree"] << 10
    assert memory.available == seen.meminfo["MemAvailable"] << 10
    assert memory.slab == seen.meminfo["Slab"] << 10
    tasks = {task["pid"]: task["name"] for task in httpx2.get(f"{seen.at}/tasks").json()["tasks"]}
    assert {pid: psutil.Process(pid).name() for pid in psutil.pids()} == tasks
    pid = next(pid for pid, name in tasks.items() if name == "a")
    maps = httpx2.get(f"{seen.at}/tasks/a/maps").json()["vmas"]
    read = psutil.Process(pid).memory_maps(grouped=False)
    assert [area.addr.split("-")[0] for area in read] == [f"{int(vma['start'], 16):08x}" for vma in maps]
    assert sum(area.rss for area in read) == sum(vma["resident"] for vma in maps) << 12


def test_the_example_for_drgn(seen: Seen) -> None:
    """Bytes of `struct page` say what the API says of a page; drgn is no dependency."""
    pytest.importorskip("drgn", reason="pip install drgn==0.3.0")
    server, _, sid = seen.at.partition(f"{BASE}/sessions/")
    named = httpx2.get(f"{seen.at}/names").json()["names"]
    pfn = next(name["pfn"] for name in named if name["name"] == "p")
    command = [sys.executable, EXAMPLE, server, sid, str(pfn)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    page = httpx2.get(f"{seen.at}/pages/{pfn}").json()["struct_page"]
    counts = f"_refcount {page['_refcount']} _mapcount {page['_mapcount']}"
    assert said == f"{pfn:#x} flags {page['flags']['value']} {counts}\n"


# -- programs ------------------------------------------------------------------------------------------------


def test_node_exporter(seen: Seen) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as chosen:
        port = chosen.getsockname()[1]
    command = [
        tool("prometheus-node-exporter", "prometheus-node-exporter"),
        f"--path.procfs={seen.folder}/proc",
        f"--path.sysfs={seen.folder}/sys",
        f"--web.listen-address=127.0.0.1:{port}",
        "--collector.disable-defaults",
        "--collector.vmstat.fields=.*",
        *(f"--collector.{name}" for name in COLLECTORS),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as exporter:
        try:
            metrics = scraped(f"http://127.0.0.1:{port}/metrics")
        finally:
            exporter.terminate()
    assert {
        collector: metrics["node_scrape_collector_success", collector] for collector in COLLECTORS
    } == dict.fromkeys(COLLECTORS, 1)
    assert metrics["node_memory_MemFree_bytes",] == seen.meminfo["MemFree"] << 10
    assert metrics["node_memory_Slab_bytes",] == seen.meminfo["Slab"] << 10
    assert metrics["node_vmstat_nr_free_pages",] == seen.vmstat["nr_free_pages"]
    objects = {key[1]: count for key, count in metrics.items() if key[0] == "node_slabinfo_objects"}
    assert objects == {name: int(words[1]) for name, words in seen.slabs.items()}
    for zone in httpx2.get(f"{seen.at}/zones").json()["zones"]:
        for order, count in enumerate(zone["nr_free"]):
            assert metrics["node_buddyinfo_blocks", "0", str(order), zone["name"]] == count
        assert metrics["node_zoneinfo_nr_free_pages", "0", zone["name"]] == zone["free"]


def scraped(address: str) -> dict[tuple[str, ...], float]:
    """What an exporter says, by the name of a metric and the values of its labels, once it listens."""
    end = time.monotonic() + PATIENCE
    text = ""
    while not text:
        try:
            text = httpx2.get(address).text
        except httpx2.ConnectError:
            assert time.monotonic() < end
            time.sleep(0.02)
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for sample in samples
    }


@as_root
def test_procps(seen: Seen) -> None:
    for name in ("free", "slabtop", "vmstat"):
        tool(name, "procps")
    script = "free -k; echo ==; slabtop -o -s a; echo ==; vmstat -s; echo ==; vmstat -m"
    free, slabtop, sums, caches = seen.in_its_place(script).split("==\n")
    memory = free.splitlines()[1].split()
    expected = ("MemTotal", "MemFree", "MemAvailable")
    assert [int(memory[at]) for at in (1, 3, 6)] == [seen.meminfo[name] for name in expected]
    objects, slabs = 0, 0
    for line in slabtop.splitlines()[7:]:
        total, active, _use, _size, number, *_rest, name = line.split()
        assert [active, total] == seen.slabs[name][:2]
        assert number == seen.slabs[name][-2]
        objects, slabs = objects + int(total), slabs + int(number)
    assert (objects, slabs) == (
        sum(int(words[1]) for words in seen.slabs.values()),
        sum(int(words[-2]) for words in seen.slabs.values()),
    )
    assert f"{seen.meminfo['MemFree']} K free memory" in sums
    assert {words[0]: words[1:3] for words in map(str.split, caches.splitlines()) if words[0] != "Cache"} == {
        name[:24]: words[:2] for name, words in seen.slabs.items()
    }


@as_root
def test_sar(seen: Seen) -> None:
    tool("sar", "sysstat")
    names, values = (
        line.split()[-11:]
        for line in seen.in_its_place("sar -r 1 1").splitlines()[2:]
        if "Average" not in line and line
    )
    row = dict(zip(names, values, strict=True))
    assert int(row["kbmemfree"]) == seen.meminfo["MemFree"]
    assert int(row["kbavail"]) == seen.meminfo["MemAvailable"]
    assert int(row["kbcached"]) == seen.meminfo["Cached"]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("linux"))


@as_root
@pytest.mark.slow
def test_the_tools_of_the_kernel(seen: Seen, tools: Path, tmp_path: Path) -> None:
    """Free pages, slabs, tables and mapped pages; all caches; who took what."""
    flags = shlex.quote(f"{seen.folder}/proc/kpageflags")
    types = subprocess.run(
        [tools / "page-types", "-F", f"{seen.folder}/proc/kpageflags"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.findall(r"^0x\w+\t +(\d+) +\d+  \S+\t(\S*)$", types, re.MULTILINE)
    pages = {names: int(count) for count, names in found}
    assert pages["buddy"] == seen.vmstat["nr_free_pages"]
    slab = sum(count for names, count in pages.items() if "slab" in names.split(","))
    assert slab == seen.meminfo["Slab"] >> 2
    mapped = seen.in_its_place(f"{tools}/page-types -F {flags} -b mmap -N -M -l")
    assert (
        len(re.findall(r"^1\t", mapped, re.MULTILINE))
        == seen.vmstat["nr_anon_pages"] + seen.vmstat["nr_mapped"]
    )

    listed = seen.in_its_place(f"{tools}/slabinfo -l").splitlines()[1:]
    assert {words[0]: words[1:3] for words in map(str.split, listed)} == {
        name: [words[0], str(httpx2.get(f"{seen.at}/caches/{name}").json()["object_size"])]
        for name, words in seen.slabs.items()
        if words[0] != "0"
    }
    totals = seen.in_its_place(f"{tools}/slabinfo -T")
    assert f"Slabcaches :{len(seen.slabs):>16}" in totals

    out = tmp_path / "sorted"
    owners = seen.folder / "sys/kernel/debug/page_owner"
    subprocess.run([tools / "page_owner_sort", "-m", owners, out], check=True, capture_output=True)
    assert out.read_text().startswith("5 times, 40 pages")
    found = re.findall(
        r"^(\d+) times, (\d+) pages.*\n.*pid (\d+).*\n seq_(\d+)", out.read_text(), re.MULTILINE
    )
    assert ("5", "40", "1", "5") in found
    assert ("1", "8", "1", "1") in found


# -- the report of the OOM killer ----------------------------------------------------------------------------

# The lines between which programs look for a report, and what they take from the last one.
BEGINS = re.compile(
    r"(?P<name>\S+) invoked oom-killer: gfp_mask=0x[0-9a-f]+\((?P<flags>\S+)\), order=(?P<order>\d+)"
)
ENDS = re.compile(
    r"Out of memory: Killed process (?P<pid>\d+) \((?P<name>\S+)\) total-vm:(?P<vm>\d+)kB, "
    r"anon-rss:(?P<anon>\d+)kB, file-rss:(?P<file>\d+)kB, shmem-rss:(?P<shmem>\d+)kB, UID:\d+ "
    r"pgtables:(?P<tables>\d+)kB oom_score_adj:(?P<adj>-?\d+)"
)


def test_a_report_of_the_oom_killer(seen: Seen, tmp_path: Path) -> None:
    """kmsg has a whole one, up to who was killed; and a machine can be made from it again."""
    server, _, _sid = seen.at.partition(f"{BASE}/sessions/")
    made = httpx2.post(f"{server}{BASE}/sessions", json={"machine": {**MACHINE, "memory": "96M"}}).json()
    at = f"{server}{BASE}/sessions/{made['id']}"
    calls = "victim: execve()\nvictim: p = alloc_page(GFP_KERNEL) * 20000"
    row = httpx2.post(f"{at}/calls", content=calls, headers={"content-type": "text/plain"}).json()[
        "outcomes"
    ][-1]
    assert row["killed"] == ["victim"]
    procdirectory.write(procdirectory.Source(server, made["id"]), tmp_path, None, frames=False)
    text = (tmp_path / "proc/kmsg").read_text()
    begins, ends = BEGINS.search(text), ENDS.search(text)
    assert begins is not None
    assert ends is not None
    assert (
        begins.start()
        < text.index("Mem-Info:")
        < text.index("Tasks state (memory values in pages):")
        < ends.start()
    )
    assert (begins["name"], begins["flags"], begins["order"]) == ("victim", "GFP_KERNEL", "0")
    assert ends["name"] == "victim"
    assert f"task=victim,pid={ends['pid']}," in text
    again = httpx2.post(f"{server}{BASE}/sessions", content=text, headers={"content-type": "text/plain"})
    assert again.status_code == 201, again.text
    zones = httpx2.get(f"{server}{BASE}/sessions/{again.json()['id']}/zones").json()["zones"]
    free = re.findall(r"^.*Node 0 (\w+): .*= (\d+)kB$", text, re.MULTILINE)
    assert {
        zone["name"]: sum(count << order for order, count in enumerate(zone["nr_free"])) for zone in zones
    } == {name: int(kilobytes) >> 2 for name, kilobytes in free}
