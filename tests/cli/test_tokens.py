"""`tokens`: stored payment methods."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

BOX = '{"name": "Box", "price": "29.99", "quantity": 1, "sku": "BOX"}'


@pytest.fixture
def tokens(emulator):
    return emulator.state.payment_tokens


def test_token_request_is_created_and_followed(truemed, emulator):
    (row,) = truemed(
        *("tokens", "create", "--item", BOX, "--success-url", "https://shop.example/account", "--metadata", "17")
    ).rows
    assert row["redirect_url"].startswith(emulator.url)
    id = row["provision_token_request_id"]
    assert emulator.state.provision_requests.get(id).skus == ("BOX",)

    (waiting,) = truemed("tokens", "provision-request", id).rows
    assert waiting == {"payment_token": None, "metadata": "17"}
    token = emulator.state.provision_requests.submit(id)
    assert truemed("tokens", "provision-request", id).rows[0]["payment_token"] == token


def test_create_without_options_is_accepted(truemed, emulator):
    assert truemed("tokens", "create").code == 0


def test_get_prints_one_document_per_token(truemed, tokens):
    known = tokens.add(customer_name="Sam")

    done = truemed("tokens", "get", known, "nobody")

    assert done.code == 1
    assert [row["customer_name"] for row in done.rows] == ["Sam"]


def test_list_accepts_every_filter(truemed, terminal, tokens):
    tokens.add(
        payment_token="tok_1",
        customer_email="none@example.com",
        customer_name="Sam",
        lmn_expires_at=datetime(2027, 1, 1, tzinfo=UTC),
        payment_methods=[{"exp_year": 2027, "exp_month": 3}],
    )
    tokens.add(customer_email="none@example.com", customer_name="Sam")
    filters = ("--email", "none", "--name", "sam")
    expiring = ("--card-expires-before", "2027-03", "--lmn-expires-before", "2027-01-01")

    assert len(truemed("tokens", "list", *filters).rows) == 2
    done = truemed("tokens", "list", *filters, *expiring, "--format", "csv")
    assert done.out.splitlines()[1].startswith("tok_1,")
    person = truemed("tokens", "list", *filters, *expiring, out=terminal(), err=terminal())
    assert "tok_1" in person.out
    assert person.err == "1 token\n"


def test_update_shows_next_action(truemed, tokens):
    token = tokens.add(skus=("BOX",))

    (nothing,) = truemed("tokens", "update", token, "--item", BOX).rows
    (card,) = truemed("tokens", "update", token, "--update-card-info").rows

    assert nothing["next_action"] is None
    assert card["next_action"] == "UpdateCard"
    assert truemed("tokens", "update", token).code == 2


def test_token_is_deleted_after_confirmation(truemed, terminal, tokens):
    token = tokens.add()
    delete = ("tokens", "delete", token)

    assert truemed(*delete).code == 2
    assert truemed(*delete, err=terminal(), source=terminal("n\n")).code == 1
    assert tokens.get(token).status == "active"

    done = truemed(*delete, err=terminal(), source=terminal("y\n"))
    assert (done.code, done.out) == (0, "")
    assert done.err == "Delete the payment token permanently? [y/N] "
    assert tokens.get(token).status == "deleted"
    assert truemed(*delete, "--yes").code == 1


def test_delete_dry_run_shows_request(truemed, emulator):
    (row,) = truemed("tokens", "delete", "tok", "--dry-run").rows

    assert row["url"] == f"{emulator.url}/api/v1/payment_tokens/tok/delete"
    assert len(emulator.requests) == 0


@pytest.mark.parametrize(
    ("route", "argv", "message"),
    [
        ("create", ("create",), "the same command creates another link"),
        ("update", ("update", "tok_1", "--update-card-info"), "the same command requests the same update"),
        ("delete", ("delete", "tok_1", "--yes"), "run the same command again"),
    ],
)
def test_unknown_outcome_shows_recovery_hint(truemed, emulator, tokens, route, argv, message):
    tokens.add(payment_token="tok_1")
    with emulator.faults.add("applied_then_reset", route=f"payment_tokens.{route}"):
        done = truemed("tokens", *argv)

    assert done.code == 1
    assert f"the outcome is unknown: {message}" in done.err
