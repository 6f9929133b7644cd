"""Teams and sources: a channel and a location have one team each; a code of a source is never used again."""

from __future__ import annotations

import pytest

from tests.conversations.talk import refusal, team, told
from tests.support import Shop, unique

pytestmark = pytest.mark.usefixtures("audited")


async def test_a_team_is_made_and_changed(shop: Shop) -> None:
    office, store, code = await shop.staff("back_office", channel="back_office"), await shop.store(), unique("team")
    body = {"name": {"ru": "Тверская"}, "first_answer_minutes": 20, "location": store.code, "channels": ["social"]}
    made = (await office.put(f"/v1/conversation-teams/{code}", body)).json()
    assert made == body | {"code": code, "version": 1}
    refused = await office.put(f"/v1/conversation-teams/{unique('team')}", body | {"location": None})
    assert refusal(refused) == (409, "channel-has-team")
    refused = await office.put(f"/v1/conversation-teams/{unique('team')}", body | {"channels": []})
    assert refusal(refused) == (409, "location-has-team")
    changed = await office.put(f"/v1/conversation-teams/{code}", body | {"channels": []}, headers={"If-Match": '"1"'})
    assert (changed.json()["channels"], changed.json()["version"]) == ([], 2)
    stale = await office.put(f"/v1/conversation-teams/{code}", body, headers={"If-Match": '"1"'})
    assert refusal(stale) == (412, "stale-team")
    clerk = await shop.staff("associate", store.code)
    found = (await clerk.get("/v1/conversation-teams?limit=200")).json()["items"]
    assert next(one for one in found if one["code"] == code) == changed.json()
    assert next(one for one in found if one["code"] == "general")["first_answer_minutes"] == 60


async def test_a_channels_team_takes_what_comes_by_it(shop: Shop) -> None:
    code = await team(shop, minutes=5, channels=["form"])
    shopper, staff = await shop.shopper(), await shop.staff("call_center")
    body = {"kind": "form", "text": "?", "email": "anna@example.com"}
    number = (await told(shopper, "/v1/inquiries", body, 201))["number"]
    assert (await staff.get(f"/v1/conversations/{number}")).json()["team"] == code
    office = await shop.staff("back_office", channel="back_office")
    free = {"name": {"ru": "Команда"}, "first_answer_minutes": 5, "channels": []}
    assert (await office.put(f"/v1/conversation-teams/{code}", free)).status_code == 200


async def test_sources_are_listed_without_their_secret_and_revoked_for_good(shop: Shop) -> None:
    office, code = await shop.staff("back_office", channel="back_office"), unique("source")
    body = {"code": code, "channel": "email"}
    await told(office, "/v1/message-sources", body, 201)
    assert refusal(await office.post("/v1/message-sources", body)) == (409, "message-source-taken")
    assert refusal(await office.post("/v1/message-sources", body | {"code": unique("s"), "team": "none"})) == (
        404,
        "unknown-team",
    )
    revoked = await told(office, f"/v1/message-sources/{code}/revoke")
    assert revoked["revoked_at"] is not None
    assert refusal(await office.post(f"/v1/message-sources/{code}/rotate")) == (409, "message-source-revoked")
    assert refusal(await office.post("/v1/message-sources/nothing/rotate")) == (404, "unknown-message-source")
    assert refusal(await office.post("/v1/message-sources", body)) == (409, "message-source-taken")
    listed = (await office.get("/v1/message-sources?limit=200")).json()["items"]
    assert next(one for one in listed if one["code"] == code) == revoked
    assert "secret" not in revoked


async def test_the_desk_is_the_back_offices(shop: Shop) -> None:
    store = await shop.store()
    for who in (
        await shop.staff("call_center"),
        await shop.staff("back_office", store.code),
        await shop.staff("store_manager"),
    ):
        assert refusal(await who.post("/v1/message-sources", {"code": unique("s"), "channel": "email"})) == (
            403,
            "not-allowed",
        )
