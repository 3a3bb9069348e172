"""Requests about payments, as Truemed's examples have them."""

CREATE = "/payments/v1/create_payment_session"
REFUND = "/payments/v1/refund"
LIST = "/payments/v1/payment_sessions"

# The shape of the example on the page of create.
ORDER = {
    "total_amount": 600_00,
    "order_items": [{"sku": "SAUNA-1", "name": "Sauna", "price": 600_00, "quantity": 1}],
    "success_url": "https://shop.example/thanks?session={{payment_session_id}}",
    "failure_url": "https://shop.example/cart",
    "idempotency_key": "order-1",
    "customer_email": "sam@example.com",
    "customer_name": "Sam Example",
}


def order(**changes):
    """An order with these members; one that is None is left out."""
    return {name: value for name, value in {**ORDER, **changes}.items() if value is not None}


def session_path(id, action=""):
    return f"/payments/v1/payment_session/{id}{action and '/' + action}"


def assert_refused(response, error, status=400):
    assert response.headers["Content-Type"] == "application/json"
    assert (response.status, response.json["error"]) == (status, error), response.json
    assert response.json["message"]


def assert_invalid(response, says, status=400, error="ValidationError"):
    """Assert that a request is refused with a message that contains a text."""
    assert_refused(response, error, status)
    assert says in response.json["message"]


def make_authorized(emulator, **fields):
    """A session whose money is held."""
    sessions = emulator.state.payment_sessions
    items = [{"name": "Sauna", "price": 90_00, "quantity": 1, "sku": "S"}]
    id = sessions.add(**{"kind": "authorization", "total_amount": 100_00, "order_items": items, **fields})
    sessions.submit(id)
    sessions.approve(id)
    return id


def make_captured(emulator, **fields):
    """A session that is captured."""
    sessions = emulator.state.payment_sessions
    id = sessions.add(**fields)
    sessions.submit(id)
    sessions.approve(id)
    return id
