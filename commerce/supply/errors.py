"""Refusals of `supply`."""

from __future__ import annotations

import msgspec

from commerce.kernel.errors import Conflict, Contradictory, Forbidden, NotFound, Stale, Unprocessable


class OverLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of which more came than was still expected."""

    sku: str
    open: int
    arrived: int


class NamedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line by its SKU and the units that it is about."""

    sku: str
    quantity: int


class UnknownSupplier(NotFound):
    code = "unknown-supplier"
    title = "No such supplier"
    title_ru = "Нет такого поставщика"
    detail = "There is no supplier with the code {supplier}. GET /v1/suppliers lists them; PUT /v1/suppliers/{supplier} makes one."
    detail_ru = "Нет поставщика с кодом {supplier}. Список — GET /v1/suppliers, создать — PUT /v1/suppliers/{supplier}."
    members_schema = {"supplier": str}


class SupplierChanged(Stale):
    code = "supplier-changed"
    title = "The supplier has changed since you read it"
    title_ru = "Данные поставщика изменились"
    detail = "You saw version {seen}, now it is {version}. Read it again and repeat the change."
    detail_ru = "Вы видели версию {seen}, теперь {version}. Прочитайте данные снова и повторите изменение."
    members_schema = {"seen": int, "version": int}


class UnknownExpectedReceipt(NotFound):
    code = "unknown-expected-receipt"
    title = "No such expected receipt"
    title_ru = "Нет такой ожидаемой поставки"
    detail = "There is no expected receipt {number}. Take the number from the list, e.g. S-4821-3059-1768."
    detail_ru = "Ожидаемой поставки {number} нет. Возьмите номер из списка, например S-4821-3059-1768."
    members_schema = {"number": str}


class OtherDestination(Forbidden):
    code = "other-destination"
    title = "Expected at another location"
    title_ru = "Поставка для другого места"
    detail = "Expected receipt {number} goes to another location; only that location's staff receive it."
    detail_ru = "Поставка {number} идёт в другое место; принимают её только его сотрудники."
    members_schema = {"number": str}


class NotYoursToPlan(Forbidden):
    code = "not-yours-to-plan"
    title = "Not a location that you plan for"
    title_ru = "Вы не планируете поставки этого места"
    detail = "Your rights to plan deliveries do not reach {location}."
    detail_ru = "Ваши права на планирование поставок не распространяются на {location}."
    members_schema = {"location": str}


class ReferenceTaken(Conflict):
    code = "supplier-reference-taken"
    title = "This reference of the supplier is announced already"
    title_ru = "Этот номер поставщика уже заведён"
    detail = (
        "{supplier} has announced {reference} as {number}. Change that one, or give the reference of the new delivery."
    )
    detail_ru = "{reference} от {supplier} уже заведена как {number}. Измените её или укажите номер новой поставки."
    members_schema = {"supplier": str, "reference": str, "number": str}


class SupplyOver(Conflict):
    code = "supply-over"
    title = "Nothing more is expected of it"
    title_ru = "По этой поставке больше ничего не ждут"
    detail = "Expected receipt {number} is {state}. Book what came without it by POST /v1/stores/{{code}}/receipts."
    detail_ru = (
        "Состояние поставки {number}: {state}. Пришедшее сверх неё проведите через POST /v1/stores/{{code}}/receipts."
    )
    members_schema = {"number": str, "state": str}


class StaleSupply(Stale):
    code = "supply-changed"
    title = "The expected receipt has changed since you read it"
    title_ru = "Ожидаемая поставка изменилась"
    detail = "You saw version {seen}, now it is {version}. Read it again and repeat the change."
    detail_ru = "Вы видели версию {seen}, теперь {version}. Прочитайте её снова и повторите изменение."
    members_schema = {"seen": int, "version": int}


class BadSupply(Contradictory):
    code = "bad-supply"
    title = "These data contradict themselves"
    title_ru = "Данные поставки противоречивы"
    detail = "{field}: {reason}."
    detail_ru = "{field}: {reason}."


class MoreThanAnnounced(Unprocessable):
    code = "more-than-announced"
    title = "More came than is still expected"
    title_ru = "Пришло больше, чем ожидается"
    each = "{sku}: {arrived} came, {open} expected."
    each_ru = "{sku}: пришло {arrived}, ожидалось {open}."
    detail = "Count again; if it is so, give each of these lines a reason."
    detail_ru = "Пересчитайте; если всё верно, укажите для этих строк причину."
    members_schema = {"lines": list[OverLine]}


class NotAnnounced(Unprocessable):
    code = "not-announced"
    title = "This was not announced"
    title_ru = "Этого нет в поставке"
    each = "{sku} is not part of it."
    each_ru = "{sku} в поставке нет."
    detail = "To take it in all the same, send `unannounced: true` with a reason."
    detail_ru = "Чтобы всё же принять, передайте `unannounced: true` и причину."
    members_schema = {"lines": list[NamedLine]}


class ReasonNeeded(Unprocessable):
    code = "discrepancy-reason-needed"
    title = "A discrepancy needs its reason"
    title_ru = "Для расхождения нужна причина"
    each = "{sku}: {quantity} without a reason."
    each_ru = "{sku}: {quantity} без причины."
    detail = "Say for each of these lines why units are damaged, unannounced or missing."
    detail_ru = "Укажите по каждой из этих строк, почему единицы повреждены, не заявлены или не пришли."
    members_schema = {"lines": list[NamedLine]}
