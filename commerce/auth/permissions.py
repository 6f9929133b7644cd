"""Permissions, and what the five built-in roles may do until somebody changes them (`roles`).

A permission is `noun.verb`; a staff member holds it at the locations of his role.
"""

from __future__ import annotations

from collections.abc import Iterable

ASSOCIATE = frozenset(
    {
        "fulfillments.work",
        "sales.book",
        "returns.accept",
        "stock.read",
        "stock.receive",
        "stock.count",
        "stock.adjust",
        "orders.read",
        "receipts.read",
        "customers.read",
        "customers.write",
        "conversations.work",
    }
)
STORE_MANAGER = ASSOCIATE | {
    "stock.approve",
    "stock.transfer",
    "orders.cancel",
    "refunds.other_tender",
    "returns.blind",
    "prices.override",
    "devices.pair",
    "staff.pins",
    "customers.act",
    "audit.read",
}
CALL_CENTER = frozenset(
    {
        "orders.read",
        "orders.cancel",
        "customers.read",
        "customers.write",
        "customers.act",
        "customers.merge",
        "conversations.work",
        "stock.read",
    }
)
BACK_OFFICE = frozenset(
    {
        "catalog.write",
        "prices.write",
        "locations.write",
        "stock.read",
        "stock.adjust",
        "stock.approve",
        "stock.count",
        "stock.plan",
        "stock.receive",
        "stock.transfer",
        "sourcing.write",
        "orders.read",
        "receipts.read",
        "events.read",
        "conversations.write",
    }
)
ADMIN = (
    STORE_MANAGER
    | CALL_CENTER
    | BACK_OFFICE
    | {
        "staff.write",
        "roles.write",
        "clients.write",
        "devices.write",
        "customers.export",
        "customers.erase",
        "retention.write",
    }
)

ROLES: dict[str, frozenset[str]] = {
    "associate": ASSOCIATE,
    "store_manager": STORE_MANAGER,
    "call_center": CALL_CENTER,
    "back_office": BACK_OFFICE,
    "admin": ADMIN,
}
DEVICES: dict[str, frozenset[str]] = {"till": frozenset({"sales.book", "stock.read"}), "kiosk": frozenset()}


ROLE_NAMES: dict[str, dict[str, str]] = {
    "associate": {"en": "Sales associate", "ru": "Продавец"},
    "store_manager": {"en": "Store manager", "ru": "Управляющий магазином"},
    "call_center": {"en": "Call centre", "ru": "Контакт-центр"},
    "back_office": {"en": "Back office", "ru": "Бэк-офис"},
    "admin": {"en": "Administrator", "ru": "Администратор"},
}

PERMISSIONS: dict[str, dict[str, str]] = {
    "audit.read": {"en": "Read the audit record", "ru": "Читать журнал действий"},
    "catalog.write": {"en": "Change products, categories and media", "ru": "Изменять товары, категории и изображения"},
    "clients.write": {"en": "Give and revoke keys of frontends", "ru": "Выдавать и отзывать ключи приложений"},
    "conversations.work": {"en": "Note contacts, answer inquiries", "ru": "Вести обращения и записывать контакты"},
    "conversations.write": {"en": "Set up kinds of inquiries and outcomes", "ru": "Настраивать виды обращений и исходы"},
    "customers.act": {"en": "Act for a customer", "ru": "Действовать от имени покупателя"},
    "customers.erase": {"en": "Erase a customer's data", "ru": "Удалять данные покупателя"},
    "customers.export": {"en": "Export a customer's data", "ru": "Выгружать данные покупателя"},
    "customers.merge": {"en": "Merge customers who are one person", "ru": "Объединять карточки одного покупателя"},
    "customers.read": {"en": "Find and read customers", "ru": "Находить и смотреть покупателей"},
    "customers.write": {"en": "Add and correct customers", "ru": "Добавлять и исправлять покупателей"},
    "devices.pair": {"en": "Let tills and kiosks of the store in", "ru": "Подключать кассы и киоски магазина"},
    "devices.write": {"en": "Register devices anywhere in reach", "ru": "Заводить устройства"},
    "events.read": {"en": "Follow the feed of events", "ru": "Читать поток событий"},
    "fulfillments.work": {"en": "Pick, pack and hand over orders", "ru": "Собирать и выдавать заказы"},
    "locations.write": {"en": "Change stores and warehouses", "ru": "Изменять магазины и склады"},
    "orders.cancel": {"en": "Cancel a customer's order", "ru": "Отменять заказ покупателя"},
    "orders.read": {"en": "Read orders", "ru": "Смотреть заказы"},
    "prices.override": {"en": "Sell below the list price", "ru": "Продавать ниже цены прайс-листа"},
    "prices.write": {"en": "Change the price list", "ru": "Изменять прайс-лист"},
    "receipts.read": {"en": "Read receipts", "ru": "Смотреть чеки"},
    "refunds.other_tender": {
        "en": "Refund in another tender than was paid", "ru": "Возвращать деньги не тем способом, каким заплатили",
    },
    "retention.write": {"en": "Set how long data are kept", "ru": "Задавать сроки хранения данных"},
    "returns.accept": {"en": "Take goods back", "ru": "Принимать возвраты"},
    "returns.blind": {"en": "Take goods back without a receipt", "ru": "Принимать возвраты без чека"},
    "roles.write": {"en": "Change what roles may do", "ru": "Изменять права ролей"},
    "sales.book": {"en": "Sell at a till", "ru": "Продавать на кассе"},
    "sourcing.write": {"en": "Set rules of sourcing and delivery", "ru": "Настраивать источники заказов и доставку"},
    "staff.pins": {"en": "Give badges and PINs to staff", "ru": "Выдавать сотрудникам пропуска и PIN-коды"},
    "staff.write": {"en": "Let staff in, give them roles", "ru": "Заводить сотрудников и давать им роли"},
    "stock.adjust": {"en": "Correct stock by hand", "ru": "Исправлять остатки вручную"},
    "stock.approve": {"en": "Approve corrections and counts", "ru": "Утверждать исправления и пересчёты"},
    "stock.count": {"en": "Count stock", "ru": "Пересчитывать остатки"},
    "stock.plan": {"en": "Announce deliveries, plan stock", "ru": "Планировать поставки"},
    "stock.read": {"en": "Read stock", "ru": "Смотреть остатки"},
    "stock.receive": {"en": "Receive goods", "ru": "Принимать товар"},
    "stock.transfer": {"en": "Move goods between locations", "ru": "Перемещать товар между магазинами"},
}  # fmt: skip
"""Every permission there is, and what it lets one do."""

ADMIN_KEEPS = frozenset({"staff.write", "roles.write"})
"""What the role `admin` never loses: somebody must be able to put things right."""


def grants(held: Iterable[tuple[Iterable[str], str]]) -> dict[str, tuple[str, ...]]:
    """permission -> location codes, from pairs of a role's permissions and a location code or `*`. Unknown ones are left out."""
    found: dict[str, set[str]] = {}
    for permissions, location in held:
        for permission in permissions:
            if permission in PERMISSIONS:
                found.setdefault(permission, set()).add(location)
    return {permission: tuple(sorted(locations)) for permission, locations in sorted(found.items())}
