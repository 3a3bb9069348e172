"""Nothing twice and nothing lost: keyed writes under every fault that strikes before, during and after the effect."""

import asyncio
import collections

import pytest

from truemed_async import AsyncTruemed, RetryPolicy, Timeouts
from truemed_async.emulator import Emulator
from truemed_async.errors import CallError

QUICK = RetryPolicy(base=0.001, cap=0.004)

# Together three in ten requests are struck, more than half of those after the change was made.
FAULTS = {
    "applied_then_reset": 0.06,
    "applied_then_500": 0.06,
    "applied_then_400_server_error": 0.06,
    "applied_then_hang": 0.002,
    "reset_peer": 0.04,
    "empty_response": 0.04,
    "truncate_body": 0.04,
    "partial_headers": 0.02,
}


@pytest.fixture
def emulator():
    with Emulator(sessions=0, seed=7) as running:
        yield running


async def test_every_keyed_update_has_exactly_one_effect(emulator, scale):
    count = scale(1_500, 10_000)
    keys = [f"key-{number}" for number in range(count)]
    ids = [emulator.state.qualification_sessions.add(user_id=None, status="pending") for _ in keys]
    struck = [emulator.faults.add(name, method="POST", probability=share) for name, share in FAULTS.items()]
    results: dict[str, object] = {}
    timeout = Timeouts(connect=1, attempt=0.5, total=20)
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=QUICK, timeout=timeout) as client:
        work = iter(zip(ids, keys, strict=True))

        async def drive():
            for each, key in work:
                try:
                    done = await client.qualification_sessions.update(each, user_id=f"user-{key}", idempotency_key=key)
                except CallError as error:
                    assert error.idempotency_key == key
                    assert error.outcome in ("unknown", "not_sent"), "a healthy request is never refused"
                    results[key] = error
                else:
                    assert done.idempotency_key == key
                    results[key] = None

        await asyncio.gather(*(drive() for _ in range(20)))
        assert len(results) == count
        failed = [key for key, error in results.items() if error is not None]
        assert sum(handle.hits for handle in struck) > count * 0.2
        assert failed, "with this many faults some calls must have used up their attempts"
        emulator.faults.clear()
        by_key = dict(zip(keys, ids, strict=True))
        for key in failed:  # as documented: repeat the call with the same key
            await client.qualification_sessions.update(by_key[key], user_id=f"user-{key}", idempotency_key=key)
    effects = {
        session.qualification_session_id: session.user_id for session in emulator.state.qualification_sessions.rows
    }
    assert effects == {each: f"user-{key}" for each, key in zip(ids, keys, strict=True)}, "none is lost or mixed up"
    sent = collections.defaultdict(set)
    for request in emulator.requests:
        sent[request.path].add(request.body)
    assert all(len(bodies) == 1 for bodies in sent.values()), "every attempt of a call carries the same key and bytes"


async def test_key_made_by_the_client_settles_an_open_update(emulator):
    """The caller gave no key; the error carries the one that was made, and with it the repeat has no second effect."""
    session = emulator.state.qualification_sessions.add(user_id=None, status="pending")
    emulator.faults.add("applied_then_reset", method="POST", times=3)
    async with AsyncTruemed(emulator.api_key, base_url=emulator.url, retry=QUICK) as client:
        with pytest.raises(CallError) as caught:
            await client.qualification_sessions.update(session, user_id="mine")
        assert (caught.value.outcome, caught.value.attempts) == ("unknown", 3)
        assert emulator.state.qualification_sessions.get(session).user_id == "mine", (
            "it was applied although no answer came"
        )
        # Without the key this would be a 409: the user_id is set already.
        settled = await client.qualification_sessions.update(
            session, user_id="mine", idempotency_key=caught.value.idempotency_key
        )
    assert settled.qualification_session_id == session
