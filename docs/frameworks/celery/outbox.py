import os
import time

from celery import Celery
from psycopg import Connection, connect

from truemed_async.webhooks import Event, PaymentSessionUpdated, Receiver
from truemed_async.webhooks.postgres import PostgresInbox

DATABASE = os.environ["DATABASE_URL"]
CREATE_OUTBOX = """
    CREATE TABLE IF NOT EXISTS outbox (id bigserial PRIMARY KEY, task_id text NOT NULL, payment_session_id text NOT NULL)
"""
TAKE_ROWS = """
    DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED)
    RETURNING task_id, payment_session_id
"""

app = Celery("shop", broker=os.environ["CELERY_BROKER"])
app.conf.broker_transport_options = {"confirm_publish": True}  # RabbitMQ: wait until it has the task


# The name, because Celery derives another one in the process that runs this file.
@app.task(name="fulfill_order", acks_late=True, reject_on_worker_lost=True, ignore_result=True)
def fulfill_order(payment_session_id: str) -> None:
    with connect(DATABASE) as connection:
        connection.execute("UPDATE orders SET shipped = true WHERE payment_session_id = %s", [payment_session_id])


def handle(event: Event, connection: Connection) -> None:
    if isinstance(event, PaymentSessionUpdated) and event.data.status.may_fulfill:
        connection.execute(
            "INSERT INTO outbox (task_id, payment_session_id) VALUES (%s, %s)",
            [event.dedup_key, event.data.payment_session_id],
        )


receiver = Receiver(handle, secrets=os.environ["TRUEMED_WEBHOOK_SECRET"], store=PostgresInbox(DATABASE))


def send_tasks(connection: Connection) -> int:
    """Send the tasks in the outbox, and remove them from it. Return their number."""
    with connection.transaction():
        rows = connection.execute(TAKE_ROWS).fetchall()
        for task_id, payment_session_id in rows:
            fulfill_order.apply_async([payment_session_id], task_id=task_id)
    return len(rows)


if __name__ == "__main__":
    with connect(DATABASE, autocommit=True) as connection:
        while True:
            if not send_tasks(connection):
                time.sleep(1)
