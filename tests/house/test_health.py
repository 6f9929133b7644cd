"""The system's own addresses."""

from __future__ import annotations

from commerce import parts
from commerce.infra import outbox
from tests.support import Shop


async def test_ready_names_each_dependency(shop: Shop) -> None:
    await outbox.drain(
        shop.db, parts.subscribers()
    )  # nobody relays here: what other tests left waiting would count as a lag
    answer = await shop.anybody().get("/health/ready")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["status"] == "ok"
    assert (body["database"], body["valkey"], body["migrations"]) == (True, True, True)


async def test_unknown_address_and_method_are_problem_documents(shop: Shop) -> None:
    answer = await shop.anybody().get("/v1/nothing", headers={"accept-language": "ru"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/unknown-address"
    assert answer.json()["title"] == "Нет такого адреса"
    answer = await shop.anybody().post("/health/live")
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
