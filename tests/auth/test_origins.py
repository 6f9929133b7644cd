"""Which pages may call: each client's own origins, in preflights, answers and refusals."""

from __future__ import annotations

import httpx

from tests.auth.support import refused
from tests.support import Client, Shop, unique

CATEGORIES = "/v1/catalog/categories"


def site() -> str:
    return f"https://{unique('shop')}.example"


async def preflight(shop: Shop, origin: str, path: str = CATEGORIES) -> httpx.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "if-match"}
    return await shop.http.request("OPTIONS", path, headers=headers)


async def test_a_preflight_is_let_through_for_origins_that_some_client_lists(shop: Shop) -> None:
    ours = site()
    await shop.client(origins=[ours])
    for path in (CATEGORIES, "/v1/carts/current/lines/SKU", "/v1/auth/anonymous"):
        answer = await preflight(shop, ours, path)
        assert answer.status_code == 204, answer.text
        assert answer.content == b""
        assert answer.headers["access-control-allow-origin"] == ours
        assert "PUT" in answer.headers["access-control-allow-methods"]
        assert {"authorization", "idempotency-key", "if-match"} <= set(
            answer.headers["access-control-allow-headers"].lower().split(", ")
        )
        assert {"approval-badge", "approval-login", "approval-pin"} <= set(
            answer.headers["access-control-allow-headers"].lower().split(", ")
        ), "a till in a browser asks for approval, too"
        assert answer.headers["access-control-max-age"] == "600"
        assert "Origin" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers
        assert answer.headers.get_list("access-control-allow-origin") == [ours]
    for origin in (site(), "null", "*", ours + ".evil.example", ours.upper()):
        answer = await preflight(shop, origin)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/origin-not-allowed")
        assert answer.json()["origin"] == origin
        assert "access-control-allow-origin" not in answer.headers
    plain = await shop.http.request("OPTIONS", CATEGORIES, headers={"Origin": ours})
    assert "access-control-allow-methods" not in plain.headers


async def test_a_page_calls_with_the_key_of_its_own_client_alone(shop: Shop) -> None:
    ours, theirs = site(), site()
    mine, other, native = await shop.client(origins=[ours]), await shop.client(origins=[theirs]), await shop.client()
    answer = await mine.get(CATEGORIES, headers={"Origin": ours})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ours
    assert answer.headers["vary"] == "Origin"
    exposed = answer.headers["access-control-expose-headers"]
    for name in ("ETag", "X-Request-Id", "Retry-After", "RateLimit-Remaining", "Location"):
        assert name in exposed
    for caller, origin in ((mine, theirs), (other, ours), (native, ours), (mine, site())):
        answer = await caller.get(CATEGORIES, headers={"Origin": origin})
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/origin-not-allowed")
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["vary"] == "Origin"
    assert (await native.get(CATEGORIES)).status_code == 200
    assert (await mine.get(CATEGORIES)).headers.get("vary") is None


async def test_shoppers_tokens_are_held_to_the_client_they_came_through(shop: Shop) -> None:
    ours, theirs = site(), site()
    mine = await shop.client(origins=[ours])
    await shop.client(origins=[theirs])
    body = (await mine.post("/v1/auth/anonymous", {}, headers={"Origin": ours})).json()
    shopper = Client(shop.http, body["access_token"])
    answer = await shopper.get("/v1/auth/sessions", headers={"Origin": ours})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, ours)
    answer = await shopper.get("/v1/auth/sessions", headers={"Origin": theirs})
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/origin-not-allowed")
    answer = await shopper.post("/v1/auth/sign-out", headers={"Origin": theirs})
    assert answer.status_code == 403
    assert (await shopper.get("/v1/auth/sessions")).status_code == 200


async def test_a_kiosks_page_may_come_from_any_listed_origin(shop: Shop) -> None:
    ours, store = site(), await shop.store()
    await shop.client(origins=[ours])
    kiosk = await shop.device("kiosk", store.code)
    assert (await kiosk.get(CATEGORIES, headers={"Origin": ours})).headers["access-control-allow-origin"] == ours
    answer = await kiosk.get(CATEGORIES, headers={"Origin": site()})
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/origin-not-allowed")


async def test_refusals_can_be_read_by_the_page(shop: Shop) -> None:
    ours = site()
    mine = await shop.client(origins=[ours])
    for caller, path, status in (
        (mine, "/v1/events", 403),
        (mine, "/v1/catalog/variants/NO-SUCH-SKU", 404),
        (mine, "/v1/no/such/address", 404),
        (Client(shop.http, "pk_" + "x" * 32), CATEGORIES, 401),
        (shop.anybody(), CATEGORIES, 401),
    ):
        answer = await caller.get(path, headers={"Origin": ours})
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["access-control-allow-origin"] == ours, path


async def test_a_secret_key_is_refused_in_a_browser(shop: Shop) -> None:
    ours = site()
    await shop.client(origins=[ours])
    server = await shop.server({"events.read": ["*"]})
    assert (await server.get("/v1/events")).status_code == 200
    for origin in (ours, site(), "null"):
        answer = await server.get("/v1/events", headers={"Origin": origin})
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/secret-key-in-browser")


async def test_health_and_documentation_are_not_concerned(shop: Shop) -> None:
    for path in ("/health/live", "/schema/openapi.json", "/docs"):
        assert (await shop.anybody().get(path, headers={"Origin": site()})).status_code == 200


async def test_our_own_page_may_call(shop: Shop) -> None:
    """The documentation's «Try it out» sends an Origin: its own."""
    host = str(shop.http.base_url)
    native = await shop.client()
    answer = await native.get(CATEGORIES, headers={"Origin": host})
    assert answer.status_code == 200
    assert (await native.get(CATEGORIES, headers={"Origin": host + ".example"})).status_code == 403


async def test_origins_are_changed_and_end_with_the_client(shop: Shop) -> None:
    ours, next_one, admin = site(), site(), await shop.staff("admin")
    code = unique("client")
    command = {"code": code, "channel": "site", "name": "S", "origins": [ours]}
    answer = await admin.post("/v1/clients", command)
    assert answer.status_code == 201, answer.text
    client = Client(shop.http, answer.json()["key"])
    assert (await client.get(CATEGORIES, headers={"Origin": ours})).status_code == 200
    answer = await admin.patch(f"/v1/clients/{code}", {"origins": [next_one]})
    assert answer.json()["origins"] == [next_one]
    assert (await preflight(shop, next_one)).status_code == 204
    assert (await preflight(shop, ours)).status_code == 403
    assert (await client.get(CATEGORIES, headers={"Origin": ours})).status_code == 403
    assert (await client.get(CATEGORIES, headers={"Origin": next_one})).status_code == 200
    for origin in ("https://shop.example/", "*", "null", "shop.example", "https://Shop.example"):
        answer = await admin.post("/v1/clients", command | {"code": unique("client"), "origins": [origin]})
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-input"), origin
    assert (await admin.post(f"/v1/clients/{code}/revoke")).status_code == 200
    await refused(client, path=CATEGORIES)
    assert (await preflight(shop, next_one)).status_code == 403
