"""The groups of endpoints, one file each. Each is imported on first use, with its models."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from truemed_async.resources.catalog_items import CatalogItems
    from truemed_async.resources.payment_sessions import PaymentSessions
    from truemed_async.resources.payment_tokens import PaymentTokens
    from truemed_async.resources.qualification_sessions import QualificationSessions
    from truemed_async.resources.reconciliations import Reconciliations

__all__ = ["CatalogItems", "PaymentSessions", "PaymentTokens", "QualificationSessions", "Reconciliations"]

_LAZY_IMPORTS: Mapping[str, str] = {
    "CatalogItems": "catalog_items",
    "PaymentSessions": "payment_sessions",
    "PaymentTokens": "payment_tokens",
    "QualificationSessions": "qualification_sessions",
    "Reconciliations": "reconciliations",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY_IMPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY_IMPORTS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
