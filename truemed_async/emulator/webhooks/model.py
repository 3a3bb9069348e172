"""Webhook endpoints and deliveries, and their form in a snapshot."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

import attrs
from cattrs.preconf.json import make_converter

from truemed_async.emulator.webhooks.events import EVENTS

Mode = Literal["signed", "unsigned"]
DeliveryState = Literal["waiting", "delivered", "abandoned"]
MODES: Final[tuple[Mode, ...]] = ("signed", "unsigned")
# Only URLs that all parsers read alike: no user info, no blanks, no backslash before the path.
_URL: Final = re.compile(
    r"https?://(127\.0\.0\.1|localhost|\[::1\])(:(?P<port>[0-9]{1,5}))?([/?][\x21-\x7e]*)?", re.IGNORECASE
)
_CONVERTER: Final = make_converter(detailed_validation=False)


def _validate_url(_: object, __: object, url: str) -> None:
    match = _URL.fullmatch(url)
    if match is None or int(match["port"] or 0) > 65535:
        raise ValueError("a webhook must be an http or https URL of this machine")


def _validate_mode(_: object, __: object, mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"mode must be {' or '.join(MODES)}")


def _validate_secrets(_: object, __: object, secrets: Iterable[str]) -> None:
    for secret in secrets:
        if not (secret and secret.isascii() and secret.isprintable() and secret == secret.strip()):
            raise ValueError("a secret must be printable ASCII without surrounding blanks")


def _validate_events(_: object, __: object, events: frozenset[str] | None) -> None:
    if events is not None and not events <= set(EVENTS):
        raise ValueError(f"events must be of {', '.join(EVENTS)}")


@attrs.frozen(kw_only=True)
class WebhookEndpoint:
    """A merchant's webhook, as in the developer dashboard.

    Attributes:
        id: The id of the endpoint.
        url: Where deliveries are sent.
        mode: Whether deliveries are signed, or carry the secret itself.
        secrets: The secret, and after it the previous one while both are valid. They are made for this emulator.
        events: The names of the events to send; None for all.
    """

    id: str
    url: str = attrs.field(validator=_validate_url)
    mode: Mode = attrs.field(default="signed", validator=_validate_mode)
    secrets: tuple[str, ...] = attrs.field(repr=False, validator=_validate_secrets)
    events: frozenset[str] | None = attrs.field(default=None, validator=_validate_events)

    def receives(self, event: str) -> bool:
        """Return whether events of this name are sent to the endpoint."""
        return self.events is None or event in self.events


@attrs.frozen(kw_only=True)
class DeliveryAttempt:
    """One request of a delivery.

    Attributes:
        at: When it was sent, by the emulator's clock.
        seconds: How long it took.
        status: The status of the response; None if there was none.
        failure: What failed, if there was no response.
        headers: The headers sent; the secret of an unsigned delivery is masked.
        response_body: The beginning of the body of the response, at most 1 KiB.
        fault: The names of the faults that acted on it.
    """

    at: datetime
    seconds: float = 0.0
    status: int | None = None
    failure: str | None = None
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    response_body: bytes = attrs.field(default=b"", repr=False)
    fault: str | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether the merchant responded with 204, the only documented success."""
        return self.status == 204


@attrs.define(kw_only=True, eq=False)
class EmulatedDelivery:
    """One event on its way to one endpoint. ``id`` and ``body`` are the same in each attempt."""

    id: str
    endpoint: str
    event: str
    resource: str
    resource_id: str
    created_at: datetime
    body: bytes = attrs.field(repr=False)
    due: datetime
    attempts: list[DeliveryAttempt] = attrs.Factory(list[DeliveryAttempt])
    state: DeliveryState = "waiting"
    copies: int = 0  # how many times to send it again after it was acknowledged
    attempts_to_drop: int = 0

    @property
    def acknowledged(self) -> bool:
        """Whether the merchant acknowledged it at least once; it is then not retried."""
        return any(attempt.acknowledged for attempt in self.attempts)


def dump_webhooks(endpoints: Iterable[WebhookEndpoint], deliveries: Iterable[EmulatedDelivery]) -> dict[str, Any]:
    """Return endpoints, secrets included, and deliveries as JSON values."""
    return {
        "endpoints": [_CONVERTER.unstructure(each) for each in endpoints],
        "deliveries": [_CONVERTER.unstructure(each) for each in deliveries],
    }


def load_webhooks(snapshot: Mapping[str, Any]) -> tuple[list[WebhookEndpoint], list[EmulatedDelivery]]:
    """Return the endpoints and deliveries of a snapshot.

    Raises:
        ValueError: The snapshot is not valid.
    """
    try:
        endpoints = _CONVERTER.structure(snapshot["endpoints"], list[WebhookEndpoint])
        deliveries = _CONVERTER.structure(snapshot["deliveries"], list[EmulatedDelivery])
    except Exception as error:  # cattrs raises a bare Exception for a value that no Literal has
        raise ValueError("the snapshot has no valid webhooks") from error
    return endpoints, deliveries
