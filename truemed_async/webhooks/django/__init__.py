"""The webhook endpoint of Django projects, and stores of handled events in the project's database.

The stores need ``"truemed_async.webhooks.django"`` in ``INSTALLED_APPS``, and ``python manage.py migrate``. The endpoint
alone needs neither.
"""

from truemed_async.webhooks.django._endpoint import webhook_endpoint
from truemed_async.webhooks.django._stores import DjangoDedupStore, DjangoInbox

__all__ = ["DjangoDedupStore", "DjangoInbox", "webhook_endpoint"]
