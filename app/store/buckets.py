"""The buckets of rate limits, as the servers on one PostgreSQL share them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, delete, func, text

from app.store.tables import buckets


class Taken(NamedTuple):
    """What a server has let pass."""

    # Of whose bucket, and of which kind.
    key: str
    amount: float
    # How much a full bucket has, and how much comes back in a second.
    burst: float
    a_second: float


# A bucket that nobody has used is full. The database's clock counts, which is the same for all.
_SETTLE: Final = text(
    "INSERT INTO buckets AS kept (key, remains, at) "
    "VALUES (:key, :burst - :amount, extract(epoch FROM clock_timestamp())) "
    "ON CONFLICT (key) DO UPDATE SET remains = least(:burst, kept.remains "
    "+ greatest(0, excluded.at - kept.at) * :a_second) - :amount, at = excluded.at "
    "RETURNING remains"
)


def settle(db: Connection, taken: Sequence[Taken]) -> dict[str, float]:
    """Take amounts out of shared buckets; what remains in each. In one order: nobody waits in a ring."""
    found: dict[str, float] = {}
    for one in sorted(taken):
        row: Row[Any] = db.execute(_SETTLE, one._asdict()).one()
        found[one.key] = float(row.remains)
    return found


def sweep(db: Connection, seconds: float) -> None:
    """Forget buckets that nobody has used for so long."""
    since = func.extract("epoch", func.clock_timestamp()) - seconds
    db.execute(delete(buckets).where(buckets.c.at < since))
