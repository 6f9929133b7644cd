"""Two profiles are one person, by staff; and two again."""

from __future__ import annotations

from commerce import customers
from commerce.customers.tables import merges, profiles
from commerce.infra.tables import audit_records
from commerce.kernel.ids import uuid7
from tests.auth.support import refused, row_of
from tests.customers.support import PASSWORD, fresh_email, fresh_phone, person, refusal, rows_of, story_of
from tests.support import Shop

WHY = "Same card, same telephone"


async def test_staff_merge_and_part_again(shop: Shop, audited: None) -> None:
    phone, email = fresh_phone(), fresh_email()
    operator = await shop.staff("call_center", channel="call_center")
    old, me = await shop.signed_up(phone=phone, name="Анна"), await shop.signed_up(email=email, name="Анна К.")
    winner, loser = me.actor.subject, old.actor.subject
    merged = await operator.post(f"/v1/customers/{winner}/merge", {"loser": str(loser), "reason": WHY})
    assert merged.status_code == 200, merged.text
    body = merged.json()
    assert (body["id"], body["merged_ids"], body["email"], body["phone"], body["version"]) == (
        str(winner), [str(loser)], email, phone, 2,
    )  # fmt: skip
    assert (await old.get("/v1/me")).json()["id"] == str(winner)
    (kept,) = await rows_of(shop, merges, winner_id=winner)
    assert (kept.loser_id, kept.merged_by, kept.proof, kept.merged_because) == (
        loser,
        operator.actor.subject,
        "staff",
        WHY,
    )
    record = await row_of(shop, audit_records, action="customer.merged", target_id=str(winner))
    assert (record.subject, record.after) == (operator.actor.subject, {"loser": str(loser)})

    parted = await operator.post(f"/v1/customers/{loser}/unmerge", {"reason": "Mother and daughter"})
    assert parted.status_code == 200, parted.text
    assert (parted.json()["id"], parted.json()["name"], parted.json()["phone"], parted.json()["version"]) == (
        str(loser), "Анна", phone, 3,
    )  # fmt: skip
    await refused(old)
    await refused(me)
    assert await shop.db.read(customers.ids_of, winner) == [winner]
    assert (await shop.signed_up(await shop.client("app"), phone=phone)).actor.subject == loser
    (kept,) = await rows_of(shop, merges, winner_id=winner)
    assert (kept.undone_by, kept.undone_because, kept.undone_at is not None) == (
        operator.actor.subject, "Mother and daughter", True,
    )  # fmt: skip
    record = await row_of(shop, audit_records, action="customer.unmerged", target_id=str(loser))
    assert record.before == {"merged_into": str(winner)}
    for one in (winner, loser):
        assert await story_of(shop, one) == [("signed_up", 1), ("merged", 2), ("unmerged", 3)]
    again = await operator.post(f"/v1/customers/{loser}/merge", {"loser": str(winner), "reason": WHY})
    assert again.json()["merged_ids"] == [str(winner)]


async def test_families_merge_and_part_as_they_were(shop: Shop, audited: None) -> None:
    a, b, c, d = [await person(shop, phone=fresh_phone()) for _ in range(4)]
    operator = await shop.staff("call_center")

    async def merge(winner: object, loser: object) -> None:
        answer = await operator.post(f"/v1/customers/{winner}/merge", {"loser": str(loser), "reason": WHY})
        assert answer.status_code == 200, answer.text

    await merge(a, b)
    await merge(c, d)
    await merge(a, c)
    assert await shop.db.read(customers.ids_of, d) == [a, *sorted([b, c]), d]
    assert (await operator.post(f"/v1/customers/{c}/unmerge", {"reason": WHY})).status_code == 200
    assert await shop.db.read(customers.ids_of, d) == [c, d]
    assert await shop.db.read(customers.ids_of, a) == [a, b]


async def test_what_is_not_merged(shop: Shop, audited: None) -> None:
    operator = await shop.staff("call_center")
    a, b, c = [await person(shop, phone=fresh_phone()) for _ in range(3)]
    guest = await shop.shopper()
    await shop.db.write(customers.note_guest, guest.actor, person=guest.actor.subject, email=fresh_email())
    erased = await person(shop, phone=fresh_phone())
    await shop.db.write(customers.erase_person, shop.system, ids=[erased])
    assert (await operator.post(f"/v1/customers/{a}/merge", {"loser": str(b), "reason": WHY})).status_code == 200
    for winner, loser, expected in (
        (a, a, (422, "merge-into-itself")),
        (a, b, (409, "already-merged")),
        (b, a, (409, "already-merged")),
        (c, b, (409, "already-merged")),
        (b, c, (409, "already-merged")),
        (c, erased, (404, "unknown-customer")),
        (erased, c, (404, "unknown-customer")),
        (c, uuid7(), (404, "unknown-customer")),
        (guest.actor.subject, c, (409, "guest-cannot-win")),
    ):
        answer = await operator.post(f"/v1/customers/{winner}/merge", {"loser": str(loser), "reason": WHY})
        assert refusal(answer) == expected, (winner, loser)
    assert (await row_of(shop, profiles, id=c)).version == 1
    for one, expected in ((a, (409, "not-merged")), (c, (409, "not-merged")), (uuid7(), (404, "unknown-customer"))):
        assert refusal(await operator.post(f"/v1/customers/{one}/unmerge", {"reason": WHY})) == expected
    for reason in ("", None):
        answer = await operator.post(f"/v1/customers/{c}/merge", {"loser": str(a), "reason": reason})
        assert refusal(answer) == (400, "bad-input")
    store = await shop.store()
    for caller in (await shop.staff("store_manager", store.code), await shop.staff("back_office"), guest):
        answer = await caller.post(f"/v1/customers/{c}/merge", {"loser": str(a), "reason": WHY})
        assert refusal(answer) == (403, "not-allowed")


async def test_a_password_counts_for_the_whole_person_and_is_one(shop: Shop, audited: None) -> None:
    client, phone, email = await shop.client(), fresh_phone(), fresh_email()
    old, known = await person(shop, phone=phone), await person(shop, email=email)
    command = customers.MergeCustomers(loser=old, reason=WHY)
    await shop.db.write(customers.merge, shop.system, customer=known, command=command)
    me = await shop.shopper(known=True, person=old)
    body = {"new_password": "another-one", "current_password": PASSWORD}
    assert (await me.put("/v1/me/password", body)).status_code == 204
    for contact in ({"phone": phone}, {"email": email}):
        for password, status in ((PASSWORD, 401), ("another-one", 201)):
            answer = await client.post("/v1/auth/sign-in", contact | {"password": password})
            assert answer.status_code == status, (contact, password)


async def test_what_was_merged_is_told_to_the_person_and_erased_with_him(shop: Shop, audited: None) -> None:
    known, old = await person(shop, phone=fresh_phone()), await person(shop, phone=fresh_phone())
    command = customers.MergeCustomers(loser=old, reason=WHY)
    await shop.db.write(customers.merge, shop.system, customer=known, command=command)
    ids = await shop.db.read(customers.ids_of, old)
    told = await shop.db.read(customers.export_person, ids=ids)
    assert [(row["winner_id"], row["loser_id"], row["merged_because"]) for row in told["merges"]] == [(known, old, WHY)]
    await shop.db.write(customers.erase_person, shop.system, ids=ids)
    (kept,) = await rows_of(shop, merges, winner_id=known)
    assert (kept.loser_id, kept.merged_because) == (old, None)
