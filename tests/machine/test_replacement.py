"""Page replacement policies on known reference strings, and against plain models of themselves."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from app.machine.replacement import CONVENTIONS, POLICIES, ReferenceString, Result, run, traces

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "reference_strings.json").read_text())


def nobody() -> None:
    """Nobody waits."""


def made(string: list[int], policy: str, frames: int, load_bit: int = 1, writes: str = "") -> Result:
    written = [bool(writes) and writes[at] == "W" for at in range(len(string))]
    return run(ReferenceString(zip(string, written, strict=True)), policy, frames, load_bit, nobody)


@pytest.mark.parametrize("policy", ["fifo", "lru", "clock", "opt"])
def test_every_known_string_has_its_known_faults(policy: str) -> None:
    for vector in VECTORS:
        result = made(vector["string"], policy, vector["frames"])
        assert (result.faults, result.marks) == (vector[policy], vector["marks"][policy]), vector["id"]
        distinct = len(set(vector["string"]))
        assert result.faults - result.replacements == min(vector["frames"], distinct)


def test_the_clock_with_bits_that_are_not_set_at_load() -> None:
    for vector in VECTORS:
        assert made(vector["string"], "clock", vector["frames"], 0).faults == vector["clock_load0"]


def test_more_frames_can_cost_more_faults() -> None:
    belady = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]
    assert [made(belady, "fifo", frames).faults for frames in (3, 4)] == [9, 10]
    assert [made(belady, "lru", frames).faults for frames in (3, 4)] == [10, 8]


def test_victims_and_writebacks_are_told() -> None:
    result = made([1, 2, 3, 1, 4], "fifo", 2, writes="WRRWR")
    assert result.victims == [None, None, 1, 2, 3]
    assert (result.marks, result.replacements, result.writebacks) == ("FFFFF", 3, 1)


def slow_nru(string: list[int], writes: str, frames: int) -> str:
    """The same, as one would write it down: a list of pages, searched at each fault."""
    here: list[list[int]] = []  # page, R, M in the order in which they were loaded
    marks = ""
    for at, page in enumerate(string):
        entry = next((entry for entry in here if entry[0] == page), None)
        marks += "F" if entry is None else "H"
        if entry is None:
            if len(here) == frames:
                here.remove(min(here, key=lambda entry: 2 * entry[1] + entry[2]))
            entry = [page, 1, 0]
            here.append(entry)
        entry[1], entry[2] = 1, entry[2] | (writes[at] == "W")
        if not (at + 1) % frames:
            for entry in here:
                entry[1] = 0
    return marks


def slow_aging(string: list[int], frames: int) -> str:
    here: list[list[int]] = []  # page, R, counter
    marks = ""
    for at, page in enumerate(string):
        entry = next((entry for entry in here if entry[0] == page), None)
        marks += "F" if entry is None else "H"
        if entry is None:
            if len(here) == frames:
                here.remove(min(here, key=lambda entry: entry[2]))
            entry = [page, 1, 128]
            here.append(entry)
        entry[1] = 1
        if not (at + 1) % frames:
            for entry in here:
                entry[1], entry[2] = 0, entry[2] >> 1 | entry[1] << 7
    return marks


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 9])
def test_nru_and_aging_are_what_their_conventions_say(frames: int) -> None:
    dice = random.Random(frames)
    for _ in range(20):
        string = [int(dice.paretovariate(0.7)) % 12 for _ in range(200)]
        writes = "".join(dice.choice("RW") for _ in string)
        assert made(string, "nru", frames, writes=writes).marks == slow_nru(string, writes, frames)
        assert made(string, "aging", frames).marks == slow_aging(string, frames)


def test_two_lists_activate_what_is_used_twice_and_fill_up_the_short_one() -> None:
    # 1 and 2 are young when the tail is looked at: kept, and the second time activated. The inactive list is
    # short then, so that 1, which was activated first, has to stand there again, where nobody uses it.
    result = made([1, 2, 3, 4, 1, 2, 5, 1, 2, 6, 7, 5, 8, 9], "lru_2list", 4, load_bit=0)
    assert result.marks == "FFFFHHFHHFFFFF"
    assert result.victims == [*[None] * 6, 3, None, None, 4, 5, 6, 1, 7]


def test_a_page_is_young_when_it_is_loaded() -> None:
    # All are young, so all are kept once; then the oldest goes, as by FIFO.
    result = made([1, 2, 3, 1, 1, 4], "lru_2list", 3)
    assert result.victims == [*[None] * 5, 1]


def test_no_policy_beats_opt_and_none_needs_more_than_every_page() -> None:
    dice = random.Random(7)
    string = [dice.randrange(20) for _ in range(400)]
    for frames in (1, 4, 10, 20):
        best = made(string, "opt", frames).faults
        for policy in POLICIES:
            assert made(string, policy, frames).faults >= best
    assert {made(string, policy, 20).faults for policy in POLICIES} == {20}
    assert set(POLICIES) < set(CONVENTIONS)


def test_traces_are_read_by_their_form() -> None:
    lackey = "==1== Lackey\nI  04001000,3\n L 1ffeffeffd,8\n S 1fff000540,8\n M 1fff001540,4\n\nx\n"
    found = traces.read(lackey, nobody)
    assert found is not None
    assert found.form == "lackey"
    assert found.references == [
        (0x4001, False), (0x1FFEFFE, False), (0x1FFEFFF, False), (0x1FFF000, True), (0x1FFF001, True),
    ]  # fmt: skip
    assert found.dropped == {"valgrind's own words": 1, "no reference": 1}
    for text, form in (("0041f7a0 R\n13f5e2c0 W", "hexaddr"), ("0 41f7a0\n1 13f5e2c0", "din")):
        read = traces.read(text, nobody)
        assert read == traces.Trace(form, [(0x41F, False), (0x13F5E, True)], {})
    assert traces.read("7 is no trace", nobody) is None
