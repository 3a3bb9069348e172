import os

from shop import app  # its client reads TRUEMED_API_KEY and TRUEMED_ENVIRONMENT at the start
from webhooks import truemed_webhooks

endpoint = truemed_webhooks(os.environ["TRUEMED_WEBHOOK_SECRET"], os.environ.get("WEBHOOK_STORE", "webhooks.db"))
app.add_route("/webhooks/truemed", endpoint, methods=["GET", "POST"])
