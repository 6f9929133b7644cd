"""What came after a merge that was undone is split by hand, record by record."""

from __future__ import annotations

from typing import Any

import pytest

from commerce import customers
from tests.orders.story import cash, make_ready, pickup_code, place, step
from tests.people.story import fresh_phone, merged, parted, problem, records, rows, signed_up, talked
from tests.support import Client, Item, Shop, Store


async def world(shop: Shop) -> tuple[Store, Item]:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 20)
    return store, item


async def again(shop: Shop, *people: Client) -> list[Client]:
    """The same people after their sessions ended."""
    return [await shop.shopper(known=True, person=one.actor.subject) for one in people]


async def moved(shop: Shop, one: Client, other: Client, **named: Any) -> Any:
    staff = await shop.staff("admin")
    body = {"to": str(other.actor.subject), "reason": "merged_in_error", **named}
    return await staff.post(f"/v1/customers/{one.actor.subject}/records", body)


async def test_an_order_with_its_return_an_address_and_an_identifier_become_anothers(shop: Shop, audited: None) -> None:
    store, item = await world(shop)
    mother, daughter = await signed_up(shop), await signed_up(shop)
    await merged(shop, daughter.actor.subject, mother.actor.subject)
    kept, order = await place(mother, store, (item, 1)), await place(mother, store, (item, 2))
    staff, phone = await shop.staff("admin"), fresh_phone()
    number, code = await make_ready(staff, store, order), await pickup_code(mother, order)
    done = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(2 * item.price)]})
    assert done.status_code == 200, done.text
    line = {"n": 1, "quantity": 1, "ground": "defect", "condition": "defective"}
    back = {"order": order["number"], "lines": [line], "refund": {"tender": "cash"}}
    returned = (await staff.post(f"/v1/stores/{store.code}/returns", back)).json()
    home = (await mother.post("/v1/me/addresses", {"city": "Тверь", "street": "Советская"})).json()
    where = f"/v1/customers/{mother.actor.subject}/identifiers"
    held = (await staff.post(where, {"kind": "phone", "value": phone})).json()["identifiers"]
    (claim,) = [one["id"] for one in held if one["value"] == phone]
    talk = await talked(shop, staff, mother.actor.subject, "Ждёт звонка")
    (talk_id,) = await rows(shop, "SELECT id FROM conversations.conversations WHERE number = :n", n=talk["number"])
    await parted(shop, daughter.actor.subject)
    mother, daughter = await again(shop, mother, daughter)
    named = {"orders": [order["number"]], "addresses": [home["id"]], "identifiers": [claim]}
    named["conversations"] = [str(talk_id["id"])]
    answer = await moved(shop, mother, daughter, **named)
    assert answer.status_code == 200, answer.text
    who = {"customer": str(mother.actor.subject), "to": str(daughter.actor.subject)}
    assert answer.json() == {**who, **named, "returns": []}
    assert [one["street"] for one in (await daughter.get("/v1/me/addresses")).json()["items"]] == ["Советская"]
    assert (await mother.get(f"/v1/orders/{order['number']}")).status_code == 404
    assert (await daughter.get(f"/v1/orders/{order['number']}")).json()["state"] == "completed"
    assert (await daughter.get(f"/v1/returns/{returned['number']}")).status_code == 200
    timeline = (await daughter.get(f"/v1/orders/{order['number']}/timeline")).json()["entries"]
    (entry,) = [one for one in timeline if one["what"] == "reassigned"]
    assert entry["data"] == {"from": str(mother.actor.subject), "to": str(daughter.actor.subject)}
    (event,) = await rows(
        shop,
        """
        SELECT payload, actor FROM infra.outbox WHERE type = 'order.reassigned' AND payload ->> 'number' = :number
        """,
        number=order["number"],
    )
    assert event["payload"]["customer_id"] == str(daughter.actor.subject)
    assert event["actor"]["reason"] == "merged_in_error"
    (record,) = await records(shop, "customer.records_moved", mother.actor.subject)
    assert record.after["customer"] == str(daughter.actor.subject)
    told_of = await rows(shop, "SELECT person_id FROM conversations.conversations WHERE number = :n", n=talk["number"])
    assert told_of == [{"person_id": daughter.actor.subject}]
    assert (await mother.get(f"/v1/orders/{kept['number']}")).status_code == 200


async def test_addresses_and_identifiers_are_moved_one_by_one(shop: Shop, audited: None) -> None:
    one, other, staff, phone = await signed_up(shop), await signed_up(shop), await shop.staff("admin"), fresh_phone()
    home = (await one.post("/v1/me/addresses", {"city": "Тверь", "street": "Советская"})).json()
    work = (await one.post("/v1/me/addresses", {"city": "Тверь", "street": "Новая"})).json()
    await other.post("/v1/me/addresses", {"city": "Тверь", "street": "Своя"})
    ids = []
    for who in (one, other):
        where = f"/v1/customers/{who.actor.subject}/identifiers"
        held = (await staff.post(where, {"kind": "phone", "value": phone})).json()["identifiers"]
        ids.append(next(held_one["id"] for held_one in held if held_one["value"] == phone))
    answer = await moved(shop, one, other, addresses=[home["id"]], identifiers=[ids[0]])
    assert answer.status_code == 200, answer.text
    assert (answer.json()["addresses"], answer.json()["identifiers"]) == ([home["id"]], [ids[0]])
    left, got = [(await who.get("/v1/me/addresses")).json()["items"] for who in (one, other)]
    assert [(item["street"], item["is_default"]) for item in left] == [("Новая", False)]
    assert [(item["street"], item["is_default"]) for item in got] == [("Своя", True), ("Советская", False)]
    for who, there in ((one, []), (other, [ids[1]])):
        found = (await who.get("/v1/me/identifiers")).json()["items"]
        assert [item["id"] for item in found if item["value"] == phone] == there
    assert work["id"] == left[0]["id"]


async def test_all_of_them_or_none(shop: Shop, audited: None) -> None:
    store, item = await world(shop)
    one, other, stranger = await signed_up(shop), await signed_up(shop), await signed_up(shop)
    home = (await one.post("/v1/me/addresses", {"city": "Тверь", "street": "Советская"})).json()
    foreign = (await stranger.post("/v1/me/addresses", {"city": "Тверь", "street": "Чужая"})).json()
    order, others = await place(one, store, (item, 1)), await place(stranger, store, (item, 1))
    (mail,) = (await one.get("/v1/me/identifiers")).json()["items"]
    refusals: list[tuple[dict[str, Any], tuple[int, str]]] = [
        ({"addresses": [home["id"], foreign["id"]], "orders": [order["number"]]}, (409, "not-of-customer")),
        ({"addresses": [home["id"]], "orders": [order["number"], others["number"]]}, (404, "unknown-order")),
        ({"identifiers": [mail["id"]]}, (409, "last-contact")),
        ({}, (422, "nothing-named")),
        ({"orders": [order["number"]], "to": str(one.actor.subject)}, (422, "same-customer")),
        ({"orders": [order["number"]], "to": "00000000-0000-7000-8000-000000000000"}, (404, "unknown-customer")),
    ]
    for named, refusal in refusals:
        answer = await moved(shop, one, other, **named)
        assert problem(answer) == refusal, named
    assert [item["id"] for item in (await one.get("/v1/me/addresses")).json()["items"]] == [home["id"]]
    assert (await one.get(f"/v1/orders/{order['number']}")).json()["version"] == order["version"]
    assert (await other.get("/v1/me/addresses")).json()["items"] == []
    assert (await one.get("/v1/me/identifiers")).json()["items"] == [mail]
    manager = await shop.staff("call_center", store.code)
    where = f"/v1/customers/{one.actor.subject}/records"
    body = {"to": str(other.actor.subject), "reason": "other", "orders": [order["number"]]}
    assert problem(await manager.post(where, body)) == (403, "not-allowed")


@pytest.mark.parametrize("named_all", [False, True])
async def test_what_several_profiles_of_one_say_of_themselves_is_moved_for_all_of_them(
    shop: Shop, audited: None, named_all: bool
) -> None:
    one, other, phone = await signed_up(shop), await signed_up(shop), fresh_phone()
    for guest in [await shop.shopper() for _ in range(2)]:
        await shop.db.write(customers.note_guest, shop.system, person=guest.actor.subject, phone=phone)
        await merged(shop, guest.actor.subject, one.actor.subject)
    said = "SELECT id, profile_id FROM customers.identifiers WHERE value = :phone ORDER BY id"
    claims = [str(row["id"]) for row in await rows(shop, said, phone=phone)]
    (shown,) = [item["id"] for item in (await one.get("/v1/me/identifiers")).json()["items"] if item["value"] == phone]
    named = claims if named_all else [shown]
    answer = await moved(shop, one, other, identifiers=named)
    assert (answer.status_code, answer.json().get("identifiers")) == (200, named), answer.text
    (left,) = await rows(shop, said, phone=phone)
    assert (str(left["id"]), left["profile_id"]) == (shown, other.actor.subject)
