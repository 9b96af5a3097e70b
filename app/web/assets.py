"""Static files, under addresses that change with their content so that browsers may keep them for good."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

IMPORT: Final = re.compile(r'^(?:import|export)[^;"]*"\./([\w-]+\.js)"', re.MULTILINE)
FOR_GOOD = "public, max-age=31536000, immutable"


class Assets:
    """The addresses of a directory's files.

    The hash is one for the whole directory: modules and style sheets name each other by relative paths, so a
    file's address has to change when one that it loads does.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names = frozenset(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
        digest = hashlib.sha256()
        for name in sorted(self.names):
            digest.update(f"{name}\0".encode())
            digest.update(hashlib.sha256((root / name).read_bytes()).digest())
        self.prefix = f"/static/{digest.hexdigest()[:16]}"
        self.modules = cache(self._modules)
        self.integrity = cache(self._integrity)

    def url(self, name: str) -> str:
        """The address of a file. KeyError where there is none: a page must not link to nothing."""
        if name not in self.names:
            raise KeyError(name)
        return f"{self.prefix}/{name}"

    def _integrity(self, name: str) -> str:
        """What a browser checks a file against that a script asks it to load."""
        digest = hashlib.sha384((self.root / name).read_bytes()).digest()
        return f"sha384-{base64.b64encode(digest).decode()}"

    def _modules(self, name: str) -> list[str]:
        """The addresses of what a module imports, and of what that does: a browser learns it file by file."""
        found = [name]
        for one in found:
            imported = [f"js/{other}" for other in IMPORT.findall((self.root / one).read_text("utf-8"))]
            found += [other for other in dict.fromkeys(imported) if other not in found]
        return [self.url(other) for other in found[1:]]


class ImmutableFiles(StaticFiles):
    """Serves what `Assets.url` names. Another hash in the path is another mount, and so a 404."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code < 400:
            response.headers["Cache-Control"] = FOR_GOOD
        return response
