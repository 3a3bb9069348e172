"""The objects of the API, as immutable attrs classes. They are imported when the first of them is used.

What a write returns is named after the act: ``PaymentSessionCreation``, ``PaymentCapture``, ``PaymentTokenUpdate``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from truemed_async.models._base import (
        Model as Model,
        Page as Page,
        Pagination as Pagination,
        json_default as json_default,
    )
    from truemed_async.models._enums import OpenEnum as OpenEnum
    from truemed_async.models.catalog_items import *  # noqa: F403
    from truemed_async.models.invoices import *  # noqa: F403
    from truemed_async.models.order import *  # noqa: F403
    from truemed_async.models.payment_sessions import *  # noqa: F403
    from truemed_async.models.payment_tokens import *  # noqa: F403
    from truemed_async.models.qualification_sessions import *  # noqa: F403
    from truemed_async.models.reconciliation import *  # noqa: F403

_MODULES = (
    "catalog_items",
    "invoices",
    "order",
    "payment_sessions",
    "payment_tokens",
    "qualification_sessions",
    "reconciliation",
)
_SHARED: Mapping[str, str] = {
    "Model": "_base",
    "OpenEnum": "_enums",
    "Page": "_base",
    "Pagination": "_base",
    "json_default": "_base",
}


def __getattr__(name: str) -> Any:
    if name in _SHARED:
        return getattr(import_module(f"{__name__}.{_SHARED[name]}"), name)
    if name == "__all__" or not name.startswith("_"):
        modules = [import_module(f"{__name__}.{each}") for each in _MODULES]
        if name == "__all__":
            return [*_SHARED, *(each for module in modules for each in module.__all__)]
        for module in modules:
            if name in module.__all__:
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    names: list[str] = __getattr__("__all__")
    return names
