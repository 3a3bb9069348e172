import os

from shop import create_app
from webhooks import add_webhooks

app = create_app()  # its client reads TRUEMED_API_KEY and TRUEMED_ENVIRONMENT
add_webhooks(app, os.environ["TRUEMED_WEBHOOK_SECRET"], os.environ.get("WEBHOOK_STORE", "webhooks.db"))
