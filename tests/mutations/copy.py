"""A copy of the tree in which rules may be broken."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final

from tests.mutations import survey
from tests.mutations.mutation import Mutation

ROOT: Final = Path(__file__).parent.parent.parent
IGNORED: Final = shutil.ignore_patterns("__pycache__")
# These measure time, or count lines by the tracer that the survey needs, and so may fail without a mutation.
TIMED: Final = (
    "tests/mm/test_boot.py::test_a_terabyte_boots_as_fast_as_16_mib",
    "tests/machine/test_bounds_reading.py",
)
# So many tests are run before all others: importing all tests takes longer than most mutations live.
FIRST: Final = 12
FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", re.MULTILINE)
# Without the plugins of all other tests pytest starts in a fifth of the time.
SETTINGS: Final = """\
[pytest]
addopts = -x -q --tb=no -rfE -p no:cacheprovider -p tests.support.patience -m "not soak"
markers =
    soak
    slow
    sampled
    timeout
filterwarnings = error
"""


class BrokenError(Exception):
    """Tests could not be run at all, which says nothing about a rule."""


# The tests that may notice what is broken of app.mm, and those for app.exercises.
OF_KERNEL: Final = ("tests/mm/test_recordings.py", "tests/mm", "tests/machine")
OF_CHECKS: Final = ("tests/exercises/checking",)


def tests_for(mutation: Mutation) -> tuple[str, ...]:
    """Where the tests are that may notice it."""
    return OF_CHECKS if mutation.file.startswith("exercises/") else OF_KERNEL


class Copy:
    """A folder with the parts of the tree that the tests of app.mm and of checks need.

    seconds: the tests that could notice something, and how long each takes.
    runs: the functions of those that each runs, as file:line; under no name, what importing them runs.
    noticed: how many mutations of a file each test has noticed: the next one is likely noticed by the same.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.seconds: dict[str, float] = {}
        self.runs: dict[str, set[str]] = {}
        self.noticed: Counter[tuple[str, str]] = Counter()
        for name in ("app", "tests"):
            shutil.copytree(ROOT / name, root / name, ignore=IGNORED)
        (root / "pytest.ini").write_text(SETTINGS)

    def survey(self, mutations: Sequence[Mutation]) -> str | None:
        """Run all tests for mutations without making any, to know what each runs.

        The first that fails, or None.
        """
        parts = dict.fromkeys(tests_for(mutation) for mutation in mutations)
        names = [name for part in parts for name in part]
        written = self.root / "survey.json"
        failure = self.first_failure(names, "-p", survey.__name__, **{survey.ENVIRON: str(written)})
        for test, (seconds, functions) in json.loads(written.read_text()).items():
            self.seconds[test] = seconds
            self.runs[test] = set(functions)
        return failure

    def first_failure(self, nodes: Sequence[str], *options: str, **environ: str) -> str | None:
        """The first test that fails, or None. Raises BrokenError where none could be run."""
        command = [sys.executable, "-m", "pytest", "-p", "tests.mutations.limit", *options]
        command += [*(f"--deselect={node}" for node in TIMED), *nodes]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        run = subprocess.run(
            command,
            cwd=self.root,
            env=kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | environ,
            capture_output=True,
            text=True,
            check=False,
        )
        failed = FAILED.search(run.stdout)
        if run.returncode == 0:
            return None
        if run.returncode != 1 or failed is None:
            raise BrokenError(f"{' '.join(command)}\n{run.stdout}{run.stderr}")
        return failed[1]

    def tests(self, mutation: Mutation) -> list[str]:
        """Those that run what is broken, the likeliest to notice and then the shortest first.

        What is broken outside of all functions could be noticed by every test.
        """
        broken = broken_functions(mutation, mutation.path(self.root).read_text())
        anybody = not broken or broken & self.runs[""]
        found = [test for test, runs in self.runs.items() if test and (anybody or broken & runs)]
        return sorted(found, key=lambda test: (-self.noticed[mutation.file, test], self.seconds[test]))

    @contextmanager
    def mutated(self, mutation: Mutation) -> Iterator[None]:
        """Break a rule, and mend it afterwards.

        The compiled file goes too: Python takes a source of the same size and second for the same.
        """
        path = mutation.path(self.root)
        text = path.read_text()
        compiled = Path(cache_from_source(str(path)))
        try:
            path.write_text(mutation.applied(text))
            compiled.unlink(missing_ok=True)
            yield
        finally:
            path.write_text(text)
            compiled.unlink(missing_ok=True)

    def notices(self, mutation: Mutation) -> str | None:
        """The first test that notices a mutation; None where none does."""
        tests = self.tests(mutation)
        with self.mutated(mutation):
            for chosen in (tests[:FIRST], tests[FIRST:]):
                failure = self.first_failure(chosen) if chosen else None
                if failure is not None:
                    self.noticed[mutation.file, failure] += 1
                    return failure
        return None


def broken_functions(mutation: Mutation, text: str) -> set[str]:
    """The innermost functions that a mutation changes, as file:line; none where it changes something else.

    Lines that stay as they are on both sides of the replaced text only show where it belongs.
    """
    start = text.index(mutation.old)
    same = common(mutation.old, mutation.new)
    same_end = min(common(mutation.old[::-1], mutation.new[::-1]), len(mutation.old) - same)
    end = max(start + same, start + len(mutation.old) - same_end - 1)
    first, last = (1 + text.count("\n", 0, place) for place in (start + same, end))
    functions = list(survey.functions(ast.parse(text)))
    broken = set()
    for line in range(first, last + 1):
        inside = [node.lineno for node in functions if node.lineno <= line <= (node.end_lineno or 0)]
        if not inside:
            return set()
        broken.add(f"{mutation.file}:{max(inside)}")
    return broken


def common(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
