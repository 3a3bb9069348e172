"""The shop's orders, in SQLite. Both shops use it."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager

from truemed_async import PaymentSessionStatus

SCHEMA = """
create table if not exists orders (
    id text primary key,                  -- created before the first click; also the idempotency key
    state text not null default 'open',   -- open → review → fulfilled | rejected; open → canceled
    payment_session_id text unique,
    payment_token text,
    redirect_url text
)
"""


def order_state(status: PaymentSessionStatus) -> str:
    """Return the state of an order whose payment has this status: only `captured` means paid."""
    if status.may_fulfill:
        return "fulfilled"
    if status is PaymentSessionStatus.CANCELED:
        return "canceled"
    return "rejected" if status.is_final else "review"


class Orders:
    """Orders end once: fulfilled, rejected or canceled, however often and in whatever order webhooks arrive."""

    def __init__(self, path: str) -> None:
        self.path = path
        with self._open() as db:
            db.execute(SCHEMA)

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=30)) as db, db:
            db.row_factory = sqlite3.Row
            yield db

    def begin(self, order_id: str) -> None:
        """Store the order before anything is sent, so that a second click finds it."""
        with self._open() as db:
            db.execute("insert or ignore into orders (id) values (?)", (order_id,))

    def set_payment_session(self, order_id: str, payment_session_id: str, redirect_url: str | None) -> None:
        with self._open() as db:
            db.execute(
                "update orders set payment_session_id = ?, redirect_url = ? where id = ?",
                (payment_session_id, redirect_url, order_id),
            )

    def get(self, order_id: str) -> sqlite3.Row | None:
        with self._open() as db:
            return db.execute("select * from orders where id = ?", (order_id,)).fetchone()

    def advance(self, payment_session_id: str, state: str) -> bool:
        """Change the state of an order that has not ended; return whether it has changed.

        An unknown session is a LookupError.
        """
        with self._open() as db:
            if not db.execute("select 1 from orders where payment_session_id = ?", (payment_session_id,)).fetchone():
                raise LookupError("no order has this payment session yet")
            changed = db.execute(
                "update orders set state = ? where payment_session_id = ? and state in ('open', 'review') and state <> ?",
                (state, payment_session_id, state),
            )
            return changed.rowcount == 1

    def keep_token(self, payment_session_id: str, payment_token: str) -> None:
        with self._open() as db:
            db.execute(
                "update orders set payment_token = ? where payment_session_id = ?", (payment_token, payment_session_id)
            )
