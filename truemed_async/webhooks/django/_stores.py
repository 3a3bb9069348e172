"""Stores of handled events in the database of a Django project."""

import hashlib
import itertools
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import DateTimeField, ExpressionWrapper, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from truemed_async.webhooks._stores import (
    DEFAULT_LEASE,
    DEFAULT_RETENTION,
    Claim,
    claim_of_creation,
    validate_duration,
    validate_webhook_name,
)

if TYPE_CHECKING:
    from truemed_async.webhooks.django.models import Delivery

CLEANUP_INTERVAL: Final = 100
"""Events between two removals of expired rows."""
CLEANUP_LIMIT: Final = 500
"""The largest number of rows that one removal takes: it must not hold up the event."""


def _from_now(duration: timedelta) -> Combinable:
    """Return a time of the database's clock."""
    return ExpressionWrapper(Now() + Value(duration), output_field=DateTimeField())


def remove_expired(deliveries: "QuerySet[Delivery]") -> int:
    """Remove expired rows, up to ``CLEANUP_LIMIT``; return how many."""
    ids = list(deliveries.filter(expires_at__lte=Now()).values_list("id", flat=True)[:CLEANUP_LIMIT])
    return deliveries.filter(id__in=ids, expires_at__lte=Now()).delete()[0]


class _Base:
    def __init__(self, webhook: str, using: str, lease: timedelta, retention: timedelta) -> None:
        validate_duration("lease", lease)
        validate_duration("retention", retention)
        self._webhook, self._using = validate_webhook_name(webhook), using
        self._lease, self._retention = lease, retention
        self._calls = itertools.count()

    @property
    def retention(self) -> timedelta:
        """How long a handled event is remembered."""
        return self._retention

    def close_idle_connections(self) -> None:
        """Close the connections of this thread that are older than ``CONN_MAX_AGE``, as Django does after a request."""
        for connection in connections.all(initialized_only=True):
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()

    def _id_of(self, key: str) -> str:
        return hashlib.sha256(f"{self._webhook} {key}".encode()).hexdigest()

    def _deliveries(self) -> "QuerySet[Delivery]":
        connection = connections[self._using]
        if not connection.in_atomic_block:
            # Outside of a view, nothing else replaces a connection that the server has closed.
            connection.close_if_unusable_or_obsolete()
        try:
            model: Any = apps.get_model("truemed_webhooks", "Delivery")  # exists only after Django is set up
        except LookupError as error:
            raise ImproperlyConfigured(
                'add "truemed_async.webhooks.django" to INSTALLED_APPS, and run "python manage.py migrate"'
            ) from error
        deliveries: QuerySet[Delivery] = model.objects.using(self._using)
        return deliveries

    def _claim(self, id: str, owner: str) -> Claim:
        """Add the row, or take an expired one over, and see whose it is."""
        deliveries = self._deliveries()
        row = deliveries.model(id=id, owner=owner, done=False, expires_at=_from_now(self._lease))
        deliveries.bulk_create([row], ignore_conflicts=True)
        found = deliveries.filter(id=id).values_list("owner", "done").first()
        if found == (owner, False):
            return Claim.GRANTED
        expired = deliveries.filter(id=id, expires_at__lte=Now())
        if expired.update(owner=owner, done=False, expires_at=_from_now(self._lease)):
            return Claim.GRANTED
        # A row that was removed since counts as busy: the next delivery finds out.
        return Claim.DONE if found is not None and found[1] else Claim.BUSY

    def _confirm(self, id: str, owner: str) -> int:
        """Return the number of rows that are confirmed now."""
        rows = self._deliveries().filter(id=id)
        return rows.update(owner=owner, done=True, expires_at=_from_now(self._retention))

    def _forget_expired(self) -> None:
        if next(self._calls) % CLEANUP_INTERVAL == 0:
            remove_expired(self._deliveries())


class DjangoDedupStore(_Base):
    """Remembers events in the project's database, for all its processes and machines.

    An event is claimed before the handler runs and confirmed after it. If the process dies between the effect and the
    confirmation, the event is handled twice; :class:`DjangoInbox` prevents that for effects in this database.

    Args:
        webhook: Names the webhook, if the project has several. Each needs its own name.
        using: The alias of the database.
        lease: How long a claim lasts that is neither confirmed nor released. Longer than the handler ever takes.
        retention: How long a handled event is remembered. Not shorter than deliveries are accepted.

    Raises:
        InvalidArgumentError: An argument is invalid.
    """

    def __init__(
        self,
        *,
        webhook: str = "default",
        using: str = DEFAULT_DB_ALIAS,
        lease: timedelta = DEFAULT_LEASE,
        retention: timedelta = DEFAULT_RETENTION,
    ) -> None:
        super().__init__(webhook, using, lease, retention)

    def claim(self, key: str, owner: str) -> Claim:
        """Claim the event ``key`` for ``owner``."""
        self._forget_expired()
        return self._claim(self._id_of(key), owner)

    def confirm(self, key: str, owner: str) -> None:
        """Record that the event was handled, whichever owner holds the claim now."""
        id = self._id_of(key)
        if not self._confirm(id, owner):
            deliveries = self._deliveries()
            row = deliveries.model(id=id, owner=owner, done=True, expires_at=_from_now(self._retention))
            deliveries.bulk_create([row], ignore_conflicts=True)

    def release(self, key: str, owner: str) -> None:
        """Release the claim if this owner still holds it and the event is not confirmed."""
        self._deliveries().filter(id=self._id_of(key), owner=owner, done=False).delete()


class DjangoInbox(_Base):
    """Runs the handler inside ``transaction.atomic()``, which also confirms the event: exactly once for this database.

    What ``handler(event)`` writes to this database is committed together with the confirmation of the event. If the
    handler raises, the process dies, or the connection is cut, all of it is rolled back, and the next delivery of the
    event is handled. The one condition: the effect is in the database ``using``. E-mails, HTTP requests and other
    databases are not part of the transaction.

    The handler must be a function, not a coroutine function: transactions of Django are synchronous. It may use
    ``transaction.atomic()`` for savepoints, and ``transaction.on_commit()``. An error of the database that it catches
    outside of a savepoint makes the transaction void: the event fails and is delivered again. A second delivery of an event
    that is being handled waits for the first on most databases.

    Args:
        webhook: Names the webhook, if the project has several. Each needs its own name.
        using: The alias of the database.
        retention: How long a handled event is remembered. Not shorter than deliveries are accepted.

    Raises:
        InvalidArgumentError: An argument is invalid.
    """

    def __init__(
        self, *, webhook: str = "default", using: str = DEFAULT_DB_ALIAS, retention: timedelta = DEFAULT_RETENTION
    ) -> None:
        super().__init__(webhook, using, DEFAULT_LEASE, retention)

    def process(self, key: str, handle: Callable[[], object], creation_keys: tuple[str, str] | None = None) -> Claim:
        """Call ``handle()`` in a transaction, and confirm the event in it; unless it was handled before."""
        self._deliveries()  # replaces a closed connection
        self._forget_expired()
        id, owner = self._id_of(key), uuid.uuid4().hex
        with transaction.atomic(using=self._using):
            claim = self._claim(id, owner)
            if claim is not Claim.GRANTED:
                return claim
            if creation_keys is not None:
                claim = claim_of_creation(
                    *[self._claim_and_confirm(self._id_of(each), owner) for each in creation_keys]
                )
            if claim is Claim.BUSY:
                transaction.set_rollback(True, using=self._using)  # the event's own key is claimed
                return claim
            if claim is Claim.GRANTED:
                handle()
            # Raises if the handler caught an error of the database: the transaction would then be rolled back without an
            # error, and the event lost.
            if self._confirm(id, owner) != 1:
                raise RuntimeError("the handler ended the transaction, or deleted the event's row")
        return claim

    def _claim_and_confirm(self, id: str, owner: str) -> Claim:
        claim = self._claim(id, owner)
        if claim is Claim.GRANTED:
            self._confirm(id, owner)
        return claim
