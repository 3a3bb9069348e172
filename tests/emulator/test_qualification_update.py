"""POST …/update: one test per fact of Truemed's page "Update a Qualification Session"."""

import pytest

from tests.support.factories import assert_invalid

KEY = "your-unique-key-123"


@pytest.fixture
def id(emulator):
    return emulator.state.qualification_sessions.add(status="approved")


def test_update_responds_with_the_id_and_the_status(api, id):
    """Truemed, "Update a Qualification Session": "A 200 echoes the qualification_session_id and the current status"."""
    response = api.update(id, {"idempotency_key": KEY, "user_id": "your-internal-user-id"})
    assert response.status == 200
    assert response.json == {"qualification_session_id": id, "status": "approved"}


def test_update_attaches_the_user_id(api, id):
    """Truemed, "Update a Qualification Session": "attach that identifier to the existing session"."""
    api.update(id, {"idempotency_key": KEY, "user_id": "your-internal-user-id"})
    assert api.get(id).json["user_id"] == "your-internal-user-id"
    assert api.ids("?user_id=your-internal-user-id") == [id]


def test_update_leaves_omitted_fields_unchanged(emulator, api, id):
    """Truemed, "Update a Qualification Session": "Only the fields you supply are updated"."""
    api.update(id, {"idempotency_key": "1", "user_id": "u", "metadata": "1", "success_url": "s", "failure_url": "f"})
    api.update(id, {"idempotency_key": "2", "success_url": "s2"})
    session = emulator.state.qualification_sessions.get(id)
    assert (session.user_id, session.metadata, session.success_url, session.failure_url) == ("u", "1", "s2", "f")


def test_update_rejects_a_second_user_id(emulator, api, id):
    """Truemed, "Update a Qualification Session": "returns the user_id_already_set error code with a 409 status"."""
    api.update(id, {"idempotency_key": "1", "user_id": "first"})
    response = api.update(id, {"idempotency_key": "2", "user_id": "second", "metadata": "2"})
    assert response.status == 409
    assert response.json["error"] == "user_id_already_set"
    assert response.json["message"]
    # "never overwrites": and nothing else of a refused request is stored
    assert (
        emulator.state.qualification_sessions.get(id).user_id,
        emulator.state.qualification_sessions.get(id).metadata,
    ) == ("first", None)


def test_update_rejects_the_same_user_id_again(api, id):
    """docs/truemed-api.md 2.3 Q3: the same value again "is not said". Our choice: set means set."""
    api.update(id, {"idempotency_key": "1", "user_id": "same"})
    assert api.update(id, {"idempotency_key": "2", "user_id": "same"}).status == 409


def test_repeated_update_responds_as_before_though_the_status_changed(emulator, api):
    """Truemed, "Update a Qualification Session": a duplicate "is deduplicated and returns the original response"."""
    id = emulator.state.qualification_sessions.add(status="processing")
    first = api.update(id, {"idempotency_key": KEY, "user_id": "u"})
    emulator.state.qualification_sessions.approve(id)
    again = api.update(id, {"idempotency_key": KEY, "user_id": "u"})
    assert (again.status, again.content) == (200, first.content)
    assert api.get(id).json["status"] == "approved"


def test_key_of_an_update_is_scoped_to_the_session(emulator, api):
    """Truemed, "Update a Qualification Session": "scoped to the qualification session"."""
    one, two = emulator.state.qualification_sessions.add(), emulator.state.qualification_sessions.add()
    assert api.update(one, {"idempotency_key": KEY, "user_id": "1"}).status == 200
    assert api.update(two, {"idempotency_key": KEY, "user_id": "2"}).status == 200
    assert emulator.state.qualification_sessions.get(two).user_id == "2"


def test_key_of_a_refused_update_remains_unused(api, id):
    """Our choice: what was refused had no effect, so its key is free for the corrected request."""
    assert_invalid(api.update(id, {"idempotency_key": KEY, "metadata": "{"}), "metadata")
    assert api.update(id, {"idempotency_key": KEY, "metadata": "{}"}).status == 200


def test_keys_of_a_removed_session_are_forgotten(emulator, api):
    """A session that is gone takes its keys along, and only its own."""
    for id in ("qs_a", "qs_b"):
        emulator.state.qualification_sessions.add(qualification_session_id=id)
        api.update(id, {"idempotency_key": KEY, "user_id": "1"})
    emulator.state.qualification_sessions.remove("qs_a")
    emulator.state.qualification_sessions.add(qualification_session_id="qs_a")
    assert api.update("qs_a", {"idempotency_key": KEY, "user_id": "2"}).status == 200
    assert_invalid(api.update("qs_b", {"idempotency_key": KEY, "user_id": "2"}), "idempotency_key")


@pytest.mark.parametrize("status", ["pending", "processing", "approved", "rejected"])
def test_update_never_changes_the_status(emulator, api, status):
    """Truemed, "Update a Qualification Session": "Status is never mutable here"."""
    id = emulator.state.qualification_sessions.add(status=status)
    response = api.update(id, {"idempotency_key": KEY, "status": "rejected", "user_id": "u"})
    assert response.json["status"] == status
    assert api.get(id).json["status"] == status


@pytest.mark.parametrize("status", ["pending", "processing", "approved", "rejected"])
def test_update_stores_the_redirect_urls_in_every_status(emulator, api, status):
    """Truemed, "Update a Qualification Session": "stored but inert after a terminal status"."""
    id = emulator.state.qualification_sessions.add(status=status)
    api.update(id, {"idempotency_key": KEY, "success_url": "https://s.example", "failure_url": "https://f.example"})
    session = emulator.state.qualification_sessions.get(id)
    assert (session.success_url, session.failure_url) == ("https://s.example", "https://f.example")
    assert session.status == status


def test_update_stores_metadata_unchanged(emulator, api, id):
    """Truemed, "Update a Qualification Session": "metadata is a JSON-encoded string"."""
    api.update(id, {"idempotency_key": KEY, "metadata": '{"order":  "2607001444"}'})
    assert emulator.state.qualification_sessions.get(id).metadata == '{"order":  "2607001444"}'


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "nonsense"])
def test_update_accepts_any_content_type(emulator, api, id, content_type):
    """Our choice: the body decides, not what it is called."""
    headers = {"x-truemed-api-key": emulator.api_key, "Content-Type": content_type}
    path = f"/api/v1/qualification_session/{id}/update"
    assert api.send("POST", path, {"idempotency_key": KEY, "user_id": "u"}, headers).status == 200
