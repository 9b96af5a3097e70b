"""Sets a new password for an instructor who has forgotten theirs; for the operator of the server."""

from __future__ import annotations

from argon2 import PasswordHasher

from app.labs import auditing, wording
from app.labs.passwords import checked
from app.sessions import NotFound
from app.store import Store, people


def set_password(store: Store, name: str, password: str) -> str:
    """Give an instructor another password, and end whatever they had signed in: their name as it is shown.

    A server that runs meanwhile knows it within some seconds. Raises NotFound, and BadArgument at `password`.
    """
    kept = PasswordHasher().hash(checked(password))
    with store.writing() as db:
        row = people.account_by_key(db, wording.key_of(name))
        if row is None:
            raise NotFound("instructor", name)
        people.set_password(db, row.id, kept)
        people.forget(db, row.id)
        auditing.note(db, None, "set a password", target=row.id)
        return row.name
