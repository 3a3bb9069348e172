import os

import pytest

os.environ["TRUEMED_API_KEY"] = "not-a-real-key"  # for the client made at import

from tasks import attach_user


@pytest.fixture(autouse=True)
def emulated(truemed_client, monkeypatch):
    monkeypatch.setattr("tasks.truemed", truemed_client)


def test_a_task_that_is_delivered_twice_has_one_effect(truemed_emulator):
    session_id = truemed_emulator.state.qualification_sessions.add()
    for _ in range(2):  # without the key, the second would be a UserIdAlreadySetError
        attach_user.apply((session_id, "user-42"), task_id="job-7", throw=True)
    assert truemed_emulator.state.qualification_sessions.get(session_id).user_id == "user-42"
    assert truemed_emulator.requests.count(method="POST") == 2


def test_a_task_is_tried_again(truemed_emulator):
    session_id = truemed_emulator.state.qualification_sessions.add()
    truemed_emulator.faults.add("status", code=503, method="POST", times=3)  # as many as the attempts of one call
    assert attach_user.apply((session_id, "user-42")).successful()
    assert truemed_emulator.state.qualification_sessions.get(session_id).user_id == "user-42"
