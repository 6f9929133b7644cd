"""Delivered messages: signatures, secrets and their overlap, once each; whose they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from commerce.conversations import signatures
from commerce.conversations.tasks import forget_webhooks
from commerce.customers import tables
from commerce.infra.db import Tx
from commerce.kernel.ids import uuid7
from tests.conversations.talk import customer, deliver, events_of, phone, refusal, secret, seen, source, team, told
from tests.support import Client, Shop, clock, unique

pytestmark = pytest.mark.usefixtures("audited")


async def written(shop: Shop) -> tuple[int, ...]:
    """How much there is of everything that a message writes."""

    async def work(tx: Tx) -> tuple[int, ...]:
        row = await tx.one(
            """
            SELECT (SELECT count(*) FROM conversations.conversations) AS a, (SELECT count(*) FROM conversations.entries) AS b,
                (SELECT count(*) FROM conversations.received) AS c, (SELECT count(*) FROM infra.outbox) AS d
            """
        )
        return tuple(row.values())

    return await shop.db.read(work)


def test_the_signature_is_the_standards() -> None:
    """The example of the Standard Webhooks libraries."""
    signed = signatures.sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp="1614265330",
        body=b'{"test": 2432232314}',
    )  # fmt: skip
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_message_opens_a_conversation_and_the_next_one_continues_it(shop: Shop) -> None:
    desk = await team(shop)
    code, handle = await source(shop, desk), unique("tg")
    answer = await deliver(shop, code, handle, "Когда придёт заказ?", name="Анна")
    assert answer.status_code == 202, answer.text
    number = answer.json()["number"]
    assert answer.json() == {"number": number, "duplicate": False}
    assert (await deliver(shop, code, handle, "Ау?")).json()["number"] == number
    found = await seen(await shop.staff("call_center"), number)
    assert (found["channel"], found["origin"], found["team"], found["source"], found["handle"], found["customer"]) == (
        "messenger", "message", desk, code, handle, None,
    )  # fmt: skip
    assert [(e["kind"], e["by"], e["text"]) for e in found["entries"]] == [
        ("message_in", "customer", "Когда придёт заказ?"), ("message_in", "customer", "Ау?"),
    ]  # fmt: skip
    assert await events_of(shop, number) == ["opened", "continued"]


async def test_a_replay_does_nothing_twice(shop: Shop) -> None:
    code, handle, webhook, message = await source(shop, None), unique("tg"), unique("msg"), unique("m")
    first = await deliver(shop, code, handle, webhook_id=webhook, message_id=message)
    before = await written(shop)
    number = first.json()["number"]
    again = await deliver(shop, code, handle, webhook_id=webhook, message_id=message)
    other_delivery = await deliver(shop, code, handle, message_id=message)
    other_message = await deliver(shop, code, handle, webhook_id=webhook)
    for answer in (again, other_delivery, other_message):
        assert (answer.status_code, answer.json()) == (202, {"number": number, "duplicate": True})
    assert await written(shop) == before


@pytest.mark.parametrize("spoiled", ["secret", "scheme", "none", "old", "early", "words", "body", "source", "revoked"])
async def test_a_wrong_signature_writes_nothing(shop: Shop, spoiled: str) -> None:
    code, other = await source(shop, None), await source(shop, None)
    more: dict[str, Any] = {}
    target = code
    match spoiled:
        case "secret":
            more["signed_with"] = secret(shop, other)
        case "scheme":
            more["signature"] = "v1a,AAAA v2,AAAA nonsense"
        case "none":
            more["signature"] = ""
        case "old":
            more["timestamp"] = int(clock().timestamp()) - 301
        case "early":
            more["timestamp"] = int(clock().timestamp()) + 303
        case "words":
            more["signature"] = "v1,не-base64"
        case "body":
            stamp = str(int(clock().timestamp()))
            more["signature"] = signatures.sign(secret(shop, code), webhook_id="msg", timestamp=stamp, body=b"{}")
        case "source":
            target, more["signed_with"] = "nobody", secret(shop, "nobody")
        case "revoked":
            office = await shop.staff("back_office", channel="back_office")
            await told(office, f"/v1/message-sources/{code}/revoke")
    if spoiled == "words":
        more["signature"] = "v1,!!!"
    before = await written(shop)
    answer = await deliver(shop, target, unique("tg"), **more)
    assert refusal(answer) == (401, "wrong-webhook-signature")
    assert await written(shop) == before


async def test_one_of_several_signatures_is_enough(shop: Shop) -> None:
    code = await source(shop, None)
    stamp, webhook = str(int(clock().timestamp())), unique("msg")
    body = msgspec.json.encode(
        {"message_id": unique("m"), "from": {"handle": "x"}, "text": "?", "occurred_at": clock().isoformat()}
    )
    right = signatures.sign(secret(shop, code), webhook_id=webhook, timestamp=stamp, body=body)
    answer = await deliver(
        shop, code, "x", body=body, webhook_id=webhook, timestamp=int(stamp), signature=f"v1,AAAA {right}"
    )
    assert answer.status_code == 202, answer.text


async def test_a_new_secret_and_the_old_one_for_a_day(shop: Shop) -> None:
    office = await shop.staff("back_office", channel="back_office")
    code, key = unique("source"), unique("key-of-source")
    made = await told(office, "/v1/message-sources", {"code": code, "channel": "messenger"}, 201, key=key)
    assert made["secret"] == secret(shop, code)
    assert await told(office, "/v1/message-sources", {"code": code, "channel": "messenger"}, 201, key=key) == made
    next_one = await told(office, f"/v1/message-sources/{code}/rotate")
    assert next_one["secret"] == secret(shop, code, 2) != made["secret"]
    assert next_one["secret_version"] == 2

    async def status(signed_with: str) -> int:
        return (await deliver(shop, code, unique("tg"), signed_with=signed_with)).status_code

    assert [await status(made["secret"]), await status(next_one["secret"])] == [202, 202]
    clock.travel(timedelta(hours=23, minutes=59))
    assert await status(made["secret"]) == 202
    clock.travel(timedelta(minutes=2))
    assert [await status(made["secret"]), await status(next_one["secret"])] == [401, 202]

    async def stored(tx: Tx) -> int:
        found: int = await tx.scalar(
            "SELECT count(*) FROM infra.idempotency_keys WHERE answer LIKE '%whsec\\_%' AND key = :key", key=key
        )
        return found

    assert await shop.db.read(stored) == 0


async def test_a_verified_phone_tells_who_called(shop: Shop) -> None:
    code = await source(shop, await team(shop), "phone")
    known, number = await customer(shop)
    _, claimed = await customer(shop, verified=False)
    staff = await shop.staff("call_center")
    missed = await deliver(shop, code, number, None, kind="missed_call")
    found = await seen(staff, missed.json()["number"])
    assert (found["customer"], found["origin"], found["channel"]) == (str(known.actor.subject), "missed_call", "phone")
    other = await deliver(shop, code, claimed, None, kind="missed_call")
    assert (await seen(staff, other.json()["number"]))["customer"] is None


@pytest.mark.parametrize("channel", ["messenger", "social", "chat"])
async def test_a_handle_that_looks_like_a_phone_or_an_address_is_nobody(shop: Shop, channel: str) -> None:
    """Who writes under it has chosen it; only the phone that the messenger itself vouches for tells who he is."""
    known, number = await customer(shop)
    mail = f"{unique('anna')}@example.com"
    await proven(shop, known, mail)
    desk, staff = await team(shop), await shop.staff("call_center")
    code, exchange = await source(shop, desk, channel), await source(shop, desk, "phone")
    missed = (await deliver(shop, exchange, number, None, kind="missed_call")).json()["number"]
    numbers = [(await deliver(shop, code, handle)).json()["number"] for handle in (number, mail)]
    for one, handle in zip(numbers, (number, mail), strict=True):
        found = await seen(staff, one)
        assert (found["customer"], found["handle"], found["state"]) == (None, handle, "open")
    assert (await seen(staff, missed))["related"] == []
    assert [one["number"] for one in (await known.get("/v1/me/conversations")).json()["items"]] == [missed]
    told_so = await deliver(shop, code, unique("tg"), verified_phone=number)
    assert (await seen(staff, told_so.json()["number"]))["customer"] == str(known.actor.subject)
    unlike = await deliver(shop, code, unique("tg"), verified_phone="нет номера")
    assert (await seen(staff, unlike.json()["number"]))["customer"] is None


async def proven(shop: Shop, who: Client, mail: str) -> None:
    """The customer has proven that the address is his."""

    async def work(tx: Tx) -> None:
        tx.queue(
            tables.identifiers, id=uuid7(), profile_id=who.actor.subject, kind="email", value=mail, verified_at=tx.at,
            created_at=tx.at,
        )  # fmt: skip

    await shop.db.write(work)


async def test_a_source_of_mail_vouches_for_its_addresses_and_not_for_phones(shop: Shop) -> None:
    (known, number), mail = await customer(shop), f"{unique('anna')}@example.com"
    await proven(shop, known, mail)
    code, staff = await source(shop, await team(shop), "email"), await shop.staff("call_center")
    for handle, whose in ((mail.upper(), str(known.actor.subject)), (number, None)):
        answer = await deliver(shop, code, handle)
        assert (await seen(staff, answer.json()["number"]))["customer"] == whose


@pytest.mark.parametrize(
    "handle",
    ["anonymous", "sip:anonymous@anonymous.invalid", "Скрытый номер", "+266696687", "0000000000", "Restricted"],
)
async def test_calls_that_hide_their_number_are_not_one_callers(shop: Shop, handle: str) -> None:
    code, staff, message = await source(shop, await team(shop), "phone"), await shop.staff("call_center"), unique("m")
    first = (await deliver(shop, code, handle, None, kind="missed_call", message_id=message)).json()["number"]
    again = (await deliver(shop, code, handle, None, kind="missed_call", message_id=message)).json()
    second = (await deliver(shop, code, handle, None, kind="missed_call")).json()["number"]
    assert (again, first != second) == ({"number": first, "duplicate": True}, True)
    known, _ = await customer(shop)
    await told(staff, f"/v1/conversations/{first}/link", {"customer": str(known.actor.subject)})
    third = (await deliver(shop, code, handle, None, kind="missed_call")).json()["number"]
    assert len({first, second, third}) == 3
    assert (await seen(staff, third))["customer"] is None
    assert (await seen(staff, second))["related"] == []
    noted = {"channel": "phone", "summary": "Звонил, номер скрыт", "handle": handle, "answered": False}
    logged = [(await told(staff, "/v1/conversations", noted, 201))["number"] for _ in range(2)]
    assert len({first, second, third, *logged}) == 5


async def test_a_missed_call_and_a_call_back_of_one_person_are_one(shop: Shop) -> None:
    desk = await team(shop)
    code = await source(shop, desk, "phone")
    shopper, number = await customer(shop)
    staff = await shop.staff("call_center")
    first = (await told(shopper, "/v1/inquiries", {"kind": "call_back"}, 201))["number"]
    assert (await deliver(shop, code, number, None, kind="missed_call")).json()["number"] == first
    assert [e["kind"] for e in (await seen(staff, first))["entries"]] == ["call_back", "missed_call"]


async def test_nobody_hears_another_by_typing_his_phone(shop: Shop) -> None:
    code, number = await source(shop, None, "phone"), phone()
    stranger = await shop.shopper()
    asked = await told(stranger, "/v1/inquiries", {"kind": "call_back", "phone": number}, 201)
    called = await deliver(shop, code, number, "Голосовая почта: это Анна", kind="missed_call")
    assert called.json()["number"] != asked["number"]
    mine = (await stranger.get("/v1/me/conversations")).json()["items"]
    assert [m["kind"] for one in mine for m in one["messages"]] == ["call_back"]


async def test_what_staff_linked_a_handle_to_is_remembered(shop: Shop) -> None:
    code, handle = await source(shop, await team(shop)), unique("tg")
    known, _ = await customer(shop)
    staff = await shop.staff("call_center")
    first = (await deliver(shop, code, handle)).json()["number"]
    linked = await told(staff, f"/v1/conversations/{first}/link", {"customer": str(known.actor.subject)})
    assert linked["customer"] == str(known.actor.subject)
    await told(staff, f"/v1/conversations/{first}/close", {"outcome": "resolved"})
    second = (await deliver(shop, code, handle)).json()["number"]
    assert second != first
    assert (await seen(staff, second))["customer"] == str(known.actor.subject)
    mine = (await known.get("/v1/me/conversations")).json()["items"]
    assert [one["number"] for one in mine] == [second, first]


async def test_a_message_needs_words_and_a_sensible_moment(shop: Shop) -> None:
    code = await source(shop, None)
    before = await written(shop)
    assert refusal(await deliver(shop, code, "x", None)) == (422, "text-needed")
    late = clock() - timedelta(days=31)
    assert refusal(await deliver(shop, code, "x", occurred_at=late)) == (422, "wrong-moment")
    assert (await deliver(shop, code, "x", body=b'{"message_id": 1}')).status_code == 400
    assert await written(shop) == before


async def test_a_message_goes_on_where_it_was_given_to(shop: Shop) -> None:
    """The customer does not know that another team has it now."""
    store = await shop.store()
    code, shop_team, handle = await source(shop, await team(shop)), await team(shop, store), unique("tg")
    staff = await shop.staff("call_center")
    number = (await deliver(shop, code, handle)).json()["number"]
    await told(staff, f"/v1/conversations/{number}/assign", {"team": shop_team})
    assert (await deliver(shop, code, handle)).json()["number"] == number


async def test_ids_of_webhooks_are_forgotten_and_messages_still_taken_once(shop: Shop) -> None:
    code, handle, message = await source(shop, None), unique("tg"), unique("m")
    number = (await deliver(shop, code, handle, message_id=message)).json()["number"]
    clock.travel(timedelta(days=8))
    await forget_webhooks(shop.db)

    async def kept(tx: Tx) -> int:
        found: int = await tx.scalar(
            "SELECT count(*) FROM conversations.received r JOIN conversations.sources s ON s.id = r.source_id WHERE s.code = :code",
            code=code,
        )
        return found

    assert await shop.db.read(kept) == 0
    assert (await deliver(shop, code, handle, message_id=message)).json() == {"number": number, "duplicate": True}
