"""The database's URL as a person may see it: without its secrets."""

from __future__ import annotations

from typing import Final

from sqlalchemy import URL, make_url

# PostgreSQL's drivers take these behind the question mark, too.
SECRETS: Final = ("password", "sslpassword", "passfile")


def without_secrets(url: str | URL) -> str:
    """The URL with *** instead of passwords."""
    made = make_url(url)
    hidden = {name: "***" for name in SECRETS if name in made.query}
    return made.update_query_dict(hidden).render_as_string(hide_password=True)
