"""Refusals of `people`."""

from __future__ import annotations

from typing import Any, ClassVar

from commerce.kernel.errors import Conflict, Forbidden, NotFound, Stale, Unprocessable


class FreshSignInRequired(Forbidden):
    code = "fresh-sign-in-required"
    title = "Sign in again first"
    title_ru = "Сначала войдите ещё раз"
    detail = "This cannot be undone: the owner of the account signs in again, and asks within {minutes} minutes."
    detail_ru = (
        "Это действие необратимо: владелец аккаунта должен войти заново и повторить запрос в течение {minutes} минут."
    )
    members_schema: ClassVar[dict[str, Any]] = {"minutes": int}


class OpenOrders(Conflict):
    code = "open-orders"
    title = "Something is still open"
    title_ru = "Есть незавершённые заказы или возвраты"
    detail = "Orders and returns that are open, or of which money is owed, come first: see `orders` and `returns`."
    detail_ru = "Сначала завершите заказы и возвраты, которые открыты или по которым причитаются деньги: см. `orders` и `returns`."
    members_schema: ClassVar[dict[str, Any]] = {"orders": list[str], "returns": list[str]}


class UnknownRetention(NotFound):
    code = "unknown-retention"
    title = "No such rule"
    title_ru = "Нет такого правила"
    detail = "There is no retention rule of this name. GET /v1/retention lists them."
    detail_ru = "Правила хранения с таким именем нет. Список: GET /v1/retention."


class RetentionFixed(Conflict):
    code = "retention-fixed"
    title = "This is always kept"
    title_ru = "Это хранится всегда"
    detail = "{subject} is kept as long as the books are: they are proven by it. It cannot be forgotten earlier."
    detail_ru = "{subject} хранится столько же, сколько учёт: им он подтверждается. Сократить срок нельзя."
    members_schema: ClassVar[dict[str, Any]] = {"subject": str}


class StaleRetention(Stale):
    code = "stale-retention"
    title = "The rule has changed"
    title_ru = "Правило изменилось"
    detail = "The rule is at version {current_version} now. Read it again and repeat the change."
    detail_ru = "Правило уже в версии {current_version}. Прочитайте его снова и повторите изменение."
    members_schema: ClassVar[dict[str, Any]] = {"current_version": int}


class SameCustomer(Unprocessable):
    code = "same-customer"
    title = "This is the same customer"
    title_ru = "Это тот же покупатель"
    detail = "Name another customer in `to`: one whose profile is not merged with this one."
    detail_ru = "Укажите в `to` другого покупателя: его профиль не должен быть объединён с этим."


class NothingNamed(Unprocessable):
    code = "nothing-named"
    title = "No record is named"
    title_ru = "Не указано ни одной записи"
    detail = "Name at least one order, address, identifier or conversation."
    detail_ru = "Укажите хотя бы один заказ, адрес, идентификатор или разговор."


class NotOfCustomer(Conflict):
    code = "not-of-customer"
    title = "Some records are not this customer's"
    title_ru = "Некоторые записи принадлежат не этому покупателю"
    detail = "Nothing was moved. See `records`: none of them belongs to this customer."
    detail_ru = "Ничего не перенесено. Смотрите `records`: эти записи не принадлежат этому покупателю."
    members_schema: ClassVar[dict[str, Any]] = {"records": list[str]}
