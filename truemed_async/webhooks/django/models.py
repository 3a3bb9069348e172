"""The table of handled events."""

from typing import Any

from django.db import models

fields: Any = models  # the stubs leave the types of fields open without their plugin


class Delivery(models.Model):
    """An event that is handled or being handled. It contains no body and no personal data.

    The id is a digest of the webhook's name and the event's key, because some databases compare text without regard to
    case.
    """

    id: Any = fields.CharField(max_length=64, primary_key=True)
    owner: Any = fields.CharField(max_length=64)
    done: Any = fields.BooleanField()
    expires_at: Any = fields.DateTimeField(db_index=True)

    class Meta:
        """Names for the admin."""

        app_label = "truemed_webhooks"
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return str(self.id)
