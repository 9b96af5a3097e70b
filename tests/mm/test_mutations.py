"""The table of broken rules fits the tree; `make mutate` tells which test notices each."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.mutations import FACTS, MUTATIONS, Mutation, StaleError
from tests.mutations.copy import ROOT, Copy, broken_functions


def test_every_fact_has_a_rule_that_is_broken() -> None:
    assert {mutation.fact for mutation in MUTATIONS} == set(FACTS)


def test_every_rule_has_words_of_its_own() -> None:
    assert [rule for rule, found in Counter(m.rule for m in MUTATIONS).items() if found > 1] == []


@pytest.mark.parametrize("fact", FACTS)
def test_the_table_fits_the_tree(fact: int) -> None:
    """What is to be replaced stands in its file exactly once; what replaces it is Python and not the same."""
    for mutation in MUTATIONS:
        if mutation.fact == fact:
            source = mutation.path(ROOT).read_text()
            mutated = compile(mutation.applied(source), mutation.file, "exec", ast.PyCF_ONLY_AST)
            assert ast.dump(mutated) != ast.dump(ast.parse(source)), mutation.rule


def test_a_text_that_is_gone_is_an_error() -> None:
    mutation = Mutation(1, "pcp.py", "a b", "c", "a rule")
    assert mutation.applied("[a b]") == "[c]"
    for text in ("", "a b a b"):
        with pytest.raises(StaleError, match="instead of once: 'a b' \\(a rule\\)"):
            mutation.applied(text)


FUNCTIONS = """\
LIMIT = 1


def outer() -> int:
    x = LIMIT

    def inner() -> int:
        return x

    return inner() + 1
"""


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("x = LIMIT", "x = 2", {4}),
        ("return x", "return -x", {7}),
        ("    return inner() + 1", "", {4}),
        ("    x = LIMIT\n\n    def inner() -> int:\n        return x", "", {4, 7}),
        ("    x = LIMIT\n\n    def", "    x = 2\n\n    def", {4}),
        ("LIMIT = 1", "LIMIT = 2", set()),
        ("LIMIT = 1\n\n\ndef outer() -> int:\n    x = LIMIT", "def outer() -> int:\n    x = 1", set()),
    ],
)
def test_the_tests_that_run_what_is_broken_are_asked(old: str, new: str, lines: set[int]) -> None:
    """By the lines of the functions; none stands for every test."""
    mutation = Mutation(1, "pcp.py", old, new, "a rule")
    assert broken_functions(mutation, FUNCTIONS) == {f"pcp.py:{line}" for line in lines}


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_every_broken_rule_is_noticed(tmp_path: Path) -> None:
    """What `make mutate` prints as a table."""
    copy = Copy(tmp_path / "tree")
    assert copy.survey(MUTATIONS) is None
    assert [mutation.rule for mutation in MUTATIONS if copy.notices(mutation) is None] == []
