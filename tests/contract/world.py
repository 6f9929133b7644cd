"""A shop in which every kind of thing exists, and the ways that lead to each success.

`World` is built through HTTP against the server under test. For a generated case it knows things that exist (a SKU, an order, a
receipt, a session …) and, for operations that need a state (a cart to order, a pickup that is ready), how to bring it about.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
from requests.structures import CaseInsensitiveDict
from schemathesis.transport.requests import ManagedCookiesSession

from commerce import counts
from commerce.conversations import signatures
from commerce.kernel.ids import uuid7
from tests.support import Item, Shop, Store, unique

PASSWORD = "klyukva-vesna-17"
CONTACT = {"name": "Анна Иванова", "phone": "+79000000101"}
PRICE = 10_000
SEEN = ("/v1/carts/", "/v1/lists/")
"""What is changed only by who says which state he saw: any, here."""


class Ground(msgspec.Struct, frozen=True):
    """What exists before the server starts: the first credentials, stores and goods."""

    client: str
    admin: str
    store: Store
    spare_store: Store
    item: Item
    spare: Item
    task: str


async def lay_ground(shop: Shop) -> Ground:
    """Made through the verbs: whatever HTTP needs in order to make the rest. Tests of one operation may spoil what is spare."""
    store, spare_store = await shop.store(), await shop.store()
    item, spare = await shop.item(price=PRICE), await shop.item(price=PRICE)
    for goods in (item, spare):
        await shop.stock(store, goods, 1_000_000)
    await shop.stock(spare_store, spare, 1_000_000)
    client, admin = await shop.client(), await shop.staff("admin", "*", channel="back_office")
    assert client.token
    assert admin.token
    task = uuid7()
    wanted = {spare.id: 1}
    await shop.db.write(
        counts.ask, shop.system, location_id=store.id, wanted=wanted, reason="unknown_goods", event_id=task
    )
    tasks = await shop.db.read(counts.tasks_of, code=store.code, state="open", limit=1, cursor=None)
    return Ground(client.token, admin.token, store, spare_store, item, spare, str(tasks.items[0].id))


class Chosen(msgspec.Struct, kw_only=True):
    """What a case gets instead of what was generated; a body's other members stay as generated."""

    path: dict[str, str] = {}
    query: dict[str, Any] = {}
    body: dict[str, Any] | None = None
    headers: dict[str, str] = {}


class World:
    """Things that exist, credentials for each guard, and the recipes."""

    def __init__(self, address: str, ground: Ground) -> None:
        self.http = httpx.Client(base_url=address, timeout=30)
        self.session = ManagedCookiesSession()
        """Of the generated cases: one connection, nothing of its own in the headers, no cookies kept."""
        self.session.headers, self.session.trust_env = CaseInsensitiveDict(), False
        self.ground = ground
        self.statuses: defaultdict[str, set[int]] = defaultdict(set)
        """Operation -> the statuses it answered with."""
        self.tried = set[str]()
        """Operations called since the last test ended."""
        self.at_store = f"/v1/stores/{ground.store.code}"
        self.here = {"code": ground.store.code}
        self.email, self.login, self.fired = f"{unique('anna')}@example.com", unique("staff"), unique("staff")
        self.shopper = self._signed_up(self.email)
        self.person = self.call("GET", "/v1/me", token=self.shopper)["id"]
        for login in (self.login, self.fired):
            self.call("POST", "/v1/staff", self._staff(login))
        self.call("POST", f"/v1/staff/{self.fired}/revoke")
        self.till, self.role = unique("till"), unique("role")
        device = {"code": self.till, "kind": "till", "location": ground.store.code, "name": "Till", "channel": None}
        self.device = str(self.call("POST", "/v1/devices", device)["key"])
        self.badge = str(self.call("POST", f"/v1/staff/{self.login}/badges", {})["code"])
        self.slug, self.barcode = unique("product"), unique("code")
        self.variant = {"sku": unique("SKU").upper(), "tax_class": "standard", "return_policy": "standard"}
        self._save({**self.variant, "barcodes": [{"code": self.barcode, "kind": "internal"}]})
        self.order = self._placed(quantity=10_000)
        ready = self._ready(self.order)
        self.collected = self.call("POST", f"{ready}/collect", self._tenders(self.order))
        receipt = self.collected["receipt"]
        self.returned = self.call("POST", f"{self.at_store}/returns", self._back())
        self.supplier = unique("supplier")
        self.call("PUT", f"/v1/suppliers/{self.supplier}", {"name": {"ru": "Поставщик"}})
        expected, transfer = self._expected(), self._transfer(0)
        self.coded, self.unit = unique("SKU").upper(), unique("SN")
        self._save({**self.variant, "sku": self.coded, "tracking": "serial"})
        delivery = {"lines": [{"sku": self.coded, "quantity": 2, "codes": [self.unit]}]}
        self.call("POST", f"{self.at_store}/receipts", delivery)
        self.source = unique("source")
        made = self.call("POST", "/v1/message-sources", {"code": self.source, "channel": "messenger"})
        self.secret = str(made["secret"])
        self.things: dict[str, str] = {
            "code": ground.store.code, "cart": "current", "sku": ground.item.sku, "slug": self.slug, "login": self.login,
            "number": self.order["number"], "register": receipt["register"], "session_id": str(uuid7()),
            "/v1/stores/{code}/receipts/{register}/{number} number": str(receipt["number"]),
            "/v1/stores/{code}/returns/{number} number": self.returned["number"],
            "/v1/returns/{number} number": self.returned["number"],
            "/v1/stores/{code}/fulfillments/{number} number": self.collected["number"],
            "/v1/locations/{code} code": ground.spare_store.code,
            "/v1/locations/{code}/links code": ground.spare_store.code,
            "/v1/variants/{sku}/stop-sale sku": ground.spare.sku,
            "/v1/variants/{sku}/resume sku": ground.spare.sku,
            "/v1/staff/{login}/restore login": self.fired,
            "/v1/suppliers/{code} code": self.supplier,
            "/v1/expected-receipts/{number} number": expected,
            "/v1/stores/{code}/counts/{number} number": (counting := self._count(0)["number"]),
            "/v1/stores/{code}/counts/{number}/lines number": counting,
            "/v1/conversations/{number} number": self._talk(),
            "/v1/transfers/{number} number": transfer,
            "/v1/stores/{code}/transfers/{number} number": transfer,
            "/v1/stores/{code}/expected-receipts/{number} number": expected,
        }  # fmt: skip
        self.things["customer"] = self.person
        self.things["/v1/retention/{subject} subject"] = "touches"
        self.parts: dict[str, Any] = {
            "sku": ground.item.sku, "barcode": self.barcode, "location": ground.store.code, "order": self.order["number"],
            "receipt": receipt, "channel": "site", "legal_entity": "own", "category": "things", "tax_class": "standard",
            "return_policy": "standard", "customer": self.person, "currency": "RUB", "supplier": self.supplier,
        }  # fmt: skip
        for path in ("/v1/stock/{sku}/units", "/v1/stock/{sku}/units/{unit}"):
            self.things[f"{path} sku"] = self.coded
        self.things["unit"] = self.unit
        self.queries: dict[str, dict[str, Any]] = {
            "find_stock_unit": {"code": self.unit},
            "scan": {"data": self.barcode},
            "find_customers": {"email": self.email},
            "list_availability": {"sku": [ground.item.sku], "location": [ground.store.code], "on": "2099-01-01"},
            "list_store_stock": {"sku": [ground.item.sku]},
            "list_stock_levels": {
                "sku": [ground.item.sku],
                "location": ground.store.code,
                "as_of": "2026-01-01T00:00:00Z",
            },
            "read_stock_value": {"location": ground.store.code, "as_of": "2026-01-01T00:00:00Z"},
            "export_stock": {"location": ground.store.code, "since": "2026-01-01T00:00:00Z"},
            "list_transfers": {"location": ground.store.code, "state": ["draft"]},
            "list_store_transfers": {"direction": "incoming", "state": ["draft"]},
            "list_expected_receipts": {"supplier": self.supplier, "location": ground.store.code},
            "list_products": {"category": "things"},
            "read_shrinkage": {"from": "2026-01-01", "until": "2026-12-31", "location": ground.store.code},
            "list_conversations": {
                "team": "general",
                "location": ground.store.code,
                "assignee": "me",
                "customer": self.person,
            },
            "list_next_steps": {"team": "general", "location": ground.store.code, "assignee": "me"},
            "list_store_next_steps": {"assignee": "me"},
            "read_conversation_summary": {"from": "2026-01-01", "until": "2026-12-31"},
            "read_lost_demand": {"from": "2026-01-01", "until": "2026-12-31", "location": ground.store.code},
            "list_counts": {"state": ["open"]},
            "list_count_tasks": {"state": "open"},
        }
        self.recipes: dict[str, Callable[[], Chosen]] = {
            "end_session": self._session,
            "claim_pairing": self._pairing_claimed,
            "pair_device": lambda: Chosen(
                path=self.here, body={"user_code": self._pairing()["user_code"], "code": unique("kiosk"), "name": None}
            ),
            "deny_device": lambda: Chosen(path=self.here, body={"user_code": self._pairing()["user_code"]}),
            "rename_device": lambda: Chosen(path={"device": self.till}, body={"name": "Till by the door"}),
            "claim_pass": self._pass,
            "sign_in_on_device": lambda: Chosen(body={"badge": self.badge, "login": None, "pin": None}),
            "change_own_pin": lambda: Chosen(body={"pin": "4071", "current": PASSWORD}),
            "change_own_password": lambda: Chosen(body={"password": PASSWORD, "current": PASSWORD}),
            "set_staff_pin": lambda: Chosen(path={**self.here, "login": self.fired}, body={"pin": "4071"}),
            "issue_badge": lambda: Chosen(path={"login": self.fired}, body={"code": unique("badge")}),
            "list_badges": lambda: Chosen(path={"login": self.fired}),
            "revoke_badge": self._badge,
            "invite_staff": lambda: Chosen(body=self._invited()),
            "reset_staff_password": lambda: Chosen(path={"login": self.fired}),
            "revoke_invitation": lambda: Chosen(path={"invitation_id": self._invitation()["id"]}),
            "accept_invitation": lambda: Chosen(body={"token": self._invitation()["token"], "password": PASSWORD}),
            "save_role": lambda: Chosen(
                path={"role": self.role}, body={"name": {"en": "Keeper"}, "permissions": ["stock.read"]}
            ),
            "remove_role": self._role,
            "act_for_customer": lambda: Chosen(path={"customer": self.person}, body={"reason": "complaint"}),
            "refresh_session": lambda: Chosen(body={"refresh_token": self._anonymous()["refresh_token"]}),
            "sign_in": lambda: Chosen(body={"email": self.email, "phone": None, "password": PASSWORD}),
            "ask_code": lambda: Chosen(body={"email": f"{unique('new')}@example.com", "phone": None}),
            "sign_in_by_code": self._code,
            "add_my_contact": lambda: Chosen(body={"email": f"{unique('new')}@example.com", "phone": None}),
            "verify_my_contact": self._contact,
            "remove_my_identifier": self._further,
            "set_my_password": lambda: Chosen(body={"new_password": PASSWORD, "current_password": PASSWORD}),
            "add_customer_identifier": lambda: Chosen(
                path={"customer": self.person}, body={"kind": "external", "system": "erp", "value": unique("id")}
            ),
            "remove_customer_identifier": self._card,
            "merge_customers": self._two,
            "unmerge_customer": self._merged,
            "sign_in_staff": lambda: Chosen(body={"login": self.login, "password": PASSWORD}),
            "create_client": lambda: Chosen(
                body={"code": unique("client"), "channel": "site", "kind": "frontend", "scopes": [], "origins": []}
            ),
            "change_client": lambda: Chosen(
                path={"client": self._client()["code"]},
                body={"name": "Site", "scopes": [], "origins": ["https://shop.example"]},
            ),
            "rotate_client_key": lambda: Chosen(path={"client": self._client()["code"]}),
            "revoke_client_key": lambda: Chosen(
                path={"client": (client := self._client())["code"], "key_id": client["keys"][0]["id"]}
            ),
            "create_device": lambda: Chosen(
                body={"code": unique("till"), "kind": "till", "location": self.ground.store.code, "channel": "till"}
            ),
            "create_staff": lambda: Chosen(body=self._staff(unique("staff"))),
            "revoke_client": lambda: Chosen(
                path={"client": self._made("/v1/clients", {"channel": "site", "name": "Site"}, unique("client"))}
            ),
            "revoke_device": lambda: Chosen(
                path={
                    "device": self._made(
                        "/v1/devices", {"kind": "kiosk", "location": ground.store.code, "name": "K"}, unique("kiosk")
                    )
                }
            ),
            "set_staff_roles": lambda: Chosen(path={"login": self.fired}, body={"roles": self._staff("")["roles"]}),
            "revoke_staff": lambda: Chosen(path={"login": self.fired}),
            "create_location": self._location,
            "change_location": lambda: Chosen(path={"code": ground.spare_store.code}, body={"kept_days": 7}),
            "set_links": lambda: Chosen(
                path={"code": ground.spare_store.code},
                body={"links": [{"source": ground.store.code, "transit_hours": 4}]},
            ),
            "save_product": lambda: Chosen(path={"slug": self.slug}, body=self._product(self.variant)),
            "set_prices": lambda: Chosen(
                body={"prices": [{"sku": ground.spare.sku, "amount": PRICE}], "currency": "RUB"}
            ),
            "change_me": lambda: Chosen(body=self._profile()),
            "change_customer": lambda: Chosen(path={"customer": self.person}, body=self._profile()),
            "add_my_address": lambda: Chosen(body=self._place()),
            "read_my_address": lambda: Chosen(path={"address": self._address()}),
            "change_my_address": lambda: Chosen(path={"address": self._address()}, body=self._place()),
            "remove_my_address": lambda: Chosen(path={"address": self._address()}),
            "set_my_consents": lambda: Chosen(body={"items": [self._consent()]}),
            "set_consents": lambda: Chosen(path={"customer": self.person}, body={"items": [self._consent()]}),
            "record_touch": lambda: Chosen(body={"source": "search", "referrer": None}),
            "erase_customer": lambda: Chosen(path={"customer": self._customer()}),
            "move_customer_records": self._records,
            "set_safety_stock": lambda: Chosen(
                body={"rules": [{"location": ground.spare_store.code, "sku": ground.spare.sku, "quantity": 1}]}
            ),
            "import_stock": lambda: Chosen(
                body={
                    "lines": [{"location": ground.store.code, "sku": ground.spare.sku, "quantity": 1, "mode": "delta"}]
                }
            ),
            "compare_stock": lambda: Chosen(
                body={"lines": [{"location": ground.store.code, "sku": ground.spare.sku, "quantity": 1}], "as_of": None}
            ),
            "book_stock_receipt": lambda: Chosen(
                path=self.here, body={"lines": [{"sku": ground.spare.sku, "quantity": 5}]}
            ),
            "create_transfer": lambda: Chosen(body=self._planned()),
            "ask_for_goods": lambda: Chosen(
                path=self.here, body={name: part for name, part in self._planned().items() if name != "destination"}
            ),
            "change_transfer": lambda: Chosen(
                path={"number": self._transfer(0)},
                body={"lines": [self._goods()], "expected_on": self._day(9), "note": None},
            ),
            "cancel_transfer": lambda: Chosen(path={"number": self._transfer(1)}),
            "ready_transfer": lambda: self._moved(0),
            "dispatch_transfer": lambda: self._moved(
                1, {"lines": [self._goods()], "short_reason": "not_found", "expected_on": None}
            ),
            "receive_transfer": lambda: self._moved(2, {"lines": [{"sku": ground.spare.sku, "received": 1}]}),
            "close_transfer": lambda: self._moved(2),
            "announce_expected_receipt": lambda: Chosen(body=self._announcement()),
            "change_expected_receipt": lambda: Chosen(
                path={"number": self._expected()},
                body={"expected_on": self._day(9), "lines": [{"n": 1, "quantity": 3}], "added": []},
            ),
            "cancel_expected_receipt": lambda: Chosen(path={"number": self._expected()}),
            "receive_expected_receipt": lambda: Chosen(
                path={"code": ground.store.code, "number": self._expected()},
                body={"lines": [{"sku": ground.spare.sku, "quantity": 2}], "close": False, "reason": None, "short": []},
            ),
            "close_expected_receipt": lambda: Chosen(
                path={"code": ground.store.code, "number": self._expected()},
                body={"reason": "Not on board", "short": []},
            ),
            "book_stock_adjustment": lambda: Chosen(
                path=self.here, body={"sku": ground.spare.sku, "delta": -1, "reason": "damage", "bucket": "available"}
            ),
            "open_count": lambda: Chosen(
                path={"code": ground.store.code}, body=self._to_count() | {"blind": False, "note": None}
            ),
            "enter_count": lambda: Chosen(path=self._count(0), body={"entries": [self._counted()]}),
            "submit_count": lambda: Chosen(path=self._count(1)),
            "recount_count": lambda: Chosen(path=self._count(2), body={"skus": [self.uncounted], "reason": None}),
            "approve_count": lambda: Chosen(path=self._count(2), body={"uncounted": None, "reason": None}),
            "inquire": lambda: Chosen(
                body={
                    "kind": "form",
                    "text": "?",
                    "phone": None,
                    "email": "anna@example.com",
                    "location": None,
                    "order": None,
                    "preferred_at": None,
                }
            ),
            "send_message": lambda: Chosen(path={"number": self._inquiry()}),
            "receive_message": lambda: Chosen(
                path={"source": self.source},
                body={
                    "kind": "message",
                    "text": "?",
                    "message_id": unique("m"),
                    "occurred_at": datetime.now(UTC).isoformat(),
                },
            ),
            "log_conversation": lambda: Chosen(
                body={
                    "direction": "inbound",
                    "answered": True,
                    "occurred_at": None,
                    "customer": self.person,
                    "handle": None,
                    "order": None,
                    "location": ground.store.code,
                    "team": None,
                    "assignee": None,
                    "outcome": None,
                    "next_step": None,
                }
            ),
            "add_conversation_entry": lambda: Chosen(
                path={"number": self._talk()}, body={"text": "Да", "occurred_at": None}
            ),
            "assign_conversation": lambda: Chosen(
                path={"number": self._talk()},
                body={"team": "general", "assignee": self.login, "location": ground.store.code, "priority": "high"},
            ),
            "join_conversation": lambda: Chosen(path={"number": self._talk()}, body={"into": self._talk()}),
            "link_conversation": lambda: Chosen(
                path={"number": self._talk()}, body={"customer": self.person, "order": None}
            ),
            "close_conversation": lambda: Chosen(
                path={"number": self._talk()}, body={"outcome": "resolved", "order": None, "lost": []}
            ),
            "reopen_conversation": lambda: Chosen(path={"number": self._talk(closed=True)}),
            "plan_next_step": lambda: Chosen(path={"number": self._talk()}, body=self._step_ahead()),
            "finish_next_step": lambda: Chosen(path={"id": self._planned_step()}),
            "drop_next_step": lambda: Chosen(path={"id": self._planned_step()}),
            "save_conversation_team": lambda: Chosen(
                path={"team": unique("team")}, body={"location": None, "channels": []}
            ),
            "create_message_source": lambda: Chosen(body={"code": unique("source"), "team": None, "location": None}),
            "rotate_message_source": lambda: Chosen(path={"source": self._source()}),
            "revoke_message_source": lambda: Chosen(path={"source": self._source()}),
            "cancel_count": lambda: Chosen(path=self._count(0), body={"reason": "Too busy"}),
            "dismiss_count_task": lambda: Chosen(
                path={"code": ground.store.code, "task_id": ground.task}, body={"reason": "It is there"}
            ),
            "get_stock_adjustment": self._adjustment,
            "approve_stock_adjustment": self._adjustment,
            "reject_stock_adjustment": lambda: msgspec.structs.replace(
                self._adjustment(), body={"note": "They are there"}
            ),
            "move_stock": lambda: Chosen(
                path=self.here, body={"lines": [self._goods() | {"from_bucket": "available", "to_bucket": "damaged"}]}
            ),
            "convert_stock": lambda: Chosen(
                path=self.here,
                body={
                    "takes": [self._goods() | {"bucket": "available"}],
                    "makes": [self._goods(ground.item) | {"bucket": "damaged"}],
                },
            ),
            "return_stock_to_vendor": lambda: Chosen(
                path=self.here, body={"lines": [self._goods() | {"bucket": "available"}]}
            ),
            "write_off_stock": lambda: Chosen(
                path=self.here, body={"lines": [self._goods() | {"bucket": "available"}], "reason": "lost"}
            ),
            "set_sourcing_rules": lambda: Chosen(
                path={"kind": "delivery"}, body={"tiers": [[{"rule": "fewest_parcels", "weight": 1}]]}
            ),
            "dry_run_sourcing": lambda: Chosen(
                body={
                    "lines": [{"sku": ground.item.sku, "quantity": 1}],
                    "pickup": ground.store.code,
                    "to": None,
                    "exclude": [],
                }
            ),
            "save_delivery_method": lambda: Chosen(
                path={"code": unique("courier")},
                body={"name": {"en": "Courier"}, "bands": [{"up_to_km": 50, "days": 1}], "weekdays": [1, 5]},
            ),
            "put_cart_line": lambda: Chosen(path=self._in_cart(), body={"quantity": 3}),
            "put_cart_lines": lambda: Chosen(
                path={"cart": "current"}, body={"lines": [{"sku": ground.item.sku, "quantity": 2}]}
            ),
            "merge_carts": lambda: Chosen(
                body={"token": self._anonymous()["access_token"], "cart": None, "policy": None}
            ),
            "open_cart": lambda: Chosen(body={"label_parked": None}),
            "park_cart": lambda: Chosen(path=self._filled(), body={"label": "Pram"}),
            "resume_cart": lambda: Chosen(path=self._filled()),
            "drop_cart": lambda: Chosen(path=self._filled()),
            "name_cart_customer": lambda: Chosen(
                path=self._filled(self.kiosk), body={"customer": None, "loyalty_card": None, "token": self.shopper}
            ),
            "unname_cart_customer": lambda: Chosen(path=self._filled(self.kiosk)),
            "put_cart_checkout": lambda: Chosen(
                path={"cart": "current"},
                body={"fulfillment": None, "contact": None, "recipient": None, "note": "Ring", "gift": {"wrap": True}},
            ),
            "put_cart_line_fulfillment": lambda: Chosen(
                path=self._filled() | self._in_cart(), body={"fulfillment": {"method": "take_along"}, "gift": None}
            ),
            "hand_off_cart": lambda: Chosen(path=self._filled(), body={"mode": "move"}),
            "claim_cart": lambda: Chosen(body={"code": self._hand_off("move", self.kiosk), "policy": None}),
            "end_cart_visit": self._visit,
            "create_list": lambda: Chosen(body={"name": "Kitchen"}),
            "put_list_line": lambda: Chosen(path=self._list() | {"sku": self.ground.spare.sku}),
            "remove_list_line": lambda: Chosen(path=self._list() | {"sku": self.ground.item.sku}),
            "read_list": lambda: Chosen(path=self._list()),
            "rename_list": lambda: Chosen(path=self._list()),
            "delete_list": lambda: Chosen(path=self._list()),
            "move_list_to_cart": lambda: Chosen(path=self._list(), body={"skus": None}),
            "save_for_later": lambda: Chosen(path=self._held()),
            "merge_lists": lambda: Chosen(body={"token": self._anonymous()["access_token"]}),
            "share_list": lambda: Chosen(path=self._list()),
            "unshare_list": lambda: Chosen(path=self._list()),
            "read_shared_list": lambda: Chosen(path=self._shared()),
            "shared_list_to_cart": lambda: Chosen(path=self._shared(), body={"skus": None}),
            "reorder": lambda: Chosen(path={"number": self.order["number"]}),
            "place_order": self._order_body,
            "cancel_order": lambda: Chosen(path={"number": self._placed()["number"]}),
            "renew_pickup_code": self._renewal,
            "accept_fulfillment": lambda: self._step(0),
            "pick_fulfillment": lambda: self._step(1, body={"scans": [{"sku": ground.item.sku, "quantity": 1}]}),
            "pack_fulfillment": lambda: self._step(2),
            "ready_fulfillment": lambda: self._step(2),
            "promise_fulfillment_again": lambda: self._step(1, body=self._later()),
            "cancel_fulfillment": lambda: self._step(1, body={"lines": None}),
            "collect_fulfillment": self._collection,
            "book_sale": lambda: Chosen(path={"code": ground.store.code}, body=self._sale()),
            "preview_return": lambda: Chosen(path={"code": ground.store.code}, body=self._back(preview=True)),
            "accept_return": lambda: Chosen(path={"code": ground.store.code}, body=self._back()),
            "preview_blind_return": lambda: Chosen(path={"code": ground.store.code}, body=self._unknown(preview=True)),
            "accept_blind_return": lambda: Chosen(path={"code": ground.store.code}, body=self._unknown()),
        }
        device = {
            "code": unique("kiosk"),
            "kind": "kiosk",
            "location": ground.store.code,
            "channel": "kiosk",
            "name": "Kiosk",
        }
        self.kiosk = str(self.call("POST", "/v1/devices", device)["key"])
        self.callers = {
            "client": ground.client, "visitor": ground.client, "caller": self.shopper, "shopper": self.shopper,
            "buyer": self.shopper, "basket_holder": self.shopper, "himself": self.shopper, "device": self.device,
            "known_shopper": self.shopper, "signed_in": self.shopper, "staff": ground.admin, "store": ground.admin,
            "chain": ground.admin,
        }  # fmt: skip

    def token(self, operation: str, access: str) -> str:
        """A credential for a guard: `staff:orders.read` and `store:…` are the administrator's."""
        if operation in ("name_cart_customer", "unname_cart_customer"):
            return self.kiosk
        if operation == "erase_me":
            return self._signed_up()
        if operation in ("sign_out", "sign_out_everywhere"):
            return str(self._anonymous()["access_token"])
        if operation in ("change_own_pin", "change_own_password"):
            return self._member()
        return self.callers.get(access.split(":", maxsplit=1)[0], self.ground.client)

    def choose(self, operation: str, path: str, case: Any) -> Chosen:
        """What exists, for a generated case: by the operation's recipe, else by the names of parameters and members."""
        if operation in self.recipes:
            return self.recipes[operation]()
        parameters = {
            name: known
            for name in case.path_parameters or ()
            if (known := self.things.get(f"{path} {name}", self.things.get(name))) is not None
        }
        query = self.queries.get(operation, {})
        return Chosen(path=parameters, query={name: value for name, value in query.items() if value is not None})

    def replace(self, body: Any) -> Any:
        """A body in which the members that name something name what exists."""
        if isinstance(body, list):
            return [self.replace(part) for part in body]
        if not isinstance(body, dict):
            return body
        return {
            name: self.parts[name] if name in self.parts and value is not None else self.replace(value)
            for name, value in body.items()
        }

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Any:
        """One request that succeeds; the administrator's unless another token is given."""
        headers = {"Authorization": f"Bearer {token or self.ground.admin}", "Idempotency-Key": str(uuid7())}
        if path.startswith(SEEN):
            headers["If-Match"] = "*"
        answer = self.http.request(method, path, json=body, headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    def _token(self, method: str, path: str, body: Any) -> str:
        return str(self.call(method, path, body, token=self.ground.client)["access_token"])

    def _client(self) -> dict[str, Any]:
        body = {"code": unique("client"), "channel": "site", "name": "Site"}
        found: dict[str, Any] = self.call("POST", "/v1/clients", body)
        return found

    def _anonymous(self) -> dict[str, Any]:
        found: dict[str, Any] = self.call("POST", "/v1/auth/anonymous", {}, token=self.ground.client)
        return found

    def _profile(self) -> dict[str, Any]:
        return {
            "name": "Анна", "birthday": "1988-04-12", "preferred_store": None,
            "preferences": {"contact_channel": "messenger", "unwanted_channels": ["phone"]},
        }  # fmt: skip

    def _place(self) -> dict[str, Any]:
        return {"city": "Москва", "street": "Тверская улица", "phone": None}

    def _address(self) -> str:
        """One of the shopper's; there is always room for another."""
        for old in self.call("GET", "/v1/me/addresses", token=self.shopper)["items"][20:]:
            self.call("DELETE", f"/v1/me/addresses/{old['id']}", token=self.shopper)
        return str(self.call("POST", "/v1/me/addresses", self._place(), token=self.shopper)["id"])

    def _consent(self) -> dict[str, Any]:
        return {"channel": "email", "purpose": "marketing", "granted": True, "text_version": unique("text")}

    def _records(self) -> Chosen:
        owner = self._signed_up()
        made = self.call("POST", "/v1/me/addresses", self._place(), token=owner)
        body = {"to": self.person, "orders": [], "identifiers": [], "addresses": [made["id"]]}
        self._address()
        return Chosen(path={"customer": made["customer_id"]}, body=body)

    def _asked(self, email: str, path: str = "/v1/auth/codes", token: str | None = None) -> tuple[str, str]:
        """The id and the code of a challenge; the code as developers see it."""
        asked = self.call("POST", path, {"email": email}, token=token or self.ground.client)
        shown = self.call("GET", f"/v1/development/codes/{asked['challenge_id']}", token=self.ground.client)
        return asked["challenge_id"], shown["code"]

    def _signed_up(self, email: str | None = None) -> str:
        challenge, code = self._asked(email or f"{unique('new')}@example.com")
        return self._token("POST", f"/v1/auth/codes/{challenge}/sign-in", {"code": code, "password": PASSWORD})

    def _customer(self) -> str:
        return str(self.call("GET", "/v1/me", token=self._signed_up())["id"])

    def _code(self) -> Chosen:
        challenge, code = self._asked(f"{unique('new')}@example.com")
        return Chosen(path={"challenge_id": challenge}, body={"code": code})

    def _contact(self) -> Chosen:
        challenge, code = self._asked(f"{unique('more')}@example.com", "/v1/me/identifiers", self.shopper)
        return Chosen(body={"challenge_id": challenge, "code": code, "merge": False})

    def _further(self) -> Chosen:
        body = self._contact().body
        added = self.call("POST", "/v1/me/identifiers/verify", body, token=self.shopper)["identifiers"]
        newest = max(added, key=lambda one: str(one["created_at"]))
        return Chosen(path={"identifier": newest["id"]})

    def _card(self) -> Chosen:
        path = f"/v1/customers/{self.person}/identifiers"
        held = self.call("POST", path, {"kind": "loyalty_card", "value": unique("card")})["identifiers"]
        card = next(one for one in held if one["kind"] == "loyalty_card")
        return Chosen(path={"customer": self.person, "identifier": card["id"]})

    def _two(self) -> Chosen:
        return Chosen(path={"customer": self._customer()}, body={"loser": self._customer()})

    def _merged(self) -> Chosen:
        two = self._two()
        body = {"loser": two.body["loser"] if two.body else "", "reason": "One person"}
        self.call("POST", f"/v1/customers/{two.path['customer']}/merge", body)
        return Chosen(path={"customer": body["loser"]})

    def _session(self) -> Chosen:
        made = self.call(
            "POST", "/v1/auth/sign-in", {"email": self.email, "password": PASSWORD}, token=self.ground.client
        )
        return Chosen(path={"session_id": made["session_id"]})

    def _member(self) -> str:
        """A token of a member of staff of the store, who has a password."""
        return self._token("POST", "/v1/auth/staff/sign-in", {"login": self.login, "password": PASSWORD})

    def _pairing(self) -> dict[str, Any]:
        found: dict[str, Any] = self.call(
            "POST", "/v1/auth/pairings", {"kind": "kiosk", "name": "Kiosk"}, token=self.ground.client
        )
        return found

    def _pairing_claimed(self) -> Chosen:
        pairing = self._pairing()
        body = {"user_code": pairing["user_code"], "code": unique("kiosk")}
        self.call("POST", f"{self.at_store}/devices/pair", body)
        return Chosen(path={"pairing_id": pairing["pairing_id"]}, body={"device_secret": pairing["device_secret"]})

    def _pass(self) -> Chosen:
        return Chosen(body={"code": self.call("POST", "/v1/auth/passes", token=self.shopper)["code"]})

    def _badge(self) -> Chosen:
        made = self.call("POST", f"/v1/staff/{self.fired}/badges", {})
        return Chosen(path={"login": self.fired, "badge_id": made["id"]})

    def _invited(self) -> dict[str, Any]:
        return {name: part for name, part in self._staff(unique("new")).items() if name != "password"}

    def _invitation(self) -> dict[str, Any]:
        found: dict[str, Any] = self.call("POST", "/v1/staff/invitations", self._invited())
        return found

    def _role(self) -> Chosen:
        role = unique("role")
        self.call("PUT", f"/v1/roles/{role}", {"name": {"en": "Keeper"}, "permissions": []})
        return Chosen(path={"role": role})

    def _day(self, days: int) -> str:
        return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()

    def _announcement(self) -> dict[str, Any]:
        return {
            "supplier": self.supplier, "location": self.ground.store.code, "reference": unique("invoice"),
            "expected_on": self._day(5), "lines": [{"sku": self.ground.spare.sku, "quantity": 5, "unit_cost": 100}],
        }  # fmt: skip

    def _expected(self) -> str:
        return str(self.call("POST", "/v1/expected-receipts", self._announcement())["number"])

    def _staff(self, login: str) -> dict[str, Any]:
        roles = [{"role": "associate", "locations": [self.ground.store.code]}]
        return {"login": login, "name": "Анна", "password": PASSWORD, "roles": roles}

    def _planned(self) -> dict[str, Any]:
        ends = {"source": self.ground.spare_store.code, "destination": self.ground.store.code}
        return {**ends, "lines": [self._goods() | {"quantity": 2}], "expected_on": None}

    def _transfer(self, steps: int) -> str:
        """The number of a transfer to the store after so many of ready, dispatch."""
        number = str(self.call("POST", "/v1/transfers", self._planned())["number"])
        for step, body in (("ready", None), ("dispatch", {}))[:steps]:
            self.call("POST", f"/v1/stores/{self.ground.spare_store.code}/transfers/{number}/{step}", body)
        return number

    def _moved(self, steps: int, body: dict[str, Any] | None = None) -> Chosen:
        end = self.ground.store if steps == 2 else self.ground.spare_store
        return Chosen(path={"code": end.code, "number": self._transfer(steps)}, body=body)

    def _goods(self, item: Item | None = None) -> dict[str, Any]:
        return {"sku": (item or self.ground.spare).sku, "quantity": 1}

    def _to_count(self) -> dict[str, Any]:
        """Goods of their own, which nobody else counts."""
        self.uncounted = unique("SKU").upper()
        self.call("PUT", f"/v1/products/{unique('product')}", self._product(self.variant | {"sku": self.uncounted}))
        return {"scope": "list", "zone": None, "categories": [], "skus": [self.uncounted], "tasks": False}

    def _counted(self) -> dict[str, Any]:
        return {"sku": self.uncounted, "quantity": 2, "barcode": None, "counted_at": None, "spot": None}

    def _count(self, steps: int) -> dict[str, str]:
        """A count that differs from the books, after so many of entries, submit."""
        number = str(self.call("POST", f"{self.at_store}/counts", self._to_count())["number"])
        for step, body in (("entries", {"entries": [self._counted()]}), ("submit", None))[:steps]:
            self.call("POST", f"{self.at_store}/counts/{number}/{step}", body)
        return {"code": self.ground.store.code, "number": number}

    def _inquiry(self) -> str:
        """A conversation of the shopper's own."""
        asked = {"kind": "message", "text": "?"}
        return str(self.call("POST", "/v1/inquiries", asked, token=self.shopper)["number"])

    def _talk(self, *, closed: bool = False) -> str:
        """A conversation that staff have logged."""
        talk = {"channel": "phone", "summary": "Звонок"} | ({"outcome": {"outcome": "spam"}} if closed else {})
        return str(self.call("POST", "/v1/conversations", talk)["number"])

    def _step_ahead(self) -> dict[str, Any]:
        due_at = (datetime.now(UTC) + timedelta(days=2)).isoformat()
        return {"what": "Перезвонить", "due_at": due_at, "location": None, "team": None, "assignee": None}

    def _planned_step(self) -> str:
        return str(self.call("POST", f"/v1/conversations/{self._talk()}/next-steps", self._step_ahead())["id"])

    def _source(self) -> str:
        return self._made("/v1/message-sources", {"channel": "messenger"}, unique("source"))

    def sign(self, body: Any) -> dict[str, str]:
        """The headers of a delivery by a source of ours, for the body as it will be sent."""
        stamp, webhook = str(int(datetime.now(UTC).timestamp())), unique("msg")
        signature = signatures.sign(self.secret, webhook_id=webhook, timestamp=stamp, body=json.dumps(body).encode())
        return {"webhook-id": webhook, "webhook-timestamp": stamp, "webhook-signature": signature}

    def _adjustment(self) -> Chosen:
        """One that waits for a manager."""
        token = self._member()
        lost = {"sku": self.ground.spare.sku, "delta": -100, "reason": "lost"}
        made = self.call("POST", f"{self.at_store}/adjustments", lost, token=token)
        return Chosen(path={"code": self.ground.store.code, "adjustment": made["adjustment"]}, body={"note": None})

    def _made(self, path: str, body: dict[str, Any], code: str) -> str:
        self.call("POST", path, body | {"code": code})
        return code

    def _location(self) -> Chosen:
        hours = [{"weekday": 1, "opens": "10:00", "closes": "20:00"}]
        body = {"code": unique("store"), "legal_entity": "own", "time_zone": "Europe/Moscow", "hours": hours}
        return Chosen(
            body=body
            | {"exceptions": [], "pickup_hours": None, "closed_on": None, "paused_until": None, "paused_reason": None}
        )

    def _product(self, variant: dict[str, Any]) -> dict[str, Any]:
        return {"title": {"ru": "Вещь", "en": "Thing"}, "category": "things", "options": [], "variants": [variant]}

    def _save(self, variant: dict[str, Any]) -> None:
        self.call("PUT", f"/v1/products/{self.slug}", self._product(variant))

    def _filled(self, token: str | None = None) -> dict[str, str]:
        """The current cart, with a line in it."""
        line = f"/v1/carts/current/lines/{self.ground.item.sku}"
        self.call("PUT", line, {"quantity": 1}, token=token or self.shopper)
        return {"cart": "current"}

    def _hand_off(self, mode: str, token: str) -> str:
        self._filled(token)
        return str(self.call("POST", "/v1/carts/current/hand-off", {"mode": mode}, token=token)["code"])

    def _visit(self) -> Chosen:
        joined = self.call("POST", "/v1/carts/claim", {"code": self._hand_off("join", self.shopper), "policy": None})
        return Chosen(path={"cart": joined["cart"]["id"], "guest": joined["cart"]["guests"][0]["id"]})

    def _in_cart(self) -> dict[str, str]:
        return {"cart": "current", "sku": self.ground.item.sku}

    def _held(self) -> dict[str, str]:
        """Something that lies in the open cart."""
        self.call("PUT", f"/v1/carts/current/lines/{self.ground.item.sku}", {"quantity": 1}, token=self.shopper)
        return self._in_cart()

    def _list(self) -> dict[str, str]:
        """A named list with a line; the older ones go, for there may be fifty."""
        for old in self.call("GET", "/v1/lists", token=self.shopper)["items"]:
            self.call("DELETE", f"/v1/lists/{old['id']}", token=self.shopper)
        made = str(self.call("POST", "/v1/lists", {"name": "Kitchen"}, token=self.shopper)["id"])
        self.call("PUT", f"/v1/lists/{made}/lines/{self.ground.item.sku}", {"quantity": 2}, token=self.shopper)
        return {"list": made}

    def _shared(self) -> dict[str, str]:
        made = self._list()["list"]
        return {"token": str(self.call("POST", f"/v1/lists/{made}/share", {}, token=self.shopper)["token"])}

    def _order_body(self, quantity: int = 1) -> Chosen:
        self.call("DELETE", "/v1/carts/current/lines", token=self.shopper)
        line = f"/v1/carts/current/lines/{self.ground.item.sku}"
        cart = self.call("PUT", line, {"quantity": quantity}, token=self.shopper)
        pickup = {"location": self.ground.store.code}
        return Chosen(
            body={
                "expected_total": cart["subtotal"],
                "pickup": pickup,
                "contact": CONTACT,
                "cart": None,
                "cart_version": None,
                "recipient": None,
            }
        )

    def _placed(self, quantity: int = 1) -> dict[str, Any]:
        found: dict[str, Any] = self.call("POST", "/v1/orders", self._order_body(quantity).body, token=self.shopper)
        return found

    def _at(self, order: dict[str, Any], steps: int) -> str:
        """The address of an order's fulfillment after so many of accept, pick, ready."""
        address = f"{self.at_store}/fulfillments/{order['fulfillments'][0]['number']}"
        scans = [{"sku": line["sku"], "quantity": line["quantity"]} for line in order["lines"]]
        for step, body in (("accept", None), ("pick", {"scans": scans}), ("ready", None))[:steps]:
            self.call("POST", f"{address}/{step}", body)
        return address

    def _ready(self, order: dict[str, Any]) -> str:
        return self._at(order, 3)

    def _step(self, steps: int, body: dict[str, Any] | None = None) -> Chosen:
        number = self._at(self._placed(), steps).rpartition("/")[2]
        return Chosen(path={"code": self.ground.store.code, "number": number}, body=body)

    def _later(self) -> dict[str, str]:
        soon = datetime.now(UTC) + timedelta(days=3)
        return {"from_at": soon.isoformat(), "until_at": (soon + timedelta(days=5)).isoformat()}

    def _renewal(self) -> Chosen:
        order = self._placed()
        self._ready(order)
        return Chosen(path={"number": order["number"]})

    def _tenders(self, order: dict[str, Any]) -> dict[str, Any]:
        shown = self.call("GET", f"/v1/orders/{order['number']}", token=self.shopper)
        code = shown["fulfillments"][0]["pickup_code"]
        return {"code": code, "tenders": [{"kind": "cash", "amount": shown["owed"]}], "lines": None}

    def _collection(self) -> Chosen:
        order = self._placed()
        number = self._ready(order).rpartition("/")[2]
        return Chosen(path={"code": self.ground.store.code, "number": number}, body=self._tenders(order))

    def _sale(self) -> dict[str, Any]:
        price = {"amount": PRICE, "currency": "RUB"}
        return {
            "id": str(uuid7()),
            "occurred_at": datetime.now(UTC).isoformat(),
            "lines": [{"sku": self.ground.item.sku, "quantity": 1, "unit_price": price}],
            "tenders": [{"kind": "cash", "amount": price}],
            "customer": None,
        }

    def _unknown(self, *, preview: bool = False) -> dict[str, Any]:
        line = {
            "sku": self.ground.item.sku,
            "barcode": None,
            "quantity": 1,
            "ground": "change_of_mind",
            "condition": "sellable",
        }
        named: dict[str, Any] = {"lines": [line | {"refund": None, "codes": [], "units": []}]}
        return named if preview else named | {"customer": None, "refund": {"tender": "cash"}}

    def _back(self, *, preview: bool = False) -> dict[str, Any]:
        line = {"n": 1, "quantity": 1, "ground": "change_of_mind", "condition": "sellable"}
        named = {"order": self.order["number"], "receipt": None, "lines": [line]}
        return named if preview else named | {"refund": {"tender": "cash"}}
