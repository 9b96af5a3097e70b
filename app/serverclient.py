"""What commands ask of a running server: with KMEMLAB_TOKEN, by the standard library alone."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any


class NoServerError(ValueError):
    """What answers is no kmemlab server, or the address is none."""


def base_of(server: str) -> str:
    """The address of a server's API. Raises NoServerError for an address that is none."""
    if not server.startswith(("http://", "https://")):
        raise NoServerError(f"{server}: an address that begins with http:// or https://")
    return f"{server.rstrip('/')}/api/v1"


def headers() -> dict[str, str]:
    """Who asks."""
    token = os.environ.get("KMEMLAB_TOKEN")
    return {} if token is None else {"authorization": f"Bearer {token}"}


def post(server: str, path: str, document: Any) -> dict[str, Any]:
    """Send a document; the answer. Raises HTTPError, OSError and NoServerError."""
    body = json.dumps(document).encode()
    given = headers() | {"content-type": "application/json"}
    request = urllib.request.Request(f"{base_of(server)}{path}", body, given)  # noqa: S310 - base_of has looked
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        try:
            return dict(json.load(answer))
        except ValueError:
            raise NoServerError(f"{server}: what answers there is no kmemlab server") from None


def said(error: urllib.error.HTTPError) -> str:
    """What a server has refused, in its words."""
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the server answers {error.code}"
