"""Attach the accounts of a shop to the qualification sessions of the same people, by e-mail address."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from enum import StrEnum
from typing import Any, cast

import attrs

from truemed_async._core.bulk import fan_out
from truemed_async._core.bulk_update import derive_key
from truemed_async._core.stream import Stream
from truemed_async._sensitive import mask
from truemed_async._validation import scalars
from truemed_async.endpoints import UPDATE_QUALIFICATION_SESSION
from truemed_async.errors import InvalidArgumentError, TruemedError, UserIdAlreadySetError
from truemed_async.models import Page, QualificationSession

PAGE_SIZE = 100


@attrs.frozen
class UserMatch:
    """One of your accounts: who has an e-mail address. ``repr`` masks both.

    Attributes:
        email: The e-mail address of the account, which its owner has confirmed.
        user_id: Your identifier of the account.
    """

    email: str = attrs.field(repr=mask)
    user_id: str = attrs.field(repr=mask)


class AttachStatus(StrEnum):
    """What became of a session or of a match."""

    ATTACHED = "attached"
    """The session got the user id in this run."""
    PLANNED = "planned"
    """The session would get the user id: a dry run."""
    ALREADY_ATTACHED = "already_attached"
    """The session had the same user id before."""
    OTHER_USER = "other_user"
    """The session has another user id, which only Truemed's support can correct."""
    AMBIGUOUS = "ambiguous"
    """The matches name several user ids for the e-mail address; nothing was attached."""
    UNMATCHED = "unmatched"
    """No session has the e-mail address."""
    FAILED = "failed"
    """The update failed. If its outcome is unknown, the next run finds out."""


@attrs.frozen(kw_only=True)
class AttachOutcome:
    """What became of one session, or of a match without one. ``repr`` masks the e-mail address and the user id.

    Attributes:
        status: What became of it.
        email: The e-mail address of the match.
        user_id: The user id of the match; ``None`` if there are several.
        qualification_session_id: The session; ``None`` if the address is ambiguous or unmatched.
        error: Why the update failed, or ``None``.
    """

    status: AttachStatus
    email: str = attrs.field(repr=mask)
    user_id: str | None = attrs.field(default=None, repr=mask)
    qualification_session_id: str | None = None
    error: TruemedError | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return self.error is None

    def to_dict(self) -> dict[str, str | None]:
        """Return the row of a report, with the e-mail address and the user id; the error by the name of its class."""
        return {
            "status": self.status.value,
            "qualification_session_id": self.qualification_session_id,
            "email": self.email,
            "user_id": self.user_id,
            "error": None if self.error is None else type(self.error).__name__,
        }


class Accounts:
    """The matches by e-mail address. Its ``repr`` shows none of them."""

    def __init__(self, matches: object) -> None:
        if isinstance(matches, str) or not isinstance(matches, Iterable):
            raise InvalidArgumentError("matches must be an iterable of UserMatch objects")
        self.unique: dict[bytes, UserMatch] = {}
        """The matches of the addresses with one user id."""
        self.ambiguous: dict[bytes, UserMatch] = {}
        """One match of each of the others."""
        self._done: set[bytes] = set()
        for number, match in enumerate(cast("Iterable[object]", matches)):
            self._add(number, match)

    def _add(self, number: int, match: object) -> None:
        """Validate a match and add it."""
        if not isinstance(match, UserMatch):
            raise InvalidArgumentError(f"matches[{number}] must be a UserMatch, not {type(match).__name__}")
        email = scalars.validate_email(f"matches[{number}].email", match.email)
        user_id = scalars.validate_text(f"matches[{number}].user_id", match.user_id)
        key = scalars.email_identity(email)
        if key not in self.ambiguous and self.unique.setdefault(key, UserMatch(email, user_id)).user_id != user_id:
            self.ambiguous[key] = self.unique.pop(key)

    def mark_done(self, match: UserMatch) -> None:
        """Note that there is an outcome of this match."""
        self._done.add(scalars.email_identity(match.email))

    def not_done(self) -> Iterator[UserMatch]:
        """Yield the matches without an outcome."""
        return (match for key, match in self.unique.items() if key not in self._done)

    def match_of(self, session: QualificationSession) -> UserMatch | None:
        """Return the only account of the session's e-mail address, if there is one."""
        return None if session.email is None else self.unique.get(scalars.email_identity(session.email.strip()))


@attrs.frozen(kw_only=True)
class Attachment:
    """One run over all matches; ``list``, ``iter`` and ``update`` are those of the resource."""

    list: Callable[..., Awaitable[Page[QualificationSession]]]
    iter: Callable[..., Stream[QualificationSession]]
    update: Callable[..., Awaitable[Any]]
    run_id: str | None
    dry_run: bool

    async def run(self, accounts: Accounts, concurrency: int) -> AsyncGenerator[Sequence[AttachOutcome], None]:
        """Yield the outcomes: of ambiguous addresses, of sessions as they are read, and of addresses without one."""
        if accounts.ambiguous:
            yield [
                AttachOutcome(status=AttachStatus.AMBIGUOUS, email=each.email) for each in accounts.ambiguous.values()
            ]

        async def attach(session: QualificationSession) -> Sequence[AttachOutcome]:
            match = accounts.match_of(session)
            if match is None:
                return ()
            accounts.mark_done(match)
            return [await self._attach(session, match)]

        async def search(match: UserMatch) -> Sequence[AttachOutcome]:
            try:
                async with self.iter(search=match.email) as found:
                    sessions = [each async for each in found if accounts.match_of(each) is match]
            except TruemedError as error:
                accounts.mark_done(match)
                return [
                    AttachOutcome(status=AttachStatus.FAILED, email=match.email, user_id=match.user_id, error=error)
                ]
            return [outcome for each in sessions for outcome in await attach(each)]

        everything = self.iter(page_size=PAGE_SIZE)
        if await self._is_search_cheaper(len(accounts.unique)):
            work = fan_out([*accounts.unique.values()], search, concurrency=concurrency, ordered=False)
        else:
            work = fan_out(everything, attach, concurrency=concurrency, ordered=False)
        async with everything, aclosing(work):
            async for batch in work:
                yield [outcome for outcomes in batch for outcome in outcomes]
        yield [
            AttachOutcome(status=AttachStatus.UNMATCHED, email=each.email, user_id=each.user_id)
            for each in accounts.not_done()
        ]

    async def _is_search_cheaper(self, searches: int) -> bool:
        """Whether that many searches are fewer requests than the pages of all sessions."""
        if searches == 0:
            return True
        pagination = (await self.list(page_size=1)).pagination
        return pagination is not None and searches * PAGE_SIZE < pagination.count

    async def _attach(self, session: QualificationSession, match: UserMatch) -> AttachOutcome:
        """Attach an account to a session, unless it has one."""
        id, status, failure = session.qualification_session_id, AttachStatus.PLANNED, None
        if session.user_id:
            same = session.user_id == match.user_id
            status = AttachStatus.ALREADY_ATTACHED if same else AttachStatus.OTHER_USER
        elif not self.dry_run:
            key = self.run_id and derive_key(self.run_id, UPDATE_QUALIFICATION_SESSION, id, {"user_id": match.user_id})
            try:
                await self.update(id, user_id=match.user_id, if_unset=True, idempotency_key=key)
                status = AttachStatus.ATTACHED
            except UserIdAlreadySetError:
                status = AttachStatus.OTHER_USER
            except TruemedError as error:
                status, failure = AttachStatus.FAILED, error
        return AttachOutcome(
            status=status, email=match.email, user_id=match.user_id, qualification_session_id=id, error=failure
        )
