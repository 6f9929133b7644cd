"""What a person allows, per channel and purpose, and what he said before."""

from __future__ import annotations

import asyncio
from typing import Any

from commerce import customers
from tests.people.story import customer, merged, problem, records, rows, signed_up
from tests.support import Shop

MAIL = {"channel": "email", "purpose": "marketing", "granted": True, "text_version": "2026-11"}
CALL = {"channel": "phone", "purpose": "service", "granted": True, "text_version": "2026-11"}


def said(view: dict[str, Any], part: str = "items") -> list[tuple[str, str, bool, str]]:
    return [(one["channel"], one["purpose"], one["granted"], one["text_version"]) for one in view[part]]


async def test_what_is_given_and_taken_back_is_all_kept(shop: Shop, audited: None) -> None:
    me = await signed_up(shop)
    assert (await me.get("/v1/me/consents")).json() == {"items": [], "history": []}
    given = await me.put("/v1/me/consents", {"items": [MAIL, CALL]})
    assert given.status_code == 200, given.text
    assert said(given.json()) == [("email", "marketing", True, "2026-11"), ("phone", "service", True, "2026-11")]
    assert {one["source"] for one in given.json()["items"]} == {"site"}
    assert {one["actor"] for one in given.json()["items"]} == {str(me.actor.subject)}
    assert (await me.get("/v1/me/consents")).json() == given.json()
    again = await me.put("/v1/me/consents", {"items": [MAIL]})
    assert again.json() == given.json()
    taken = (await me.put("/v1/me/consents", {"items": [MAIL | {"granted": False}]})).json()
    assert said(taken) == [("email", "marketing", False, "2026-11"), ("phone", "service", True, "2026-11")]
    assert said(taken, "history")[0] == ("email", "marketing", False, "2026-11")
    assert len(taken["history"]) == 3
    assert (await me.get("/v1/me/consents")).json() == taken
    events = await rows(
        shop,
        "SELECT version, payload FROM infra.outbox WHERE aggregate_id = :id AND type = 'customer.consent_changed' ORDER BY version",
        id=me.actor.subject,
    )
    assert [(event["version"], event["payload"]) for event in events] == [
        (2, {"changes": [{"channel": c["channel"], "purpose": c["purpose"], "granted": True} for c in (MAIL, CALL)]}),
        (3, {"changes": [{"channel": "email", "purpose": "marketing", "granted": False}]}),
    ]


async def test_a_new_text_is_consented_to_anew(shop: Shop, audited: None) -> None:
    me = await signed_up(shop)
    await me.put("/v1/me/consents", {"items": [MAIL]})
    view = (await me.put("/v1/me/consents", {"items": [MAIL | {"text_version": "2027-01"}]})).json()
    assert said(view) == [("email", "marketing", True, "2027-01")]
    assert len(view["history"]) == 2


async def test_named_twice_is_refused_and_nothing_is_said(shop: Shop) -> None:
    me = await signed_up(shop)
    refused = await me.put("/v1/me/consents", {"items": [MAIL, MAIL | {"granted": False}]})
    assert problem(refused) == (422, "repeated-consent")
    assert (refused.json()["channel"], refused.json()["purpose"]) == ("email", "marketing")
    assert problem(await me.put("/v1/me/consents", {"items": []})) == (400, "bad-input")
    assert (await me.get("/v1/me/consents")).json() == {"items": [], "history": []}


async def test_staff_record_a_consent_given_in_a_store(shop: Shop, audited: None) -> None:
    known, store = await customer(shop), await shop.store()
    associate = await shop.staff("associate", store.code)
    where = f"/v1/customers/{known}/consents"
    view = (await associate.put(where, {"items": [CALL]})).json()
    assert [(one["source"], one["actor"]) for one in view["items"]] == [("till", str(associate.actor.subject))]
    (record,) = await records(shop, "customer.consents", known)
    assert (record.subject, record.after) == (associate.actor.subject, {"consents": ["phone:service:yes"]})
    assert (await associate.get(where)).json() == view
    assert problem(await (await shop.staff("back_office")).put(where, {"items": [CALL]})) == (403, "not-allowed")


async def test_who_may_be_written_to_is_asked_for_many_and_follows_merges(shop: Shop, audited: None) -> None:
    yes, no, silent, loser, winner = [await signed_up(shop) for _ in range(5)]
    for one in (yes, no, loser):
        await one.put("/v1/me/consents", {"items": [MAIL]})
    await no.put("/v1/me/consents", {"items": [MAIL | {"granted": False}]})
    await merged(shop, loser.actor.subject, winner.actor.subject)
    people = [one.actor.subject for one in (yes, no, silent, loser, winner)]
    asked = {"channel": "email", "purpose": "marketing"}

    found = await shop.db.read(customers.consented, people, channel="email", purpose="marketing")
    assert found == {yes.actor.subject, loser.actor.subject, winner.actor.subject}, asked
    await winner.put("/v1/me/consents", {"items": [MAIL | {"granted": False}]})
    assert await shop.db.read(customers.consented, people, channel="email", purpose="marketing") == {yes.actor.subject}
    assert await shop.db.read(customers.consented, people, channel="sms", purpose="marketing") == set()


async def test_said_at_once_on_two_screens_each_is_kept(shop: Shop, audited: None) -> None:
    me = await signed_up(shop)
    answers = await asyncio.gather(
        *(me.put("/v1/me/consents", {"items": [MAIL | {"granted": n % 2 == 0}]}) for n in range(6))
    )
    assert {answer.status_code for answer in answers} == {200}
    kept = (await me.get("/v1/me/consents")).json()
    (version,) = await rows(shop, "SELECT version FROM customers.profiles WHERE id = :id", id=me.actor.subject)
    assert len(kept["history"]) == version["version"] - 1
