"""The ways of a catalog item (docs/truemed-api.md 4.6) and of a qualification session behind a link (4.5)."""

import asyncio
import urllib.parse
import urllib.request

import pytest

from truemed_async import CatalogEligibility, CatalogItemParams, QualificationStatus, errors, qualification_link

WHOLE = {"description": "Warm", "image_urls": ["https://shop.example/a.png"], "url": "https://shop.example/a"}


async def test_item_is_created_reviewed_and_changed(shop, emulator):
    created_item = await shop.catalog.create("SB-1", name="Sauna blanket", **WHOLE)
    assert (created_item.item.sku, created_item.item.name) == ("SB-1", "Sauna blanket")
    item = await shop.catalog.get("SB-1")
    assert (item.eligibility, item.is_reviewed, item.reviewed_at) == (None, False, None)
    assert (await shop.catalog.checkout_method(["SB-1"])).is_truemed is False

    emulator.state.catalog_items.review("SB-1", "eligible_with_lmn")
    item = await shop.catalog.get("SB-1")
    assert item.eligibility is CatalogEligibility.ELIGIBLE_WITH_LMN
    assert (item.is_reviewed, item.eligibility.is_eligible, item.eligibility.requires_lmn) == (True, True, True)
    assert item.reviewed_at >= item.created_at
    assert (await shop.catalog.checkout_method(["SB-1", "unknown"])).is_truemed is True

    await shop.catalog.update("SB-1", name="Blanket", metadata="v2", **WHOLE)
    item = await shop.catalog.get("SB-1")
    assert (item.name, item.metadata, item.image_urls) == ("Blanket", "v2", tuple(WHOLE["image_urls"]))
    assert item.eligibility is CatalogEligibility.ELIGIBLE_WITH_LMN

    emulator.state.catalog_items.review("SB-1", "ineligible")
    item = await shop.catalog.get("SB-1")
    assert (item.eligibility.is_ineligible, item.eligibility.is_eligible) == (True, False)
    assert [each.sku for each in await shop.catalog.iter(eligibility="ineligible")] == ["SB-1"]
    assert await shop.catalog.iter(eligibility="eligible") == []


async def test_sku_is_there_once(shop, emulator):
    await shop.catalog.create("SB-1", name="First")
    with pytest.raises(errors.ConflictError) as conflict:
        await shop.catalog.create("SB-1", name="Second")
    assert (conflict.value.status, conflict.value.outcome, conflict.value.attempts) == (409, "rejected", 1)
    assert [item.name for item in await shop.catalog.iter()] == ["First"]
    with pytest.raises(errors.NotFoundError):
        await shop.catalog.update("nobody", name="Third", **WHOLE)
    with pytest.raises(errors.NotFoundError):
        await shop.catalog.get("nobody")


@pytest.mark.parametrize("verdict", ["approve", "reject"])
async def test_qualification_link_ends_in_a_session(shop, emulator, verdict):
    link = qualification_link(
        "tm_qual_1", source="email_receipt", user_id="customer 17", skus=["SB-1", "MAT"], base_url=emulator.url
    )
    await submit_survey(link)
    (waiting,) = await shop.qualifications.list(user_id="customer 17")
    assert (waiting.status, waiting.status.is_final) == (QualificationStatus.PROCESSING, False)
    assert (waiting.source, waiting.skus_param, waiting.email) == ("email_receipt", "SB-1,MAT", "sam@example.com")

    getattr(emulator.state.qualification_sessions, verdict)(waiting.qualification_session_id)
    session = await shop.qualifications.wait_until_final(waiting.qualification_session_id, timeout=30)
    assert session.status.is_final
    assert session.status is QualificationStatus(verdict.replace("approve", "approved").replace("reject", "rejected"))
    assert (session.expires_at is not None) == (verdict == "approve")


async def test_user_of_a_session_is_set_once(shop, restarted, emulator):
    id = emulator.state.qualification_sessions.add()
    update = await shop.qualifications.update(id, user_id="user-1", idempotency_key="link-1")
    assert update == await restarted.qualifications.update(id, user_id="user-1", idempotency_key="link-1")
    assert update.status is QualificationStatus.PENDING
    with pytest.raises(errors.UserIdAlreadySetError):
        await shop.qualifications.update(id, user_id="user-2")


async def submit_survey(link):
    """Fill in the survey of the hosted page, as the customer's browser would, and leave the review open."""
    form = {"email": "sam@example.com", "condition": "yes", "review": "later"}
    data = urllib.parse.urlencode(form).encode()

    def send():
        with urllib.request.urlopen(link, timeout=30) as page:  # a redirect to the survey of the new session
            survey = page.url
        with urllib.request.urlopen(survey, data, timeout=30) as response:
            assert response.status == 200

    await asyncio.to_thread(send)


async def test_catalog_is_synchronized_and_then_unchanged(shop, emulator):
    """docs/catalog.md: plan, apply, repeat."""
    items = emulator.state.catalog_items
    items.add(sku="MAT", name="Mat")
    items.add(sku="OLD", name="Old")
    catalog = [CatalogItemParams("MAT", name="Yoga mat", **WHOLE), CatalogItemParams("RUG", name="Rug", **WHOLE)]
    plan = [("MAT", "update"), ("RUG", "create"), ("OLD", "gone")]

    assert [(each.id, each.action) for each in await shop.catalog.sync(catalog, dry_run=True)] == plan
    assert items.get("MAT").name == "Mat"
    changes = await shop.catalog.sync(catalog)
    assert [(each.id, each.action) for each in changes] == plan
    assert [each.applied for each in changes] == [True, True, False]
    assert (items.get("MAT").name, items.get("RUG").name, items.count) == ("Yoga mat", "Rug", 3)
    assert {each.action for each in await shop.catalog.sync(catalog)} == {"unchanged", "gone"}


async def test_lost_responses_of_a_synchronization_create_nothing_twice(shop, emulator):
    catalog = [CatalogItemParams(f"SKU-{number}", name="Mat", **WHOLE) for number in range(8)]
    with emulator.faults.add("applied_then_reset", route="catalog_items.create"):
        changes = await shop.catalog.sync(catalog)
    assert all(each.ok and each.applied for each in changes)
    assert emulator.state.catalog_items.count == 8
