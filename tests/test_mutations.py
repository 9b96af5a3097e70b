"""The table of broken rules fits the tree; `make mutate` tells which test notices each."""

import ast

import pytest

from tests.mutations import FACTS, MUTATIONS, Mutation, StaleError
from tests.mutations.copy import ROOT


def test_every_fact_has_a_rule_that_is_broken() -> None:
    assert {mutation.fact for mutation in MUTATIONS} == set(FACTS)


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
