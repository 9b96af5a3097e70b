"""The same request outside the dashboard: a line for a terminal, and one for Python with httpx."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def curl(call: str, body: Mapping[str, Any], api: str) -> str:
    """The request that a terminal would send."""
    return f"curl -s {api}/{call} -H 'Content-Type: application/json' -d '{quoted(json.dumps(body))}'"


def curl_line(line: str, api: str) -> str:
    """The request that sends a line of text."""
    return f"curl -s {api}/calls -H 'Content-Type: text/plain' --data-binary '{quoted(line)}'"


def quoted(text: str) -> str:
    """Between single quotes of a shell."""
    return text.replace("'", "'\\''")


def python(call: str, body: Mapping[str, Any], api: str) -> str:
    """The request as a statement of Python, after `import httpx`."""
    return f'httpx.post("{api}/{call}", json={dict(body)!r}).json()'


def python_line(line: str, api: str) -> str:
    """The request that sends a line of text."""
    headers = '{"Content-Type": "text/plain"}'
    return f'httpx.post("{api}/calls", content={json.dumps(line)}, headers={headers}).json()'
