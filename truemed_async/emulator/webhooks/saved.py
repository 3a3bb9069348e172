"""Webhooks and what waits for them as JSON, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cattrs.preconf.json import make_converter

from truemed_async.emulator.webhooks.model import Delivery, WebhookEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CONVERTER: Final = make_converter(detailed_validation=False)


def dump(endpoints: Iterable[WebhookEndpoint], deliveries: Iterable[Delivery]) -> dict[str, Any]:
    """Return both, secrets included, made of what JSON can say."""
    return {
        "endpoints": [_CONVERTER.unstructure(each) for each in endpoints],
        "deliveries": [_CONVERTER.unstructure(each) for each in deliveries],
    }


def read(dumped: Mapping[str, Any]) -> tuple[list[WebhookEndpoint], list[Delivery]]:
    """Return what was dumped; ValueError when it is not that."""
    try:
        endpoints = _CONVERTER.structure(dumped["endpoints"], list[WebhookEndpoint])
        deliveries = _CONVERTER.structure(dumped["deliveries"], list[Delivery])
    except Exception as error:  # the library raises just that where a word is none of those there are
        raise ValueError("these are no saved webhooks") from error
    return endpoints, deliveries
