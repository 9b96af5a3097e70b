"""A pytest plugin: a test that a mutation has made endless fails.

It is the processor's time that is limited: a busy machine does not make a test fail.
"""

import signal
from collections.abc import Iterator
from typing import Final

import pytest

# Seconds; the slowest test takes a fifth of it.
TEST_LIMIT: Final = 20


def expired(*_: object) -> None:
    pytest.fail(f"no end within {TEST_LIMIT} seconds", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    signal.signal(signal.SIGVTALRM, expired)
    signal.setitimer(signal.ITIMER_VIRTUAL, TEST_LIMIT)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
