"""The shop's orders, in SQLite. Both shops use it."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager

SCHEMA = """
create table if not exists orders (
    id text primary key,                  -- created before the first click; also the idempotency key
    state text not null default 'open',   -- open → fulfilled | rejected
    payment_session_id text unique,
    payment_token text,
    redirect_url text
)
"""


class Orders:
    """Orders change once from open to fulfilled or rejected, however often and in whatever order webhooks arrive."""

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

    def finish(self, payment_session_id: str, state: str) -> bool:
        """Fulfill or reject an open order; return whether this call did it. An unknown session is a LookupError."""
        with self._open() as db:
            if not db.execute("select 1 from orders where payment_session_id = ?", (payment_session_id,)).fetchone():
                raise LookupError("no order has this payment session yet")
            changed = db.execute(
                "update orders set state = ? where payment_session_id = ? and state = 'open'",
                (state, payment_session_id),
            )
            return changed.rowcount == 1

    def keep_token(self, payment_session_id: str, payment_token: str) -> None:
        with self._open() as db:
            db.execute(
                "update orders set payment_token = ? where payment_session_id = ?", (payment_token, payment_session_id)
            )
