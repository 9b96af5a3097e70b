"""The guided demos: each is played through the sessions' door, and does what its prose says."""

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from app import paths
from app.demos import BadDemo, Library, predictions, read
from app.demos.demo import LOOKS
from app.demos.expect import BadExpectation, expectation, unmet
from app.demos.playing import play
from app.exercises.forms import FORMS
from app.machine import boot
from app.mm import proc
from app.sessions import LOCAL, Sessions
from app.web.demopanel import ANCHORS
from app.web.panels import PANELS
from tests.support.served_process import kmemlab, told

ROOT = Path(__file__).parents[2]
FILES = sorted(paths.DEMOS.glob("*.toml"))
DEMOS = Library().demos()
TITLES = [
    "Split and merge",
    "The per-CPU list hides it",
    "The first steal",
    "Where: zone modifiers",
    "Fallback and lowmem_reserve",
    "Who fails first",
    "kmalloc size classes",
    "Fragmentation, and vmalloc wins",
    "References",
    "The lock's queue",
    "Nothing is there until you touch it",
    "Minor, major, none",
    "Same address, two processes",
    "Fork copies nothing",
    "What a page table costs",
    "Who maps this frame",
    "Second chance",
    "One read does not protect, two do",
    "kswapd between the marks",
    "Swapped out, swapped in",
    "Order 9 after compaction",
    "Who is killed, and why",
]


# -- those that ship ----------------------------------------------------------------------------------------


def test_they_ship_in_the_lectures_order() -> None:
    assert [demo.title for demo in DEMOS.values()] == TITLES
    assert [read(path) for path in FILES] == list(DEMOS.values())


@pytest.mark.parametrize("name", DEMOS)
async def test_a_demo_does_what_it_says(name: str, sessions: Sessions) -> None:
    assert await play(sessions, LOCAL, DEMOS[name]) == []


@pytest.mark.parametrize("name", DEMOS)
def test_every_step_is_held_to_something(name: str) -> None:
    for step in DEMOS[name].steps:
        assert step.expect
        assert step.why
        assert step.notice
        assert step.look
    assert DEMOS[name].steps[-1].you


@pytest.mark.parametrize("name", DEMOS)
def test_a_step_looks_at_what_there_is(name: str) -> None:
    for step in DEMOS[name].steps:
        machine = boot.boot(DEMOS[name].parts[step.part - 1].machine)
        zones = {zone.name for zone in machine.zones}
        assert step.view["zone"] in zones
        assert step.look in LOOKS
        assert step.view.get("file", "buddyinfo") in proc.FILES


def test_a_step_can_point_at_what_the_page_has() -> None:
    assert list(LOOKS) == [*ANCHORS, *(panel.look for panel in PANELS.values() if panel.look is not None)]


# -- a teacher's own ----------------------------------------------------------------------------------------

SMALL = """\
title = "A small one"
teaser = "For this test."
[machine]
profile = "tiny-16m"
[[step]]
title = "One"
happens = "It happens."
calls = "p = alloc_page(GFP_KERNEL)"
expect = ["1 verdict ok"]
"""


def write(folder: Path, name: str, text: str = SMALL) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_the_least_that_a_demo_has(tmp_path: Path) -> None:
    demo = read(write(tmp_path, "11-a-small-one.toml"))
    assert (demo.name, demo.title, len(demo.steps)) == ("a-small-one", "A small one", 1)
    assert demo.steps[0].calls == ("p = alloc_page(GFP_KERNEL)",)


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ('title = "A small one"', "", "title: a text is needed"),
        ('teaser = "For this test."', "teaser = 3", "teaser: a text is needed"),
        (
            'teaser = "For this test."',
            'teaser = "x"\nauthor = "y"',
            "author: no such field; there are machine",
        ),
        ('profile = "tiny-16m"', 'profile = "tiny"', "machine.profile: "),
        ('profile = "tiny-16m"', "memory = 2026-01-01", "machine.memory: "),
        ('[machine]\nprofile = "tiny-16m"\n', "", "machine: a table is needed"),
        (
            '[machine]\nprofile = "tiny-16m"',
            "[machine]\ndump = {}",
            "machine: a profile is needed, not a dump",
        ),
        ("[[step]]", "[step]", "step: 1 to 30 tables [[step]] are needed"),
        ('title = "One"', "", "step 1: title: a text is needed"),
        ('title = "One"', 'title = "One"\nhapens = ""', "step 1: hapens: no such field"),
        ('happens = "It happens."', 'happens = " "', "step 1: happens: a text is needed"),
        ("alloc_page(GFP_KERNEL)", "alloc_page(GFP_KERNEL", "step 1: calls, line 1: the closing parenthesis"),
        ("alloc_page(GFP_KERNEL)", "alloc(3)", "step 1: calls, line 1: call: 'alloc' is no call"),
        ("1 verdict ok", "2 verdict ok", "step 1: expect, entry 1: the step has only 1 calls"),
        ("1 verdict ok", "1 verdict fine", "step 1: expect, entry 1: '1 verdict fine': a verdict is one of"),
        ("1 verdict ok", "frees DMA -1", "begins with neither a call's number nor one of"),
        ("1 verdict ok", "free DMA one", "as in 'free DMA -63' or 'free DMA = 968'"),
        ("1 verdict ok", "blocks DMA Moveable +1", "a type is one of Unmovable"),
        ('["1 verdict ok"]', '"1 verdict ok"', "step 1: expect: a list of texts"),
        ('title = "One"', 'title = "One"\nlook = "the map"', "step 1: look: one of zones, map"),
        ('title = "One"', 'title = "One"\nview = { pfn = "0x400" }', "step 1: view: pfn: a number is needed"),
        ('title = "One"', 'title = "One"\nview = { pnf = 1 }', "step 1: view: pnf: no such field"),
        ('title = "One"', 'title = "One"\nview = 3', "step 1: view: a table is needed"),
        ('title = "One"', "title = One", "is not TOML: "),
        ('title = "One"', f"title = {'9' * 5000}", "is not TOML: "),
        ('title = "One"', f"title = {'[' * 5000}", "is not TOML: "),
    ],
)
def test_a_malformed_file_is_named_with_the_field(was: str, now: str, said: str, tmp_path: Path) -> None:
    assert SMALL.count(was) == 1
    path = write(tmp_path, "wrong.toml", SMALL.replace(was, now))
    with pytest.raises(BadDemo) as refused:
        read(path)
    assert str(refused.value).startswith("wrong.toml: ")
    assert said in str(refused.value)


def test_other_files_that_are_no_demos(tmp_path: Path) -> None:
    with pytest.raises(BadDemo, match="is named like"):
        read(write(tmp_path, "My demo.toml"))
    (tmp_path / "latin.toml").write_bytes(SMALL.replace("small", "kleine Übung").encode("latin-1"))
    with pytest.raises(BadDemo, match="is not UTF-8 at byte"):
        read(tmp_path / "latin.toml")
    with pytest.raises(BadDemo, match="larger than"):
        read(write(tmp_path, "long.toml", SMALL + "# " + "x" * 300_000))
    with pytest.raises(BadDemo, match="cannot be read"):
        read(tmp_path / "missing.toml")


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    library = Library(tmp_path)
    assert (list(library.demos()), library.faults()) == (list(DEMOS), [])
    mine = write(tmp_path, "11-mine.toml")
    write(tmp_path, "12-wrong.toml", "title = 3")
    write(tmp_path, "notes.txt", "no demo and no fault")
    assert list(library.demos()) == [*DEMOS, "mine"]
    assert [fault.partition(":")[0] for fault in library.faults()] == ["12-wrong.toml"]
    # A file that was saved is there at once, one that is gone is gone.
    write(tmp_path, "12-wrong.toml", SMALL)
    mine.unlink()
    assert (list(library.demos()), library.faults()) == ([*DEMOS, "wrong"], [])


def test_one_of_the_same_name_takes_the_place(tmp_path: Path) -> None:
    write(tmp_path, "split-and-merge.toml")
    write(tmp_path, "02-split-and-merge.toml", SMALL.replace("small", "smaller"))
    library = Library(tmp_path)
    assert [demo.title for demo in library.demos().values()] == ["A smaller one", *TITLES[1:]]
    assert library.faults() == ["split-and-merge.toml: there is another file for split-and-merge"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    library = Library(tmp_path / "nowhere")
    assert list(library.demos()) == list(DEMOS)
    assert "KMEMLAB_DEMOS: " in library.faults()[0]
    assert "No such file" in library.faults()[0]
    (tmp_path / "nowhere").mkdir()
    assert library.faults() == []


def test_the_command_plays_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    write(folder, "11-mine.toml")
    said = kmemlab(tmp_path, "demos", str(folder))
    assert (said.returncode, said.stdout, said.stderr) == (0, "mine: 1 of 1 expectations met\n", "")
    write(folder, "12-other.toml", SMALL.replace('["1 verdict ok"]', '["free DMA -2", "1 verdict ok"]'))
    write(folder, "13-refused.toml", SMALL.replace("p = alloc_page(GFP_KERNEL)", "get_page(q)"))
    write(folder, "14-wrong.toml", "title = 3")
    said = told(tmp_path, "demos", str(folder))
    assert said.returncode == 1
    assert "other: step 1: free DMA -2: it is -" in said.stderr
    assert "refused: step 1: refused: " in said.stderr
    assert "14-wrong.toml: title: " in said.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own"]


# -- expectations ------------------------------------------------------------------------------------------

OUTCOME = {
    "verdict": "ok",
    "ret": "0xffff888000400000",
    "page": {"pfn": 0x400, "zone": "DMA", "order": 3},
    "object": {"cache": None, "ksize": 16384},
    "woken": ["bob", "carol"],
    "log": ["[    0.000001] init invoked oom-killer: order=0"],
    "changed": [[0x400, 1, "free"], [0x401, 7, "lost"]],
    "faults": {"min": 2, "maj": 1},
    "access": [
        {
            "fault": "file_read",
            "pfn": 0x3044,
            "signal": None,
            "new_tables": ["pmd", "pte"],
            "mapped_around": 15,
        },
        {"fault": "cow_copy", "pfn": 0x3045, "signal": None, "new_tables": ["pte"], "mapped_around": 0},
    ],
}
KILLED: dict[str, Any] = {
    "access": [
        {
            "fault": "none", "pfn": None, "signal": "SIGSEGV", "code": "SEGV_MAPERR", "new_tables": [],
            "mapped_around": 0,
        }
    ]
}  # fmt: skip
BEFORE = {("free", "DMA"): [100], ("buddyinfo", "DMA"): [0, 1, 2], ("page", "0x3045", "mapcount"): [1]}
AFTER = {
    ("free", "DMA"): [37],
    ("buddyinfo", "DMA"): [1, 1, 1],
    ("mm", "a", "resident"): [8],
    ("page", "0x3045", "mapcount"): [2],
}


@pytest.mark.parametrize(
    ("met", "not_met"),
    [
        ("1 verdict ok", "1 verdict null"),
        ("1 ret 0xffff888000400000", "1 ret NULL"),
        ("1 ret not NULL", "1 ret void"),
        ("1 pfn 0x400", "1 pfn 0x401"),
        ("1 order 3", "1 order 2"),
        ("1 ksize 16384", "1 ksize 8192"),
        ("1 cache None", "1 cache kmalloc-8k"),
        ("1 woken bob carol", "1 woken nobody"),
        ("1 log invoked oom-killer", "1 log nothing"),
        ("1 changed 0x401 7 lost", "1 changed 0x401 7 free"),
        ("1 became lost 7", "1 became lost 8"),
        ("free DMA -63", "free DMA +63"),
        ("free DMA = 37", "free DMA = 100"),
        ("buddyinfo DMA +1 +0 -1", "buddyinfo DMA +1"),
        ("buddyinfo DMA = 1 1 1", "buddyinfo DMA = 1 1"),
        ("1 zone DMA", "free DMA32 +0"),
        ("1 zone DMA", "1 area 3"),
        ("1 fault cow_copy", "1 fault none"),
        ("1 faults 2 1", "1 faults 3 0"),
        ("1 tables 3", "1 tables 1"),
        ("1 around 15", "1 around 0"),
        ("1 signal nothing", "1 signal SIGSEGV SEGV_MAPERR"),
        ("2 signal SIGSEGV SEGV_MAPERR", "2 signal SIGSEGV SEGV_ACCERR"),
        ("1 frame 0x3045", "1 frame 0x3044"),
        ("1 frame as 1", "1 frame not as 1"),
        ("2 frame not as 1", "2 frame as 1"),
        ("1 frame not as 9", "2 frame as 2"),
        ("mm a resident +8", "mm a resident +7"),
        ("mm a resident = 8", "mm b resident = 8"),
        ("page 0x3045 mapcount +1", "page 0x3045 mapcount = 1"),
    ],
)
def test_an_expectation_is_met_or_says_what_is_instead(met: str, not_met: str) -> None:
    assert unmet(expectation(met), [OUTCOME, KILLED], BEFORE, AFTER) == ""
    assert unmet(expectation(not_met), [OUTCOME, KILLED], BEFORE, AFTER) != ""


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "1 verdict", "0 verdict ok", "free", "free DMA", "free DMA =", "99999 ret 1"),
        *("1 frame 0", "1 frame like 1", "mm a rss = 1", "page 3045 index = 1", "page 0x3045 owner = 1"),
    ],
)
def test_an_expectation_that_says_nothing(text: str) -> None:
    with pytest.raises(BadExpectation):
        expectation(text)


def test_the_wheel_carries_the_demos(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("kmemlab-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"app/demos/{path.name}" for path in FILES} <= names


# -- what may be predicted -----------------------------------------------------------------------------------

PREDICTED = SMALL.replace(
    'expect = ["1 verdict ok"]',
    'expect = ["1 verdict ok", "1 pfn 0x400", "free DMA -1", "min DMA = 110", "1 log nothing",'
    ' "1 ret not NULL"]',
)


def questions(text: str, tmp_path: Path) -> list[str]:
    return [one.text for one in read(write(tmp_path, "11-small.toml", text)).steps[0].predict]


def test_what_tells_most_is_asked(tmp_path: Path) -> None:
    assert questions(PREDICTED, tmp_path) == ["1 pfn", "free DMA change"]


def test_that_all_goes_well_is_asked_where_nothing_else_is(tmp_path: Path) -> None:
    assert questions(SMALL, tmp_path) == ["1 verdict"]


def test_a_file_says_what_is_asked(tmp_path: Path) -> None:
    assert questions(PREDICTED + 'predict = ["min DMA", "1 verdict"]\n', tmp_path) == ["min DMA", "1 verdict"]
    assert questions(PREDICTED + "predict = []\n", tmp_path) == []


@pytest.mark.parametrize("line", ["1 zone", "free DMA -1", "1 log", "1 ret", "2 verdict"])
def test_what_cannot_be_asked_is_a_fault(line: str, tmp_path: Path) -> None:
    with pytest.raises(
        BadDemo, match=r"step 1: predict: .*of what this step expects, 1 verdict, 1 pfn, free"
    ):
        questions(PREDICTED + f'predict = ["{line}"]\n', tmp_path)


def test_at_most_three_are_asked(tmp_path: Path) -> None:
    with pytest.raises(BadDemo, match="predict: at most 3"):
        questions(PREDICTED + 'predict = ["1 pfn", "1 pfn", "1 pfn", "1 pfn"]\n', tmp_path)


@pytest.mark.parametrize(
    ("line", "text", "form"),
    [
        ("1 verdict null", "1 verdict", "verdict"),
        ("1 fault anon_zero", "1 access", "fault"),
        ("1 faults 1 0", "1 access", "fault"),
        ("1 faults 16 0", "1 faults min", "number"),
        ("3 woken bob carol", "3 woken", "tasks"),
        ("5 changed 0x401 7 lost", "5 changed lost", "frames"),
        ("1 became lost 7", "1 became lost", "number"),
        ("1 background kswapd0 reclaimed 86", "1 background kswapd0 reclaimed", "number"),
        ("2 frame not as 1", "2 frame", "choice"),
        ("2 frame 0x3045", "2 frame", "pfn"),
        ("2 ret NULL", "2 ret", "address"),
        ("buddyinfo DMA -1", "buddyinfo DMA", "orders"),
        ("free DMA -2", "free DMA change", "number"),
        ("free DMA = 2", "free DMA", "number"),
    ],
)
def test_a_line_as_a_question(line: str, text: str, form: str) -> None:
    one = predictions.asked(expectation(line))
    assert one is not None
    assert (one.text, one.form) == (text, form)
    assert form in FORMS


def test_nearly_every_step_with_calls_asks_something() -> None:
    steps = [step for demo in DEMOS.values() for step in demo.steps if step.calls]
    silent = [step.title for step in steps if not step.predict]
    assert silent == ["The same addresses"]
    assert all(len(step.predict) <= predictions.MOST for step in steps)
