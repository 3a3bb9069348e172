from celery import Celery, Task

from truemed_async import Truemed
from truemed_async.errors import RateLimitedError, ServerError, TransportError

app = Celery("shop")
truemed = Truemed()  # reads TRUEMED_API_KEY; nothing is opened yet


@app.task(
    bind=True,
    acks_late=True,
    autoretry_for=(RateLimitedError, ServerError, TransportError),
    retry_backoff=True,
    max_retries=8,
)
def attach_user(self: Task, session_id: str, user_id: str) -> None:
    truemed.qualification_sessions.update(session_id, user_id=user_id, idempotency_key=self.request.id)
