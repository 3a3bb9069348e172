"""The objects of the API, as immutable attrs classes.

What a write returns is named after the act: ``PaymentSessionCreation``, ``PaymentCapture``, ``PaymentTokenUpdate``.
"""

from __future__ import annotations

from truemed_async.models import (
    catalog_items,
    order,
    payment_sessions,
    payment_tokens,
    qualification_sessions,
    reconciliation,
)
from truemed_async.models._base import Model, Page, Pagination, json_default
from truemed_async.models._enums import OpenEnum
from truemed_async.models.catalog_items import *  # noqa: F403  # its __all__
from truemed_async.models.order import *  # noqa: F403  # its __all__
from truemed_async.models.payment_sessions import *  # noqa: F403  # its __all__
from truemed_async.models.payment_tokens import *  # noqa: F403  # its __all__
from truemed_async.models.qualification_sessions import *  # noqa: F403  # its __all__
from truemed_async.models.reconciliation import *  # noqa: F403  # its __all__

__all__ = ["Model", "OpenEnum", "Page", "Pagination", "json_default"]
__all__ += catalog_items.__all__
__all__ += order.__all__
__all__ += payment_sessions.__all__
__all__ += payment_tokens.__all__
__all__ += qualification_sessions.__all__
__all__ += reconciliation.__all__
