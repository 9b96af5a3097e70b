"""A pytest plugin (`-p` in pyproject.toml): what `make test` leaves to `make test-all`.

`--quick` leaves out the tests that are marked `slow`, takes every n-th case of those marked `sampled(n)`, and
fewer random cases where a test asks `cases`. Without it all run, but those marked `soak`.
"""

from collections import Counter
from typing import Any

import pytest

from tests.support import postgresql

_quick = False


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick", action="store_true", help="without the tests marked slow, and fewer random cases"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    global _quick  # noqa: PLW0603  # modules of tests ask while they are imported
    _quick = config.getoption("--quick")


def cases(usual: int, *, quick: int) -> int:
    """How many random cases a test tries."""
    return quick if _quick else usual


def slow(*params: Any) -> list[Any]:
    """Parameters whose tests are left to `make test-all`, since others stand for them in `make test`."""
    given = [param if isinstance(param, tuple) else (param,) for param in params]
    return [pytest.param(*param, marks=pytest.mark.slow) for param in given]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left = {item.nodeid for item in items if postgresql.ON and item.get_closest_marker("sqlite")}
    if _quick:
        left |= left_out(items)
    if left:
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left])
        items[:] = [item for item in items if item.nodeid not in left]


def left_out(items: list[pytest.Item]) -> set[str]:
    """The tests that `--quick` leaves out: the same ones in every process and in every run."""
    left = set()
    cases: Counter[str] = Counter()
    for item in items:
        test = item.nodeid.partition("[")[0]
        sampled = item.get_closest_marker("sampled")
        if item.get_closest_marker("slow") or (sampled and cases[test] % sampled.args[0]):
            left.add(item.nodeid)
        cases[test] += 1
    return left
