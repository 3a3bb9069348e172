"""Sends the task of the page for each session id on standard input, as a web application would."""

import sys

from celery_worker import app
from tasks import attach_user

with app.connection_for_write() as connection:
    for number, session_id in enumerate(sys.argv[1:]):
        attach_user.apply_async((session_id, f"user-{number}"), connection=connection)
