"""The app, as Django finds it."""

from django.apps import AppConfig


class TruemedWebhooksConfig(AppConfig):
    """Its label is ``truemed_webhooks``: ``python manage.py migrate truemed_webhooks``."""

    name = "truemed_async.webhooks.django"
    label = "truemed_webhooks"
    verbose_name = "Truemed webhooks"
    default_auto_field = "django.db.models.BigAutoField"
