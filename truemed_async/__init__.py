"""The Truemed merchant API for Python: HSA/FSA payments and Letters of Medical Necessity.

Async first, with the same names for synchronous code::

    from truemed_async import AsyncTruemed, Truemed

Names are resolved on first use, so that importing the package is quick and that webhooks and models never import the
HTTP library. All public names of ``truemed_async.models`` are names of this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from truemed_async._version import __version__ as __version__

if TYPE_CHECKING:
    from truemed_async import (
        diagnostics as diagnostics,
        emulator as emulator,
        errors as errors,
        webhooks as webhooks,
    )
    from truemed_async._core.bulk import Outcome as Outcome
    from truemed_async._core.bulk_update import UpdateOutcome as UpdateOutcome
    from truemed_async._core.endpoint import Endpoint as Endpoint, Idempotency as Idempotency
    from truemed_async._core.request import Request as Request
    from truemed_async._core.response import Response as Response
    from truemed_async._core.stream import Stream as Stream
    from truemed_async._validation.urls import PAYMENT_SESSION_ID as PAYMENT_SESSION_ID, DeepLink as DeepLink
    from truemed_async._warnings import TruemedWarning as TruemedWarning
    from truemed_async.client import AsyncTruemed as AsyncTruemed
    from truemed_async.exports import (
        export as export,
        export_reconciliation as export_reconciliation,
        mirror as mirror,
        summarize as summarize,
    )
    from truemed_async.links import qualification_link as qualification_link
    from truemed_async.models import (
        Model as Model,
        OpenEnum as OpenEnum,
        Page as Page,
        Pagination as Pagination,
        json_default as json_default,
    )
    from truemed_async.models.catalog_items import *  # noqa: F403
    from truemed_async.models.invoices import *  # noqa: F403
    from truemed_async.models.order import *  # noqa: F403
    from truemed_async.models.payment_sessions import *  # noqa: F403
    from truemed_async.models.payment_tokens import *  # noqa: F403
    from truemed_async.models.qualification_sessions import *  # noqa: F403
    from truemed_async.models.reconciliation import *  # noqa: F403
    from truemed_async.money import cents as cents
    from truemed_async.options import (
        UNSET as UNSET,
        Attempt as Attempt,
        RequestOptions as RequestOptions,
        RetryPolicy as RetryPolicy,
        Timeouts as Timeouts,
        Unset as Unset,
    )
    from truemed_async.resources._attach import (
        AttachOutcome as AttachOutcome,
        AttachStatus as AttachStatus,
        UserMatch as UserMatch,
    )
    from truemed_async.resources._cancel_stale import (
        CancellationOutcome as CancellationOutcome,
        CancellationResult as CancellationResult,
    )
    from truemed_async.resources._catalog_sync import (
        CatalogAction as CatalogAction,
        CatalogChange as CatalogChange,
        CatalogItemParams as CatalogItemParams,
        read_catalog_csv as read_catalog_csv,
    )
    from truemed_async.resources._fields import QualificationSessionUpdateParams as QualificationSessionUpdateParams
    from truemed_async.sync import SyncStream as SyncStream, Truemed as Truemed

_LAZY_IMPORTS: Mapping[str, str] = {
    "AsyncTruemed": "client",
    "AttachOutcome": "resources._attach",
    "AttachStatus": "resources._attach",
    "Attempt": "options",
    "CancellationOutcome": "resources._cancel_stale",
    "CancellationResult": "resources._cancel_stale",
    "CatalogAction": "resources._catalog_sync",
    "CatalogChange": "resources._catalog_sync",
    "CatalogItemParams": "resources._catalog_sync",
    "DeepLink": "_validation.urls",
    "Endpoint": "_core.endpoint",
    "Idempotency": "_core.endpoint",
    "Outcome": "_core.bulk",
    "PAYMENT_SESSION_ID": "_validation.urls",
    "QualificationSessionUpdateParams": "resources._fields",
    "Request": "_core.request",
    "RequestOptions": "options",
    "Response": "_core.response",
    "RetryPolicy": "options",
    "Stream": "_core.stream",
    "SyncStream": "sync",
    "Timeouts": "options",
    "Truemed": "sync",
    "TruemedWarning": "_warnings",
    "UNSET": "options",
    "Unset": "options",
    "UpdateOutcome": "_core.bulk_update",
    "UserMatch": "resources._attach",
    "cents": "money",
    "export": "exports",
    "export_reconciliation": "exports",
    "mirror": "exports",
    "json_default": "models",
    "qualification_link": "links",
    "read_catalog_csv": "resources._catalog_sync",
    "summarize": "exports",
}

_MODULES = ("diagnostics", "emulator", "errors", "webhooks")


def __getattr__(name: str) -> Any:
    if name in _LAZY_IMPORTS:
        return getattr(import_module(f"{__name__}.{_LAZY_IMPORTS[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name == "__all__" or name[0].isupper():  # a model; the import system also asks for names of modules
        models = import_module(f"{__name__}.models")
        if name == "__all__":
            return sorted({"__version__", *_LAZY_IMPORTS, *_MODULES, *models.__all__})
        if name in models.__all__:
            return getattr(models, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    public: list[str] = __getattr__("__all__")
    return public
