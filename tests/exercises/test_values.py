"""Values: the same for the same seed everywhere, fair, and where they stand in texts."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.exercises import facts, values
from app.exercises.exercise import Drawn
from app.exercises.formula import BadFormula
from app.exercises.values import BadTemplate, Chance, Value, fill
from app.machine import boot

VARY = (
    Drawn("share", "from", choices=(40, 45, 50)),
    Drawn("size", "between", low=1, high=8192, leave_out=(8, 16, 32)),
    Drawn("who", "shuffle", choices=("alice", "bob", "carol", "dave")),
    Drawn("need", "is", formula="share * managed.DMA / 100"),
)


def no_facts(name: str) -> int:
    raise KeyError(name)


def fact(name: str) -> int:
    return {"managed.DMA": 3072}[name]


def draw(seed: int) -> dict[str, Value]:
    return values.draw(VARY, Chance(seed.to_bytes(8, "big")), fact)


# -- by chance --------------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_values_in_every_process() -> None:
    code = (
        "import json\n"
        "from tests.exercises.test_values import draw\n"
        "print(json.dumps([draw(seed) for seed in range(50)]))"
    )
    found = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                check=True,
                text=True,
            ).stdout
        )
        for seed in ("0", "1234")
    ]
    here = json.loads(json.dumps([draw(seed) for seed in range(50)]))
    assert found == [here, here]
    assert len({json.dumps(each) for each in here}) == 50


def test_seeds_go_on_giving_what_they_gave() -> None:
    chance = Chance(b"kmemlab!")
    assert [chance.below(1 << 64) for _ in range(2)] == [11923760236752102934, 10775798488505094475]
    assert Chance(b"kmemlab!").below(1000) == 934
    assert Chance(b"kmemlab!").shuffled(range(8)) == (1, 0, 2, 5, 7, 3, 4, 6)


@settings(deadline=None)
@given(st.binary(min_size=8, max_size=8), st.integers(1, 1 << 64))
def test_a_number_by_chance_is_below_the_end(seed: bytes, end: int) -> None:
    assert 0 <= Chance(seed).below(end) < end


@pytest.mark.parametrize("end", [0, -1, (1 << 64) + 1])
def test_there_is_no_number_below_nothing(end: int) -> None:
    with pytest.raises(ValueError, match=str(end)):
        Chance(b"").below(end)


def uneven(counts: Counter[object], kinds: int) -> float:
    """Chi-square against all alike, over its mean; its spread is sqrt(2 / (kinds - 1))."""
    each = counts.total() / kinds
    square = sum((counts[kind] - each) ** 2 / each for kind in counts) + each * (kinds - len(counts))
    return square / (kinds - 1)


def test_numbers_are_fair() -> None:
    chance = Chance(b"fairness")
    counts: Counter[object] = Counter(chance.below(100) for _ in range(50_000))
    assert 0.6 < uneven(counts, 100) < 1.4


def test_shuffles_are_fair() -> None:
    counts: Counter[object] = Counter(
        Chance(seed.to_bytes(8, "big")).shuffled("abcd") for seed in range(24_000)
    )
    assert len(counts) == 24
    assert 0.3 < uneven(counts, 24) < 2.0


def test_ends_are_drawn_and_what_is_left_out_is_not() -> None:
    one = Drawn("n", "between", low=-2, high=10, step=3, leave_out=(1, 4, 5, 99))
    assert [values.at(one, place) for place in range(values.ways(one))] == [-2, 7, 10]
    chance = Chance(b"ends and")
    assert {values.drawn(one, chance) for _ in range(60)} == {-2, 7, 10}


@settings(deadline=None)
@given(
    st.integers(-50, 50), st.integers(1, 60), st.integers(1, 9), st.lists(st.integers(-60, 120), max_size=30)
)
def test_every_value_of_a_range_has_one_place(low: int, wide: int, step: int, leave_out: list[int]) -> None:
    one = Drawn("n", "between", low=low, high=low + wide, step=step, leave_out=tuple(leave_out))
    wanted = [value for value in range(low, low + wide + 1, step) if value not in leave_out]
    assert [values.at(one, place) for place in range(values.ways(one))] == wanted


# -- one after the other ----------------------------------------------------------------------------------


def test_the_base_has_the_first_of_everything() -> None:
    assert values.base(VARY, fact) == {
        "share": 40, "size": 1, "who": ("alice", "bob", "carol", "dave"), "need": 1228,
    }  # fmt: skip


def test_a_formula_knows_what_was_drawn_before_it_and_no_more() -> None:
    later = (Drawn("a", "is", formula="b"), Drawn("b", "from", choices=(1, 2)))
    with pytest.raises(BadFormula, match="'b' is not known here"):
        values.base(later, no_facts)
    order = (Drawn("o", "shuffle", choices=(5, 6)), Drawn("a", "is", formula="o.2 * 2"))
    assert values.base(order, no_facts)["a"] == 12


def test_facts_can_be_of_a_machine_that_depends_on_values() -> None:
    vary = (
        Drawn("mib", "from", choices=(512, 768)),
        Drawn("frames_here", "is", formula="frames"),
    )
    found: dict[str, Value] = {}

    def of_machine(name: str) -> int:
        description = values.machine({"profile": "x86_64-1g", "memory": "{mib}M"}, found)
        return facts.of(boot.boot(description))(name)

    assert values.base(vary, of_machine, found) == {"mib": 512, "frames_here": 512 * 256}


def test_a_machine_gets_numbers_where_it_needs_them() -> None:
    description = {"profile": "x86_64-1g", "cpus": "{n}", "memory": "{m}M", "lecture": True}
    assert values.machine(description, {"n": 4, "m": 512}) == {
        "profile": "x86_64-1g", "cpus": 4, "memory": "512M", "lecture": True,
    }  # fmt: skip


# -- in texts ---------------------------------------------------------------------------------------------

FOUND: dict[str, Value] = {"size": 1536, "who": ("bob", "alice"), "what": "order", "o": (3, 4)}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("no value", "no value"),
        ("{size} bytes", "1536 bytes"),
        ("{size:,} or {size:x}", "1,536 or 0x600"),
        ("{who.1}: kfree(a)", "bob: kfree(a)"),
        ("{who}", "bob, alice"),
        ("{o.2:x}", "0x4"),
        ("{{size}} }", "{size} }"),
        ("int a[] = {{{size}}};", "int a[] = {1536};"),
    ],
)
def test_a_text_is_filled(template: str, text: str) -> None:
    assert fill(template, FOUND) == text


@pytest.mark.parametrize(
    ("template", "column", "said"),
    [
        ("a {nothing}", 3, "'nothing' is no value; there are size, who, who.1, who.2, what, o, o.1, o.2"),
        ("{who.3}", 1, "'who.3' is no value"),
        ("{size.1}", 1, "'size.1' is no value"),
        ("{who.0}", 1, "'who.0' is no value"),
        ("{ size}", 1, "a value stands as {name}, and a brace itself as {{"),
        ("{size:d}", 1, "a value stands as {name}"),
        ("{size!r}", 1, "a value stands as {name}"),
        ("{size.__class__}", 1, "a value stands as {name}"),
        ("while (1) {", 11, "a brace itself as {{"),
        ("{what:x}", 1, "'what' is no number, so it has no form 'x'"),
    ],
)
def test_a_brace_that_stands_for_nothing(template: str, column: int, said: str) -> None:
    with pytest.raises(BadTemplate) as refused:
        fill(template, FOUND)
    assert refused.value.column == column
    assert said in refused.value.msg


@settings(deadline=None)
@given(st.text(alphabet="{}:.,xsize12who ", max_size=30))
def test_any_text_is_filled_or_refused(template: str) -> None:
    try:
        found = fill(template, FOUND)
    except BadTemplate as error:
        found = error.msg
        column = error.column
        refused = template[column - 1] == "{"
    else:
        refused = False
    assert refused or found.count("{") == template.count("{{")


@settings(deadline=None)
@given(st.text(max_size=40))
def test_what_is_doubled_stands_there_as_it_was(text: str) -> None:
    assert fill(text.replace("{", "{{").replace("}", "}}"), {}) == text
