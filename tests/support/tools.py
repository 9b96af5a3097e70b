"""Programs of other people that tests run: found, installed in CI, or the test says that there is none."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def tool(name: str, package: str) -> str:
    """The path of a program. package: Debian's, which CI installs as root; elsewhere the test is skipped."""
    found = shutil.which(name)
    if found is None and installed(package):
        found = shutil.which(name)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is needed: install Debian's {package}")
        pytest.skip(f"{name} is not installed: apt-get install {package}")
    return found


def installed(package: str) -> bool:
    """Install one of Debian's packages, in CI as root; elsewhere it is not done. One process at a time."""
    if os.environ.get("CI") != "true" or os.geteuid() != 0:
        return False
    with Path("/tmp/kmemlab-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["apt-get", "-qq", "update"], check=True)
        command = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", package]
        subprocess.run(command, check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    return True
