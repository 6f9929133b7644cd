"""The OpenAPI document and the page that shows it, for whoever writes a site, an app, a till or an integration.

Litestar walks the routes; what it cannot know is put in here, for all operations alike: exact JSON Schemas of every Struct
(bounds, unknown fields, what a field means), one schema per problem with its members, who may call, which headers are needed.
Nothing here decides anything: it only says what the code does.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import OpenAPI
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from commerce import auth
from commerce.infra.http import (
    KEY,
    PROBLEM_JSON,
    BodyTooLarge,
    Refusals,
    StaleTag,
    Streamed,
    UnknownAddress,
    VersionRequired,
)
from commerce.kernel.errors import Problem

REFERENCE = "#/components/schemas/{name}"
JSON = "application/json"

INTRODUCTION = """\
One retailer's backend: site, app, kiosk, till and staff see one catalog, one price list, one stock, one cart, one order history.

**Who calls.** Send `Authorization: Bearer` with one of: the publishable key of a frontend, the secret key of a server, the key of a till
or kiosk, the token of a shopper (`POST /v1/auth/anonymous`, `…/codes` and `…/codes/{id}/sign-in`, `…/sign-in` with a password), the token
of a member of staff (`POST /v1/auth/staff/sign-in`). The channel of everything you do follows from the credential. Access tokens live
for ten minutes: `POST /v1/auth/refresh`.

**Doing things once.** Every unsafe request but those that hand out tokens or only try something out needs an `Idempotency-Key`,
new for each act and the same on each retry of it: however often it arrives, it happens once, and each answer is the first one's.
Keys are kept for 24 hours.

**Nobody overwrites what he has not seen.** Things that change have a `version` and answer with it as `ETag`; send it back in
`If-Match`. When somebody was faster you get 412.

**Refusals** are `application/problem+json` (RFC 9457): `type` never changes and is what programs read; `title` and `detail` speak
Russian or English by `Accept-Language`; further members say which lines, how many are left, where else it is. `instance` is the request
id, which every answer also has in `X-Request-Id` (send your own to find it in the logs). After a refusal nothing has changed.

**From a browser.** A page may call from the origins that its frontend lists (`PATCH /v1/clients/{client}`); from any other you get 403
`origin-not-allowed`. Secret keys are refused in browsers.

**How often.** Every answer says in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds) how much is left of the limit
that is nearest to its end, and in `RateLimit-Policy` what it is (draft-ietf-httpapi-ratelimit-headers-06). Beyond it you get 429 with
`Retry-After`: wait so long. Tokens and codes have stricter limits.

**Forms.** JSON in snake_case; times RFC 3339 in UTC; money in integer minor units with its currency; quantities in steps of the
variant's unit (pieces when it has none); lists in pages: pass `next_cursor` as `cursor` until it is null. Unknown fields are refused.\
"""

TAGS = {
    "shop": "What a customer sees and does in any channel: catalog, availability, cart, lists, orders, returns, himself, inquiries.",
    "store": "What staff and devices do in their places: pickups, sales, returns, stock, transfers, counts; customers and conversations.",
    "back office": "Of the whole chain: products, prices, locations, staff, roles, clients, devices; stock, sourcing; records and events.",
    "auth": "Tokens: anonymous shoppers, customers, staff at tills and elsewhere; pairing of devices; sessions and signing out.",
    "system": "For whoever keeps the application running.",
}

CREDENTIALS = {
    "publishable_key": "Key of a frontend (`pk_…`): names the channel. Not a secret.",
    "server_key": "Secret key of a server (`sk_…`): what it may do are its scopes. Never in a browser.",
    "device_key": "Key of a till or kiosk (`dk_…`), bound to one location. A secret.",
    "shopper_token": "Access token of a shopper, anonymous or signed in.",
    "staff_token": "Access token of a member of staff.",
}

WHO: dict[str, tuple[tuple[str, ...], str]] = {
    "public": ((), "anybody, without credentials"),
    "caller": (tuple(CREDENTIALS), "any credential"),
    "client": (("publishable_key", "server_key", "device_key"), "a frontend, a server or a device with its key"),
    "device": (("device_key",), "a till or kiosk with its key"),
    "shopper": (("shopper_token", "staff_token"), "a shopper, anonymous or signed in, or staff acting for a customer"),
    "known_shopper": (("shopper_token", "staff_token"), "a shopper who has signed in, or staff acting for him"),
    "himself": (("shopper_token",), "a shopper who has signed in, in person"),
    "buyer": (
        ("shopper_token", "device_key", "staff_token"),
        "a shopper, or staff acting for a customer; a device, and staff at it, for its own baskets",
    ),
    "basket_holder": (
        ("shopper_token", "device_key", "staff_token"),
        "a shopper, or staff acting for a customer; a device, and staff at it, for its baskets; other staff for carts they have joined",
    ),
    "visitor": (
        ("publishable_key", "server_key", "device_key", "shopper_token"),
        "a frontend, a server or a device with its key, or a shopper there",
    ),
    "signed_in": (("shopper_token", "staff_token"), "a shopper or a member of staff"),
    "staff": (("staff_token",), "any member of staff"),
}
HOLDERS = ("staff_token", "device_key", "server_key")
EVERYWHERE = ("staff_token", "server_key")

REACH = {"store": "at this store", "staff": "at some location", "chain": "for all locations"}
"""Where the permission of a guard must hold."""

PARAMETERS = {
    "address": "Id of an address, as listed",
    "challenge_id": "Id under which the code was asked for",
    "identifier": "Id of an identifier, as listed",
    "after": "`next_after` of the page before; left out: from the beginning",
    "brand": "Exactly this brand",
    "customer": "Id of a customer, or of a profile that was merged into his",
    "cursor": "`next_cursor` of the page before; left out: the first page",
    "id": "Id of a next step",
    "limit": "At most so many items",
    "location": "Code of a location",
    "login": "Name by which the member of staff signs in",
    "near": "latitude,longitude in degrees: nearest first",
    "adjustment": "Id of an adjustment",
    "device": "Principal of the device through which it was done",
    "key_id": "Id of a key, as listed with its client",
    "on_behalf_of": "Principal of the customer for whom it was done",
    "subject": "Principal of who did it",
    "direction": "`outgoing`: goods that leave the store; `incoming`: goods that come to it; both when left out",
    "task_id": "Id of a count task",
    "only": "All lines, those nobody counted, or those that differ from the books",
    "session_id": "Id of a session, as listed",
    "guest": "Id of the visit, as the cart names it",
    "sku": "Repeat it for several SKUs",
    "badge_id": "Id of a badge, as listed",
    "invitation_id": "Id of an invitation, as listed",
    "pairing_id": "Id of a pairing, as it was begun",
}
"""For parameters whose type does not describe them itself."""

EXAMPLES: dict[str, dict[str, Any]] = {
    "sign_in_anonymously": {"device_name": "iPhone"},
    "ask_code": {"phone": "+79000000101", "language": "ru"},
    "sign_in_by_code": {"code": "048213", "name": "Анна Иванова", "device_name": "iPhone"},
    "sign_out_everywhere": {"keep_current": True},
    "set_my_password": {"new_password": "klyukva-fonar-7", "current_password": None},
    "add_my_contact": {"email": "anna@example.com"},
    "verify_my_contact": {"challenge_id": "0196f3a2-7c51-7cc3-98f1-2f1a5e0b7d10", "code": "048213", "merge": False},
    "add_customer_identifier": {"kind": "external", "system": "erp", "value": "000118"},
    "merge_customers": {"loser": "0196f3a2-7c51-7cc3-98f1-2f1a5e0b7d11", "reason": "Same card, same telephone"},
    "unmerge_customer": {"reason": "Mother and daughter"},
    "sign_in": {"email": "irina.sokolova@example.com", "password": "beryoza-fonar-111"},
    "sign_in_staff": {"login": "olga.msk", "password": "klyukva-veslo-11"},
    "change_me": {
        "name": "Анна Петрова",
        "birthday": "1988-04-12",
        "preferred_store": "msk-tverskaya",
        "preferences": {"contact_channel": "messenger", "unwanted_channels": ["phone"]},
    },
    "change_customer": {"preferred_store": "msk-tverskaya"},
    "add_my_address": {
        "city": "Москва",
        "street": "Тверская улица",
        "house": "7",
        "apartment": "12",
        "postal_code": "125009",
        "label": "Дом",
    },
    "change_my_address": {"city": "Москва", "street": "Тверская улица", "house": "9", "is_default": True},
    "set_my_consents": {
        "items": [{"channel": "email", "purpose": "marketing", "granted": True, "text_version": "2026-11"}]
    },
    "set_consents": {
        "items": [{"channel": "phone", "purpose": "marketing", "granted": False, "text_version": "2026-11"}]
    },
    "record_touch": {
        "source": "yandex",
        "medium": "cpc",
        "campaign": "winter-coats",
        "referrer": "https://yandex.ru/search",
        "landing_path": "/catalog/coats",
    },
    "erase_customer": {"reason": "customer_asked"},
    "move_customer_records": {
        "to": "0196f3a2-7c51-7cc3-98f1-2f1a5e0b7d10",
        "orders": ["4821-3059-1768"],
        "reason": "merged_in_error",
    },
    "set_retention": {"days": 365},
    "sign_in_on_device": {"login": "olga.msk", "pin": "4071"},
    "start_pairing": {"kind": "till", "name": "Till 2"},
    "claim_pairing": {"device_secret": "ds_5Wc2nQ0YpVb9yq3mGdLh7Jx1RkZtA8sE"},
    "pair_device": {"user_code": "WDJB-MJHT", "code": "till-msk-tverskaya-2"},
    "deny_device": {"user_code": "WDJB-MJHT"},
    "rename_device": {"name": "Till by the window"},
    "claim_pass": {"code": "KRTV-PLXD"},
    "change_own_pin": {"pin": "4071", "current": "klyukva-veslo-11"},
    "change_own_password": {"password": "beryoza-fonar-112", "current": "klyukva-veslo-11"},
    "set_staff_pin": {"pin": "4071"},
    "issue_badge": {"code": "2900000004071"},
    "invite_staff": {
        "login": "anton.msk",
        "name": "Антон Лебедев",
        "roles": [{"role": "associate", "locations": ["msk-tverskaya"]}],
    },
    "accept_invitation": {"token": "iv_5Wc2nQ0YpVb9yq3mGdLh7Jx1RkZtA8sE", "password": "klyukva-veslo-11"},
    "save_role": {"name": {"en": "Storekeeper", "ru": "Кладовщик"}, "permissions": ["stock.count", "stock.receive"]},
    "act_for_customer": {"reason": "customer_asked"},
    "put_cart_line": {"quantity": 2},
    "put_cart_lines": {"lines": [{"sku": "TEE101-BLK-46", "quantity": 2}, {"sku": "HDY101-BLK-50", "quantity": 1}]},
    "create_list": {"name": "На день рождения"},
    "rename_list": {"name": "На Новый год"},
    "put_list_line": {"quantity": 1, "note": "Размер проверить"},
    "move_list_to_cart": {"skus": ["TEE101-BLK-46"], "keep": False},
    "share_list": {"show_name": True},
    "merge_lists": {"token": "eyJhbGciOiJIUzI1NiJ9.e30.Et9HFtf9R3GEMA0IICOfFMVXY7kkTX1wr4qCyhIf58U"},
    "shared_list_to_cart": {"skus": ["TEE101-BLK-46"]},
    "place_order": {
        "expected_total": {"amount": 759800, "currency": "RUB"},
        "pickup": {"location": "msk-tverskaya"},
        "contact": {"name": "Анна Иванова", "phone": "+79000000101"},
    },
    "open_cart": {"label_parked": "дама с коляской"},
    "park_cart": {"label": "дама с коляской"},
    "name_cart_customer": {"loyalty_card": "2900000000117"},
    "put_cart_checkout": {
        "fulfillment": {"method": "collect", "location": "msk-tverskaya"},
        "contact": {"name": "Анна Иванова", "phone": "+79000000101"},
        "recipient": {"name": "Мама", "phone": "+79000000102"},
        "note": "Позвоните за час",
        "gift": {"wrap": True, "message": "С днём рождения!"},
    },
    "put_cart_line_fulfillment": {"fulfillment": {"method": "take_along"}, "gift": {"wrap": True}},
    "hand_off_cart": {"mode": "move"},
    "claim_cart": {"code": "BDFG-HJKM", "policy": "sum"},
    "merge_carts": {"token": "eyJhbGciOiJIUzI1NiJ9.e30.Et9HFtf9R3GEMA0IICOfFMVXY7kkTX1wr4qCyhIf58U", "policy": "sum"},
    "refresh_session": {"refresh_token": "rt_5Wc2nQ0YpVb9yq3mGdLh7Jx1RkZtA8sE"},
    "inquire": {
        "kind": "call_back",
        "text": "Есть ли белые кроссовки 41 размера?",
        "phone": "+79000000101",
        "location": "msk-tverskaya",
    },
    "send_message": {"text": "Можно ли отложить до пятницы?"},
    "receive_message": {
        "message_id": "tg-481516",
        "from": {"handle": "204815162", "name": "Анна"},
        "text": "Добрый день! Когда придёт мой заказ?",
        "occurred_at": "2026-11-21T12:30:00+03:00",
    },
    "log_conversation": {
        "channel": "phone",
        "summary": "Спрашивала про пуховик, размер 46; обещали перезвонить, когда придёт",
        "handle": "+79000000101",
        "location": "msk-tverskaya",
        "next_step": {"what": "Перезвонить: пришёл ли размер 46", "due_at": "2026-12-01T12:00:00+03:00"},
    },
    "add_conversation_entry": {"kind": "message_out", "text": "Да, отложили до пятницы."},
    "assign_conversation": {"team": "msk-tverskaya", "assignee": "olga.msk"},
    "join_conversation": {"into": "Q-4821-3059-1768"},
    "link_conversation": {"order": "4821-3059-1768"},
    "close_conversation": {
        "outcome": "no_sale",
        "lost": [{"reason": "size", "sku": "TEE101-BLK-46"}, {"reason": "no_variant", "asked_for": "Красный пуховик"}],
    },
    "plan_next_step": {
        "what": "Перезвонить во вторник",
        "due_at": "2026-12-01T12:00:00+03:00",
        "location": "msk-arbat",
    },
    "finish_next_step": {"result": "Придёт в субботу"},
    "drop_next_step": {"result": "Уже купила сама"},
    "save_conversation_team": {
        "name": {"ru": "Колл-центр", "en": "Call center"},
        "first_answer_minutes": 15,
        "channels": ["phone", "messenger"],
    },
    "create_message_source": {"code": "telegram", "channel": "messenger", "team": "call_center"},
    "cancel_order": {"reason": "changed_mind"},
    "pick_fulfillment": {
        "scans": [
            {"barcode": "2929850748994"},
            {"sku": "HDY101-BLK-50", "quantity": 1},
            {"sku": "PHN102-GRP-256", "code": "356938035643809"},
        ]
    },
    "collect_fulfillment": {
        "code": "048213",
        "tenders": [{"kind": "card_terminal", "amount": {"amount": 759800, "currency": "RUB"}, "reference": "304117"}],
        "units": [{"sku": "PHN102-GRP-256", "codes": ["356938035643809"]}],
    },
    "reject_fulfillment": {"reason": "out_of_stock", "note": "Коробка пустая"},
    "answer_choice": {"location": "kzn-bauman"},
    "cancel_fulfillment": {"reason": "out_of_stock", "note": "The last one was sold at the till"},
    "book_sale": {
        "id": "0196f3a2-7c51-7cc3-98f1-2f1a5e0b7d10",
        "occurred_at": "2026-11-21T12:30:00+03:00",
        "lines": [
            {"barcode": "2929850748994", "quantity": 1, "unit_price": {"amount": 129900, "currency": "RUB"}},
            {
                "sku": "PHN102-GRP-256",
                "quantity": 1,
                "unit_price": {"amount": 1990000, "currency": "RUB"},
                "codes": ["356938035643809"],
            },
        ],
        "tenders": [{"kind": "cash", "amount": {"amount": 2119900, "currency": "RUB"}}],
        "device_sequence": 1042,
    },
    "accept_return": {
        "order": "4821-3059-1768",
        "lines": [
            {"sku": "TEE101-BLK-46", "quantity": 1, "ground": "change_of_mind", "condition": "sellable"},
        ],
        "refund": {"tender": "cash"},
    },
    "preview_return": {
        "receipt": {"register": "counter-msk-tverskaya", "number": 17},
        "lines": [{"n": 1, "quantity": 1, "ground": "defect", "condition": "defective"}],
    },
    "accept_blind_return": {
        "lines": [
            {
                "barcode": "2929850748994",
                "quantity": 1,
                "ground": "wrong_item",
                "condition": "sellable",
                "refund": {"amount": 99900, "currency": "RUB"},
            },
        ],
        "reason": "gift",
        "refund": {"tender": "cash"},
    },
    "preview_blind_return": {
        "lines": [
            {
                "sku": "TEE101-BLK-46",
                "quantity": 1,
                "ground": "defect",
                "condition": "defective",
                "note": "Шов разошёлся",
            },
        ],
    },
    "book_stock_receipt": {
        "lines": [
            {"sku": "TEE101-BLK-46", "quantity": 40, "unit_cost": 52000},
            {
                "sku": "PHN102-GRP-256",
                "quantity": 2,
                "unit_cost": 900000,
                "codes": ["356938035643809", "356938035643817"],
            },
        ],
        "note": "Delivery note 1187",
    },
    "save_supplier": {
        "name": {"ru": "Ивановский трикотаж", "en": "Ivanovo Knitwear"},
        "lead_days": 14,
        "external_ids": {"erp": "000118"},
    },
    "announce_expected_receipt": {
        "supplier": "ivanovo-knitwear",
        "location": "msk-tverskaya",
        "reference": "UPD-2026-1187",
        "expected_on": "2026-12-01",
        "lines": [{"sku": "TEE101-BLK-46", "quantity": 40, "unit_cost": 52000}],
        "note": "By the side door, before ten",
    },
    "change_expected_receipt": {
        "expected_on": "2026-12-04",
        "lines": [{"n": 1, "quantity": 30}],
        "added": [{"sku": "TEE101-BLK-48", "quantity": 10, "unit_cost": 52000}],
        "reason": "The factory has less of this size",
    },
    "cancel_expected_receipt": {"reason": "The supplier has closed"},
    "receive_expected_receipt": {
        "lines": [{"sku": "TEE101-BLK-46", "quantity": 28, "damaged": 2, "reason": "Box was wet"}],
        "close": False,
    },
    "close_expected_receipt": {"short": [{"sku": "TEE101-BLK-48", "reason": "Not on the lorry"}]},
    "book_stock_adjustment": {"sku": "TEE101-BLK-46", "delta": -1, "reason": "damage", "note": "Torn seam"},
    "set_safety_stock": {
        "rules": [
            {"location": "msk-tverskaya", "quantity": 1},
            {"location": "msk-tverskaya", "sku": "TEE101-BLK-46", "quantity": 3},
            {"category": "hoodies", "quantity": None},
        ]
    },
    "import_stock": {
        "name": "Opening stock of Tverskaya",
        "lines": [
            {"location": "msk-tverskaya", "sku": "TEE101-BLK-46", "quantity": 12, "unit_cost": 64000},
            {"location": "msk-tverskaya", "sku": "HDY101-BLK-50", "quantity": -1, "mode": "delta"},
        ],
        "all_or_nothing": True,
    },
    "compare_stock": {
        "lines": [
            {"location": "msk-tverskaya", "sku": "TEE101-BLK-46", "quantity": 12},
            {"location": "msk-tverskaya", "sku": "HDY101-BLK-50", "quantity": 2, "bucket": "damaged"},
        ],
        "as_of": "2026-03-01T00:00:00+03:00",
        "clock": "occurred",
    },
    "approve_stock_adjustment": {"note": "Looked at the shelf myself"},
    "reject_stock_adjustment": {"note": "They were in the stock room"},
    "move_stock": {
        "lines": [
            {"sku": "TEE101-BLK-46", "quantity": 1, "from_bucket": "quality_control", "to_bucket": "available"},
            {"sku": "HDY101-BLK-50", "quantity": 1, "from_bucket": "available", "to_bucket": "damaged"},
        ],
        "reason": "Checked the returns of the weekend",
    },
    "convert_stock": {
        "takes": [{"sku": "HDY101-BLK-50", "quantity": 1, "bucket": "quality_control"}],
        "makes": [{"sku": "HDY101-BLK-50-OPEN", "quantity": 1, "bucket": "available"}],
        "reason": "Opened box",
    },
    "return_stock_to_vendor": {
        "supplier": "tekstil-ivanovo",
        "reference": "RMA 5512",
        "lines": [{"sku": "TEE101-BLK-46", "quantity": 3, "bucket": "damaged"}],
        "note": "Torn in their boxes",
    },
    "write_off_stock": {
        "lines": [{"sku": "TEE101-BLK-46", "quantity": 1, "bucket": "damaged"}],
        "reason": "write_off",
        "note": "Beyond repair",
    },
    "set_prices": {
        "prices": [{"sku": "TEE101-BLK-46", "amount": 119900, "valid_from": "2027-01-15T00:00:00+03:00"}],
        "currency": "RUB",
    },
    "stop_sale": {"reason": "Recall: the battery overheats"},
    "create_staff": {
        "login": "anna.msk",
        "name": "Анна Иванова",
        "password": "beryoza-vesna-12",
        "roles": [{"role": "associate", "locations": ["msk-tverskaya"]}],
    },
    "create_device": {"code": "till-7", "kind": "till", "location": "msk-tverskaya", "name": "Till 7"},
    "create_client": {
        "code": "accounting",
        "channel": "back_office",
        "name": "The accounting system",
        "kind": "server",
        "scopes": [
            {"permission": "orders.read", "locations": ["*"]},
            {"permission": "receipts.read", "locations": ["msk-tverskaya", "msk-arbat"]},
        ],
    },
    "change_client": {"name": "The new site", "origins": ["https://shop.example.com", "http://localhost:5173"]},
    "rotate_client_key": {"overlap_seconds": 86400},
    "set_staff_roles": {"roles": [{"role": "store_manager", "locations": ["msk-tverskaya", "msk-arbat"]}]},
    "create_location": {
        "code": "tula-lenina",
        "name": {"ru": "Верстово на Ленина", "en": "Verstovo Lenina"},
        "kind": "store",
        "legal_entity": "verstovo",
        "roles": ["ships", "pickup", "accepts_returns", "sells", "receives"],
        "address": {"country": "RU", "city": "Тула", "city_en": "Tula", "street": "проспект Ленина, 54"},
        "latitude_e6": 54184700,
        "longitude_e6": 37594600,
        "time_zone": "Europe/Moscow",
        "hours": [{"weekday": day, "opens": "10:00", "closes": "21:00"} for day in range(1, 8)],
        "opened_on": "2027-02-01",
    },
    "promise_fulfillment_again": {
        "from_at": "2026-11-22T10:00:00+03:00",
        "until_at": "2026-11-27T21:00:00+03:00",
        "reason": "The delivery is late",
    },
    "save_product": {
        "brand": "Belogorn",
        "title": {"ru": "Футболка мужская «Рассвет»", "en": "Rassvet men's T-shirt"},
        "category": "tops",
        "options": [{"code": "size", "name": {"ru": "Размер", "en": "Size"}}],
        "variants": [
            {
                "sku": "TEE190-WHT-48",
                "options": {"size": "48"},
                "barcodes": [{"code": "2929850748994"}],
                "weight_grams": 190,
                "tax_class": "standard",
                "return_policy": "standard",
            }
        ],
    },
    "resume_sale": {"reason": "The new batch has passed the test"},
    "set_links": {
        "links": [
            {
                "source": "wh-msk",
                "transit_hours": 14,
                "departures": [{"weekday": day, "at": "18:00"} for day in range(1, 7)],
                "cost_amount": 35000,
            },
            {"source": "msk-arbat", "priority": 1, "transit_hours": 3, "cost_amount": 20000},
        ]
    },
    "change_location": {"paused_until": "2026-12-01T09:00:00+03:00", "paused_reason": "Flood"},
    "create_transfer": {
        "source": "msk-warehouse",
        "destination": "kzn-bauman",
        "kind": "replenishment",
        "lines": [{"sku": "TEE101-BLK-46", "quantity": 20}, {"sku": "HDY101-BLK-50", "quantity": 5}],
        "expected_on": "2026-11-24",
        "note": "The shelf is empty",
    },
    "change_transfer": {"lines": [{"sku": "TEE101-BLK-46", "quantity": 30}], "expected_on": "2026-11-25"},
    "cancel_transfer": {"reason": "The supplier delivers there directly"},
    "ask_for_goods": {"source": "msk-warehouse", "lines": [{"sku": "TEE101-BLK-46", "quantity": 10}]},
    "dispatch_transfer": {
        "lines": [{"barcode": "2929850748994", "quantity": 18}, {"sku": "HDY101-BLK-50", "quantity": 5}],
        "short_reason": "not_found",
    },
    "receive_transfer": {
        "lines": [
            {
                "sku": "TEE101-BLK-46",
                "received": 16,
                "damaged": 1,
                "missing": 1,
                "reason": "lost",
                "note": "The box was open",
            },
            {"sku": "HDY101-BLK-50", "received": 5},
        ]
    },
    "close_transfer": {"reason": "lost", "note": "The carrier found nothing"},
    "open_count": {
        "scope": "zone",
        "zone": "window",
        "skus": ["TEE101-BLK-46", "HDY101-BLK-50"],
        "blind": True,
        "note": "Before the sale begins",
    },
    "enter_count": {
        "entries": [
            {"barcode": "2929850748994", "quantity": 3, "spot": "shelf-2"},
            {"sku": "HDY101-BLK-50", "quantity": 0, "counted_at": "2026-11-21T09:40:00+03:00"},
        ]
    },
    "recount_count": {"skus": ["TEE101-BLK-46"], "reason": "Two are hanging in the window"},
    "approve_count": {"uncounted": "leave", "reason": "Counted twice"},
    "cancel_count": {"reason": "Opened by mistake"},
    "dismiss_count_task": {"reason": "Found behind the till"},
    "set_sourcing_rules": {
        "tiers": [[{"rule": "fewest_parcels"}], [{"rule": "nearest", "weight": 1}, {"rule": "cost", "weight": 10}]],
        "options": {"after_rejection": "resource", "attempts": 3, "split_lines": True},
    },
    "dry_run_sourcing": {
        "lines": [{"sku": "TEE101-BLK-46", "quantity": 2}, {"sku": "HDY101-BLK-50", "quantity": 1}],
        "pickup": "kzn-bauman",
    },
    "save_delivery_method": {
        "name": {"ru": "Курьером", "en": "Courier"},
        "kind": "shipping",
        "bands": [{"up_to_km": 50, "days": 1}, {"up_to_km": 1500, "days": 4}],
        "weekdays": [1, 2, 3, 4, 5],
        "cut_off": "16:00",
        "position": 1,
    },
}
"""Bodies that make sense in the demonstration retailer. A test reads each with its command."""

ENTITY_TAG = {
    "description": 'The version in quotes, e.g. `"7"`; send it in `If-Match` as it is.',
    "required": True,
    "schema": {"type": "string", "pattern": r'^"[0-9]+(\.[0-9]+)*"$'},
}
RETRY_AFTER = {
    "description": "Seconds after which it makes sense to try again.",
    "schema": {"type": "integer", "minimum": 0},
}
APPROVAL = {
    name: {
        "name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string", "maxLength": longest},
    }
    for name, text, longest in (
        ("Approval-Badge", "Badge of somebody else of the store, who approves here what the caller alone may not.", 128),
        ("Approval-Login", "Instead of the badge: the approver's login, with Approval-Pin.", 63),
        ("Approval-Pin", "The approver's PIN, with Approval-Login.", 20),
    )
}  # fmt: skip
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "New for each act, repeated on each retry of it; a uuid is a good one. Kept for 24 hours.",
    "schema": {"type": "string", "minLength": 8, "maxLength": 128, "pattern": KEY.pattern},
}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": 'The ETag of the state you saw, e.g. `"7"`: refused with 412 when it has changed. `*` for any state.',
    "schema": {"type": "string", "pattern": r'^(\*|(W/)?"[0-9]{1,9}(\.[0-9]{1,9})*")$'},
}

Schema = dict[str, Any]

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>commerce: the API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<style>body { margin: 0 }</style>
</head>
<body>
<div id="page"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({
  url: "/schema/openapi.json",
  dom_id: "#page",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "none",
  filter: true,
  persistAuthorization: true,
  validatorUrl: null,
});
</script>
</body>
</html>
"""


@get("/docs", include_in_schema=False, media_type=MediaType.HTML, guards=[auth.public], sync_to_thread=False)
def documentation_page() -> str:
    """Swagger UI from our own files: it needs no network."""
    return PAGE


async def problem_instead_of_page(response: Response[Any]) -> Response[Any]:
    """Litestar answers an unknown address below the document's with a page of its own."""
    if response.status_code == 404:
        raise UnknownAddress
    return response


@dataclass
class Documentation(OpenAPIConfig):
    """Litestar's configuration of the document, finished by us."""

    handlers: Sequence[Any] = field(default=())

    def to_openapi_schema(self) -> OpenAPI:
        """The document without paths; Litestar puts them in, `to_schema` finishes them."""
        plain = super().to_openapi_schema()
        described = Described(**{name: getattr(plain, name) for name in plain.__dataclass_fields__})
        described.handlers = self.handlers
        return described


class Described(OpenAPI):
    """The document as it is served."""

    handlers: Sequence[Any] = ()

    def to_schema(self) -> Schema:
        """Plain JSON values."""
        return finished(msgspec.to_builtins(super().to_schema()), self.handlers)


def finished(document: Schema, handlers: Sequence[Any]) -> Schema:
    """Litestar's document with our schemas, problems, headers, tags, credentials and examples."""
    by_operation = {str(handler.operation_id): handler for handler in handlers if isinstance(handler, HTTPRouteHandler)}
    operations = [_Operation(raw, by_operation[raw["operationId"]]) for raw in _operations(document)]
    refusals = {kind.code: kind for operation in operations for kind in operation.problems()}
    commands_and_views = [kind for operation in operations for kind in operation.types()]
    members = [kind for refusal in refusals.values() for kind in refusal.members_schema.values()]
    kinds = list(dict.fromkeys([*commands_and_views, *members], None))
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    schema_of = {_key(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}
    describe(components, kinds)
    components |= problem_schemas(refusals.values(), schema_of)
    for operation in operations:
        operation.finish(schema_of)
    document["info"]["description"] = INTRODUCTION
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    document["components"] = {
        "schemas": dict(sorted(components.items())),
        "securitySchemes": {
            name: {"type": "http", "scheme": "bearer", "description": text} for name, text in CREDENTIALS.items()
        },
    }
    document["security"] = [{name: []} for name in CREDENTIALS]
    return document


def _operations(document: Schema) -> Iterator[Schema]:
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and "operationId" in operation:
                yield operation


def _key(kind: Any) -> Any:
    try:
        hash(kind)
    except TypeError:
        return repr(kind)
    return kind


class _Parameter(msgspec.Struct, frozen=True):
    kind: Any
    description: str | None
    default: Any


class _Operation:
    """One operation of the document and the handler behind it."""

    def __init__(self, raw: Schema, handler: Any) -> None:
        self.raw = raw
        self.handler = handler
        self.hints = get_type_hints(handler.fn, include_extras=True)
        self.signature = inspect.signature(handler.fn)

    def problems(self) -> list[type[Problem]]:
        """What the route declares, and what follows from what it takes."""
        specs = (self.handler.responses or {}).values()
        found = [kind for spec in specs if isinstance(spec, Refusals) for kind in spec.kinds]
        given = {"data": BodyTooLarge, "if_match": StaleTag, "seen": VersionRequired, "seen_if_said": StaleTag}
        found += [kind for name, kind in given.items() if name in self.hints]
        return found + ([UnknownAddress] if "{" in "".join(self.handler.paths) else [])

    @property
    def returns(self) -> Any:
        """The view, or None where nothing of ours is answered (no content, a stream)."""
        kind = self.hints.get("return")
        if get_origin(kind) is not None and getattr(get_origin(kind), "__name__", "") == "Response":
            kind = get_args(kind)[0]
        plain = kind is None or kind is type(None)
        module = getattr(kind, "__module__", "")
        return None if plain or module.startswith("litestar") else kind

    def parameters(self) -> dict[str, _Parameter]:
        """Path, query and header parameters by the name they have in a request."""
        found = {}
        for name, hint in self.hints.items():
            for marker in getattr(hint, "__metadata__", ()):
                if isinstance(marker, PathParameter | QueryParameter | HeaderParameter):
                    given = _Parameter(_present(hint), marker.description, self.signature.parameters[name].default)
                    found[marker.name or name] = given
        return found

    def _header(self, name: str) -> _Parameter:
        """A header that only one or two operations take."""
        for parameter, hint in self.hints.items():
            for marker in getattr(hint, "__metadata__", ()):
                if isinstance(marker, HeaderParameter) and marker.name == name:
                    return _Parameter(str, marker.description, self.signature.parameters[parameter].default)
        raise LookupError(name)

    def types(self) -> list[Any]:
        found = [_bare(self.hints["data"])] if "data" in self.hints else []
        if self.returns is not None:
            found.append(self.returns)
        return [*found, *(parameter.kind for parameter in self.parameters().values())]

    def finish(self, schema_of: Mapping[Any, Schema]) -> None:
        raw = self.raw
        name = str(raw["operationId"])
        raw.pop("deprecated", None)
        raw["summary"] = name.replace("_", " ").capitalize()
        self._say_who()
        self._finish_parameters(schema_of)
        if "data" in self.hints:
            content: Schema = {"schema": schema_of[_key(_bare(self.hints["data"]))]}
            if name in EXAMPLES:
                content["example"] = EXAMPLES[name]
            optional = self.signature.parameters["data"].default is not inspect.Parameter.empty
            raw["requestBody"] = {"required": not optional, "content": {JSON: content}}
        self._finish_responses(schema_of)

    def _say_who(self) -> None:
        access = next((str(guard.access) for guard in self.handler.guards or () if hasattr(guard, "access")), "public")
        kind, _, permission = access.partition(":")
        if permission:
            credentials: tuple[str, ...] = EVERYWHERE if kind == "chain" else HOLDERS
            who = "staff or a server" if kind == "chain" else "staff, a device or a server"
            words = f"{who} with the permission `{permission}` {REACH[kind]}"
        else:
            credentials, words = WHO[access]
        text = textwrap.dedent(self.raw.get("description", "")).strip()
        self.raw["description"] = f"{text}\n\n**Who:** {words}."
        self.raw["security"] = [{name: []} for name in credentials] or [{}]

    def _finish_parameters(self, schema_of: Mapping[Any, Schema]) -> None:
        ours, found = self.parameters(), []
        for parameter in self.raw.get("parameters", ()):
            name, place = parameter["name"], parameter["in"]
            if name == "Idempotency-Key":
                found.append(IDEMPOTENCY_KEY)
            elif name in APPROVAL:
                found.append(APPROVAL[name])
            elif name == "If-Match":
                found.append({**IF_MATCH, "required": VersionRequired in self.problems()})
            else:
                one = ours.get(name) or self._header(name)
                schema = dict(schema_of[_key(one.kind)])
                text = one.description or schema.pop("description", None) or PARAMETERS.get(name, "")
                required = one.default is inspect.Parameter.empty
                if not required and one.default is not None:
                    schema["default"] = msgspec.to_builtins(one.default)
                found.append({"name": name, "in": place, "required": required, "description": text, "schema": schema})
        if found:
            self.raw["parameters"] = sorted(found, key=lambda one: ("path", "query", "header").index(one["in"]))

    def _finish_responses(self, schema_of: Mapping[Any, Schema]) -> None:
        finished_ones: Schema = {}
        success = str(self.handler.status_code)
        for status, response in sorted(self.raw["responses"].items()):
            if status == success:
                finished_ones[status] = self._success(response, schema_of)
        by_status: dict[int, list[type[Problem]]] = {}
        for kind in self.problems():
            if kind not in by_status.setdefault(kind.status, []):
                by_status[kind.status].append(kind)
        for status_code, kinds in sorted(by_status.items()):
            finished_ones[str(status_code)] = problem_response(kinds)
        for status_code, spec in (self.handler.responses or {}).items():
            if spec.data_container is None:
                finished_ones[str(status_code)] = {"description": spec.description}
        if self.raw["operationId"] == "health_ready":
            finished_ones["503"] = {**finished_ones["200"], "description": "It cannot do its work; see which part."}
        self.raw["responses"] = finished_ones

    def _success(self, response: Schema, schema_of: Mapping[Any, Schema]) -> Schema:
        view = self.returns
        if view is None:
            nothing = {"description": "Done; nothing to say"}
            spec = (self.handler.responses or {}).get(self.handler.status_code)
            if isinstance(spec, Streamed):
                text: Schema = {"schema": {"type": "string"}}
                return {"description": response["description"], "content": dict.fromkeys(spec.media_types, text)}
            return (
                {"description": response["description"], "content": response["content"]}
                if "content" in response
                else nothing
            )
        named = inspect.getdoc(get_origin(view) or view) if isinstance(get_origin(view) or view, type) else None
        found: Schema = {
            "description": (named or "").split("\n")[0] if msgspec_struct(view) else "All of them",
            "content": {JSON: {"schema": schema_of[_key(view)]}},
        }
        headers: Schema = {}
        if msgspec_struct(view) and any(one.name == "version" for one in msgspec.structs.fields(view)):
            headers["ETag"] = ENTITY_TAG
        if "cache-control" in {name.lower() for name in response.get("headers", {})}:
            headers["Cache-Control"] = {"schema": {"type": "string"}, "description": "`no-store`: it holds a secret"}
        return found | ({"headers": headers} if headers else {})


def _bare(hint: Any) -> Any:
    """The type under Litestar's marker; msgspec's own bounds stay."""
    if get_origin(hint) is Annotated:
        inner, *metadata = get_args(hint)
        bounds = [one for one in metadata if isinstance(one, msgspec.Meta)]
        inner = _bare(inner)
        return Annotated[(inner, *bounds)] if bounds else inner
    return hint


def _present(hint: Any) -> Any:
    """The type of a parameter that is there."""
    hint = _bare(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return Union[tuple(kind for kind in get_args(hint) if kind is not type(None))]  # noqa: UP007
    return hint


def msgspec_struct(kind: Any) -> bool:
    """Whether a type, or what a generic one is made of, is a Struct."""
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, msgspec.Struct)


def problem_name(kind: type[Problem]) -> str:
    """Name of a problem's schema."""
    return f"{kind.__name__}Problem"


def problem_schemas(kinds: Any, schema_of: Mapping[Any, Schema]) -> dict[str, Schema]:
    """What every problem document has, and one schema per problem with its own members."""
    text = {"type": "string"}
    found: dict[str, Schema] = {
        "Problem": {
            "title": "Problem",
            "description": "What every refusal says (RFC 9457); `title` and `detail` in the reader's language.",
            "type": "object",
            "properties": {
                "type": {"type": "string", "description": "What happened, for programs; it never changes"},
                "title": {**text, "description": "What happened, for people"},
                "status": {"type": "integer", "description": "The HTTP status"},
                "detail": {**text, "description": "What to do about it"},
                "instance": {**text, "description": "Id of the request; name it when you report something"},
            },
            "required": ["type", "title", "status", "detail", "instance"],
        }
    }
    for kind in kinds:
        members = {name: schema_of[_key(member)] for name, member in kind.members_schema.items()}
        found[problem_name(kind)] = {
            "title": kind.title,
            "description": f"{kind.detail}\n\n{kind.detail_ru}",
            "allOf": [{"$ref": REFERENCE.format(name="Problem")}],
            "type": "object",
            "properties": {"type": {"const": f"/problems/{kind.code}"}, "status": {"const": kind.status}, **members},
            "required": ["type", "status", *members],
        }
    return found


def problem_response(kinds: Sequence[type[Problem]]) -> Schema:
    """The problems that one status of an operation may mean."""
    references = [{"$ref": REFERENCE.format(name=problem_name(kind))} for kind in kinds]
    schema: Schema = references[0]
    if len(references) > 1:
        mapping = {
            f"/problems/{kind.code}": reference["$ref"] for kind, reference in zip(kinds, references, strict=True)
        }
        schema = {"oneOf": references, "discriminator": {"propertyName": "type", "mapping": mapping}}
    found: Schema = {
        "description": "\n".join(f"- `/problems/{kind.code}` {kind.title}" for kind in kinds),
        "content": {PROBLEM_JSON: {"schema": schema}},
    }
    if kinds[0].status in (429, 503) or any(kind.code == "in-progress" for kind in kinds):
        found["headers"] = {"Retry-After": RETRY_AFTER}
    if kinds[0].status == 401:
        found["headers"] = {"WWW-Authenticate": {"schema": {"const": "Bearer"}, "required": True}}
    return found


def describe(components: dict[str, Schema], kinds: Sequence[Any]) -> None:
    """What msgspec does not say: the text under a field in the source, and that an answer always has all of its members."""
    for kind in _structs(kinds):
        for name, schema in components.items():
            if name == kind.__name__ or name.startswith(f"{kind.__name__}_"):
                _describe_struct(kind, schema)
    for schema in _walk(components):
        values = schema.get("enum")
        if isinstance(values, list) and "type" not in schema and all(isinstance(value, str) for value in values):
            schema["type"] = "string"


def _describe_struct(kind: type[msgspec.Struct], schema: Schema) -> None:
    schema["description"] = inspect.cleandoc(schema.get("description", ""))
    properties = schema["properties"]
    for owner in reversed(kind.__mro__):
        for name, text in _field_texts(owner).items():
            if name in properties and "description" not in properties[name]:
                properties[name] = {**properties[name], "description": text}
    config = kind.__struct_config__
    if not config.forbid_unknown_fields and not config.omit_defaults:
        schema["required"] = list(properties)
        for name in properties:
            properties[name] = {key: value for key, value in properties[name].items() if key != "default"}


def _walk(value: Any) -> Iterator[Schema]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        yield from _walk(part)


def _structs(kinds: Sequence[Any]) -> list[type[msgspec.Struct]]:
    found: dict[type[msgspec.Struct], None] = {}

    def visit(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            if kind not in found:
                found[kind] = None
                for hint in get_type_hints(kind, include_extras=True).values():
                    visit(hint)
            return
        if msgspec_struct(kind):
            visit(get_origin(kind))
        for part in get_args(kind):
            visit(part)

    for kind in kinds:
        visit(kind)
    return list(found)


def _field_texts(owner: type) -> dict[str, str]:
    tree = _class_trees(owner.__module__).get(owner.__qualname__) if owner.__module__.startswith("commerce.") else None
    found: dict[str, str] = {}
    for statement, after in zip(tree.body, tree.body[1:], strict=False) if tree else ():
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            match after:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[statement.target.id] = inspect.cleandoc(text)
    return found


_trees: dict[str, dict[str, ast.ClassDef]] = {}


def _class_trees(module: str) -> dict[str, ast.ClassDef]:
    if module not in _trees:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
        _trees[module] = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return _trees[module]
