"""Replacement step by step, Belady's anomaly, pasted lists, and second opinions with what explains them."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from app.errors import BadArgument
from app.machine.replacement import POLICIES, ReferenceString, opinion, pasted, run
from app.machine.replacement.anomaly import anomalies
from app.machine.replacement.steps import steps
from app.machine.replacement.variants import OPTIONS, VARIED, our_options, variants
from app.machine.replacement.whys import WORDS

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "reference_strings.json").read_text())
DINOSAUR = "7 0 1 2 0 3 0 4 2 3 0 3 2 1 2 0 1 7 0 1"
BELADY = "1 2 3 4 1 2 5 1 2 3 4 5"


def nobody() -> None:
    """Nobody waits."""


def listed(text: str) -> ReferenceString:
    return pasted.read(text, nobody)


def dice(seed: int, references: int = 120) -> ReferenceString:
    chance = random.Random(seed)
    return ReferenceString(
        (int(chance.paretovariate(0.7)) % 9, chance.random() < 0.4) for _ in range(references)
    )


@pytest.mark.parametrize("policy", POLICIES)
def test_steps_say_what_the_runs_count(policy: str) -> None:
    words = set()
    for frames in (1, 3, 5):
        string = dice(frames)
        found = steps(string, policy, frames, 1, 0, len(string), nobody)
        result = run(string, policy, frames, 1, nobody)
        assert "".join("HF"[step.fault] for step in found) == result.marks
        assert [step.victim for step in found] == result.victims
        assert sum(step.written for step in found) == result.writebacks
        before: list[int | None] = []
        for step in found:
            words.add(step.why.word)
            assert step.frames[step.frame] == step.page
            assert len(step.notes) == len(step.frames) <= frames
            assert (step.victim is not None) == (step.why.word not in ("hit", "empty"))
            if step.victim is not None:
                assert before[step.frame] == step.victim
            before = step.frames
        assert steps(string, policy, frames, 1, 50, 7, nobody) == found[50:57]
    assert words <= set(WORDS)


def whys(policy: str, text: str, frames: int, load_bit: int = 1) -> list[tuple[str, dict[str, Any]]]:
    string = listed(text)
    found = steps(string, policy, frames, load_bit, 0, len(string), nobody)
    return [(step.why.word, dict(step.why.numbers)) for step in found if step.victim is not None]


def test_reasons_have_their_numbers() -> None:
    assert whys("fifo", "7 0 7 1", 2) == [("oldest", {"loaded": 1})]
    assert whys("lru", "7 0 7 1", 2) == [("unused", {"used": 2})]
    # All bits are set, so the hand takes every one back and comes to where it began.
    assert whys("clock", "7 0 1 2", 3) == [("hand", {"frame": 0, "spared": [7, 0, 1]})]
    assert whys("clock", "7 0 1 7 2", 3, 0) == [("hand", {"frame": 1, "spared": [7]})]
    assert whys("opt", "7 0 1 7 0", 2) == [("farthest", {"use": 5}), ("never", {"others": 1})]
    assert whys("nru", "7W 0 1 2", 3) == [
        ("class", {"number": 0, "referenced": 0, "modified": 0, "others": 1})
    ]
    assert whys("aging", "7 0 7 1", 2) == [("counter", {"counter": "11000000", "others": 1})]
    assert whys("lru_2list", "7 0 1", 2) == [
        ("lists", {"looked_at": [("kept", 7), ("kept", 0), ("goes", 7)]})
    ]


def test_what_a_policy_notes_is_shown_beside_each_page() -> None:
    last = {policy: steps(listed("7W 0 7 1"), policy, 2, 1, 3, 1, nobody)[0] for policy in POLICIES}
    assert last["fifo"].notes == ["", ""]
    assert (last["clock"].notes, last["clock"].hand) == (["R", ""], 1)
    assert last["nru"].notes == ["M", ""]
    assert last["lru_2list"].notes == ["Iy", "Ir"]
    assert all(len(note) == 8 for note in last["aging"].notes)


def test_beladys_anomaly_is_found_where_it_is() -> None:
    string = listed(BELADY)
    results = [run(string, policy, frames, 1, nobody) for policy in POLICIES for frames in range(5, 0, -1)]
    assert [found for found in anomalies(results) if found.policy in ("fifo", "lru", "opt")] == [
        ("fifo", 3, 9, 4, 10)
    ]


def test_lists_are_read_as_people_write_them() -> None:
    string = listed("[7, 0,\n1w; 0xA 0R|7W]")
    assert [string.names[page] for page in string.pages] == [7, 0, 1, 10, 0, 7]
    assert list(string.writes) == [0, 0, 1, 0, 0, 1]
    assert listed(pasted.written(string)).names == string.names
    for text, words in (("", "as 7 0 1 2"), ("7 x", "word 2, 'x'"), ("1 -2", "'-2'"), ("1.5", "'1.5'")):
        with pytest.raises(BadArgument, match=words):
            listed(text)


# -- second opinions -------------------------------------------------------------------------------


def judged(text: str, policy: str, frames: int, said: str, load_bit: int = 1) -> opinion.Verdict:
    return opinion.verdict(listed(text), policy, frames, load_bit, opinion.read(said), nobody)


@pytest.mark.parametrize("vector", VECTORS[:20], ids=lambda vector: f"{vector['id']}-{vector['frames']}")
def test_a_known_answer_is_agreed_with(vector: dict[str, Any]) -> None:
    text = " ".join(map(str, vector["string"]))
    for policy in ("fifo", "lru", "opt", "clock"):
        assert judged(text, policy, vector["frames"], vector["marks"][policy]) == (None, [])
        assert judged(text, policy, vector["frames"], str(vector[policy])).difference is None


def test_the_clock_with_bits_that_are_not_set_at_load_is_recognised() -> None:
    string = listed(DINOSAUR)
    said = run(string, "clock", 3, 0, nobody).marks or ""
    found = judged(DINOSAUR, "clock", 3, said)
    assert found.difference is not None
    assert found.explanations[0] == ({"load_bit": 0}, 20, True)


def test_every_convention_is_told_from_ours_by_its_steps() -> None:
    string = dice(4, 300)
    text = pasted.written(string)
    for policy in VARIED:
        for variant in variants(policy, 4, 1):
            if len(variant.changes) != 1 or set(variant.changes) & {"policy", "frames"}:
                continue
            made = opinion.run_of(string, variant)
            said = "\n".join(
                f"{string.names[page]} {'F' if fault else 'H'} {'' if victim is None else victim}"
                for page, fault, victim in zip(string.pages, made.faults, made.victims, strict=True)
            )
            found = judged(text, policy, 4, said)
            assert found.difference is not None, variant
            assert (variant.changes, 300, True) in found.explanations, variant


@pytest.mark.parametrize("policy", sorted(set(VARIED) - {"clock"}))
def test_our_conventions_are_those_of_the_fast_policies(policy: str) -> None:
    ours = variants(policy, 4, 1)[0]._replace(options=our_options(policy), load_bit=1, cold=True)
    for seed in range(6):
        string = dice(seed, 200)
        fast, slow = opinion.run_of(string, ours), VARIED[policy](string, 4, 1, ours.options)
        here: set[int] = set()
        for at, page in enumerate(string.pages):
            slow.at = at
            assert (page not in here) == fast.faults[at]
            if page in here:
                slow.hit(page)
                continue
            if len(here) == 4:
                gone = slow.victim()
                assert string.names[gone] == fast.victims[at]
                here.remove(gone)
            here.add(page)
            slow.load(page)
    assert {policy for policy, options in OPTIONS.items() if options} == set(VARIED)


def test_faults_that_fill_empty_frames_may_not_have_been_counted() -> None:
    found = judged(DINOSAUR, "fifo", 3, "12")
    assert found.difference == (20, "total", 12, 15)
    assert ({"count": "replacements"}, 20, True) in found.explanations


def test_another_policy_or_number_of_frames_is_recognised() -> None:
    lru = run(listed(DINOSAUR), "lru", 3, 1, nobody).marks or ""
    assert judged(DINOSAUR, "fifo", 3, lru).explanations[0].changes == {"policy": "lru"}
    four = run(listed(DINOSAUR), "lru", 4, 1, nobody).marks or ""
    assert judged(DINOSAUR, "lru", 3, four).explanations[0].changes == {"frames": 4}


def test_what_nobody_does_is_not_explained() -> None:
    found = judged(DINOSAUR, "fifo", 3, "FFFH")
    assert found.difference == (4, "mark", False, True)
    assert found.explanations == []
    assert judged(DINOSAUR, "fifo", 3, "FFFF").difference == (5, "length", 4, 20)
    assert judged(DINOSAUR, "fifo", 3, "7 F\n9 F").difference == (2, "page", 9, 0)


def test_steps_are_read_as_simulators_print_them() -> None:
    found = opinion.read(
        "Page  Result  Victim\n1: 7 -> MISS\n2: 0 hit\n  2 F evict 7\nTotal faults: 15\n0x1f W miss\n"
    )
    assert found.steps == [
        (7, True, None), (0, False, None), (2, True, 7), (31, True, None),
    ]  # fmt: skip
    assert found.ignored == 2
    assert [step.fault for step in opinion.read("F H M . *").steps] == [True, False, True, False, True]
    for text in ("", "nothing", "abc\ny z"):
        with pytest.raises(BadArgument, match="a line for each reference"):
            opinion.read(text)
    with pytest.raises(BadArgument, match="at most 1000"):
        opinion.read("F" * 1001)
