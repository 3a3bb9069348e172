"""The app, as Django finds it."""

from typing import Any

from django.apps import AppConfig


class TruemedWebhooksConfig(AppConfig):
    """Its label is ``truemed_webhooks``: ``python manage.py migrate truemed_webhooks``."""

    name: str = "truemed_async.webhooks.django"
    label: str = "truemed_webhooks"
    verbose_name: Any = "Truemed webhooks"
