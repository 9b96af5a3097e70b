"""A copy of the tree in which rules may be broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final

from tests.mutations.mutation import Mutation

ROOT: Final = Path(__file__).parent.parent.parent
IGNORED: Final = shutil.ignore_patterns("__pycache__")
# Seconds: for one test, which a mutation may make endless, and for all of them.
TEST_LIMIT: Final = 30
RUN_LIMIT: Final = 600
# These measure time, and so may fail without a mutation.
TIMED: Final = ("tests/test_mm_boot.py::test_a_terabyte_boots_as_fast_as_16_mib",)
FAILED: Final = re.compile(r"^FAILED (\S+)", re.MULTILINE)
# Without the plugins of all other tests pytest starts in a fifth of the time.
SETTINGS: Final = f"""\
[pytest]
addopts = -x -q --tb=no -rf -p no:cacheprovider -p pytest_timeout -m "not soak"
markers = soak
filterwarnings = error
timeout = {TEST_LIMIT}
"""


class BrokenError(Exception):
    """Tests could not be run at all, which says nothing about a rule."""


class Copy:
    """A folder with the parts of the tree that the tests of app.mm need."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("app", "tests"):
            shutil.copytree(ROOT / name, root / name, ignore=IGNORED)
        (root / "pytest.ini").write_text(SETTINGS)

    def tests(self) -> list[str]:
        """All that could notice: the recordings, which say most in the shortest time, come first."""
        modules = sorted(path.name for path in (self.root / "tests").glob("test_mm_*.py"))
        return [f"tests/{name}" for name in ("test_recordings.py", *modules)]

    def first_failure(self, nodes: list[str]) -> str | None:
        """The first test that fails, or None. Raises BrokenError where none could be run."""
        command = [sys.executable, "-m", "pytest", *(f"--deselect={node}" for node in TIMED), *nodes]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        try:
            run = subprocess.run(
                command,
                cwd=self.root,
                env=environ,
                capture_output=True,
                text=True,
                timeout=RUN_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"no end within {RUN_LIMIT} seconds"
        failed = FAILED.search(run.stdout)
        if run.returncode == 0:
            return None
        if run.returncode != 1 or failed is None:
            raise BrokenError(f"{' '.join(command)}\n{run.stdout}{run.stderr}")
        return failed[1]

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
        with self.mutated(mutation):
            return self.first_failure(self.tests())
