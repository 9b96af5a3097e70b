"""The same request outside of the dashboard: as a curl line, and in Python with httpx."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

# The token is not written out: a page does not know it, and what is copied is shown to others.
SHELL: Final = ' -H "Authorization: Bearer $KMEMLAB_TOKEN"'
PYTHON: Final = '"Authorization": f"Bearer {token}"'


@dataclass(frozen=True, slots=True)
class Api:
    """Where the requests of a recipe go."""

    address: str
    """the address of the session in the API"""
    token: bool
    """True where requests must carry a token"""

    @property
    def shell(self) -> str:
        """What follows the address in a terminal."""
        return SHELL if self.token else ""

    @property
    def python(self) -> str:
        """A header of every request, in Python."""
        return PYTHON if self.token else ""


def curl(call: str, body: Mapping[str, Any], api: Api) -> str:
    """The request that a terminal would send."""
    sent = quoted(json.dumps(body))
    return f"curl -s {api.address}/{call}{api.shell} -H 'Content-Type: application/json' -d '{sent}'"


def curl_line(line: str, api: Api) -> str:
    """The request that sends a line of text."""
    sent = quoted(line)
    return f"curl -s {api.address}/calls{api.shell} -H 'Content-Type: text/plain' --data-binary '{sent}'"


def curl_file(path: str, api: Api) -> str:
    """The request that reads something."""
    return f"curl -s '{api.address}/{path}'{api.shell}"


def quoted(text: str) -> str:
    """Between single quotes of a shell."""
    return text.replace("'", "'\\''")


def python(call: str, body: Mapping[str, Any], api: Api) -> str:
    """The request as a statement of Python, after `import httpx`."""
    headers = f", headers={{{api.python}}}" if api.token else ""
    return f'httpx.post("{api.address}/{call}", json={dict(body)!r}{headers}).json()'


def python_file(path: str, api: Api) -> str:
    """The request that reads something, in Python."""
    headers = f", headers={{{api.python}}}" if api.token else ""
    return f'httpx.get("{api.address}/{path}"{headers}).json()'


def python_line(line: str, api: Api) -> str:
    """The request that sends a line of text."""
    headers = ", ".join(filter(None, ('"Content-Type": "text/plain"', api.python)))
    return f'httpx.post("{api.address}/calls", content={json.dumps(line)}, headers={{{headers}}}).json()'
