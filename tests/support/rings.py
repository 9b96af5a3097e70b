"""A pytest plugin (`-p` in pyproject.toml): what `make test` leaves to `make test-all`.

`--quick` leaves out the tests that are marked `slow`, and takes fewer random cases where a test asks `cases`.
Without it all run, but those marked `soak`.
"""

from typing import Any

import pytest

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
    if _quick:
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
