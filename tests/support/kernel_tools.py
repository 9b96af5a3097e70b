"""The kernel's own tools for memory, compiled from its source: page-types, slabinfo, page_owner_sort."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

# Debian's package linux-source-6.1 has it there: 138 MB, so no test installs it.
SOURCE: Final = Path("/usr/src/linux-source-6.1.tar.xz")
TOOLS: Final = ("page-types", "slabinfo", "page_owner_sort")
PARTS: Final = (
    "tools/vm",
    "tools/lib/api",
    "tools/lib/str_error_r.c",
    "tools/include",
    "include/uapi/linux",
)


def compiled(folder: Path) -> Path:
    """A folder with the tools; the test is skipped where there is no source or no compiler."""
    compiler = shutil.which("gcc")
    if compiler is None or not SOURCE.exists():
        pytest.skip("apt-get install linux-source-6.1 gcc libc6-dev: the kernel's tools are compiled from it")
    parts = [f"linux-source-6.1/{part}" for part in PARTS]
    subprocess.run(["tar", "-xJf", SOURCE, "-C", folder, *parts], check=True)
    vm = folder / "linux-source-6.1/tools/vm"
    library = [
        "../lib/api/fs/fs.c",
        "../lib/api/fs/tracing_path.c",
        "../lib/api/debug.c",
        "../lib/str_error_r.c",
    ]
    for name in TOOLS:
        command = [
            compiler,
            "-w",
            "-I../lib",
            "-I../lib/api",
            "-I../include",
            "-o",
            name,
            f"{name}.c",
            *library,
        ]
        subprocess.run(command, cwd=vm, check=True)
    return vm
