import pytest
from shop import create_app


@pytest.fixture
def client(truemed_client):
    return create_app(truemed_client).test_client()


def test_the_status_is_shown(truemed_emulator, client):
    session_id = truemed_emulator.state.qualification_sessions.add(status="approved")
    assert client.get(f"/status/{session_id}").json == {"status": "approved"}


def test_unknown_session_is_not_found(client):
    assert client.get("/status/qs_nobody").status_code == 404
