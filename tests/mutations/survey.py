"""A pytest plugin: which functions of app.mm and app.exercises each test runs, and for how long it runs.

A test that never runs a function cannot notice what is wrong in it. Every such function gets a first
statement that notes it, which slows the tests down far less than a tracer.
"""

import ast
import builtins
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

import pytest

PACKAGES: Final = ("app.mm", "app.machine", "app.exercises")
# The file that the survey is written to.
ENVIRON: Final = "KMEMLAB_SURVEY"
# Where the instrumented code finds what it notes functions in.
SEEN: Final = "__functions_seen__"


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


class Noting(SourceFileLoader):
    """Loads a module whose functions note that they run; compiled files are neither read nor written."""

    def get_code(self, fullname: str) -> CodeType:
        del fullname
        return self.source_to_code(self.get_data(self.path), self.path)

    def source_to_code(self, data: Any, path: Any, **options: Any) -> CodeType:  # type: ignore[override]
        del options
        tree = ast.parse(data)
        parts = Path(path).parts
        file = "/".join(parts[len(parts) - parts[::-1].index("app") :])
        for function in functions(tree):
            note = ast.parse(f"{SEEN}.add({f'{file}:{function.lineno}'!r})").body
            function.body[ast.get_docstring(function) is not None : 0] = note
        code: CodeType = compile(tree, path, "exec")
        return code


class Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not any(fullname == name or fullname.startswith(f"{name}.") for name in PACKAGES):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = Noting(fullname, spec.origin)
        return spec


class Survey:
    """What each test ran; under the name of nobody, what importing the tests ran."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: set[str] = set()
        self.tests: dict[str, tuple[float, list[str]]] = {}
        setattr(builtins, SEEN, self.seen)
        sys.meta_path.insert(0, Finder())

    def pytest_collection_finish(self) -> None:
        self.tests[""] = (0.0, sorted(self.seen))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.seen.clear()
        start = time.process_time()
        result = yield
        self.tests[item.nodeid] = (round(time.process_time() - start, 3), sorted(self.seen))
        return result

    def pytest_sessionfinish(self) -> None:
        self.path.write_text(json.dumps(self.tests))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Survey(Path(os.environ[ENVIRON])))
