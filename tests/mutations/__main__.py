"""`python -m tests.mutations [--only FACT …]`: which test notices each broken rule."""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.mutations import FACTS, MUTATIONS
from tests.mutations.copy import Copy


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    parser.add_argument(
        "--only", type=int, nargs="+", choices=FACTS, metavar="FACT", help="rules of these numbers"
    )
    only = parser.parse_args().only or list(FACTS)
    chosen = [mutation for mutation in MUTATIONS if mutation.fact in only]
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder) / "tree")
        failure = copy.survey(chosen)
        if failure is not None:
            print(f"without any mutation {failure} fails")
            return 1
        print("| fact | broken rule | noticed by |\n| ---: | --- | --- |")
        survivors = Counter[int]()
        for mutation in chosen:
            test = copy.notices(mutation)
            survivors[mutation.fact] += test is None
            print(f"| {mutation.fact} | {mutation.rule} | {short(test)} |", flush=True)
    print(f"\n{len(chosen)} broken rules, {survivors.total()} unnoticed")
    for fact in +survivors:
        print(f"{survivors[fact]} of fact {fact}, {FACTS[fact]}")
    return int(survivors.total() > 0)


def short(test: str | None) -> str:
    """A test without what all have in common; the replay of a recording by its name alone."""
    if test is None:
        return "**nobody**"
    name = test.removeprefix("tests/").replace(".py::", "::")
    replay = "test_recordings::test_the_same_operations_give_the_same_answers"
    return f"replay {name.removeprefix(replay)}" if name.startswith(replay) else name


if __name__ == "__main__":
    sys.exit(main())
