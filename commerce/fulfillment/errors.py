"""Refusals of `fulfillment`."""

from __future__ import annotations

from commerce.kernel.errors import Conflict, Contradictory, Forbidden, NotFound, Stale, TooMany, Unprocessable


class UnknownFulfillment(NotFound):
    code = "unknown-fulfillment"
    title = "No such fulfillment"
    title_ru = "Нет такой выдачи"
    detail = "There is no fulfillment {number}. Take the number from the store's queue, e.g. 4821-3059-1768-1."
    detail_ru = "Выдачи {number} нет. Возьмите номер из очереди магазина, например 4821-3059-1768-1."
    members_schema = {"number": str}


class OtherStore(Forbidden):
    code = "other-store"
    title = "Another store's fulfillment"
    title_ru = "Выдача другого магазина"
    detail = "Fulfillment {number} belongs to another store; only that store's staff can work on it."
    detail_ru = "Выдача {number} относится к другому магазину; с ней работают только его сотрудники."
    members_schema = {"number": str}


class WrongStep(Conflict):
    code = "wrong-step"
    title = "Not at this step"
    title_ru = "Этот шаг сейчас невозможен"
    detail = "The fulfillment is {state}; this step needs it to be one of: {needed}."
    detail_ru = "Состояние выдачи: {state}; для этого шага нужно одно из: {needed}."
    members_schema = {"number": str, "state": str, "needed": str}


class NotInFulfillment(Unprocessable):
    code = "not-in-fulfillment"
    title = "Scanned something that was not ordered"
    title_ru = "Отсканирован товар не из этого заказа"
    detail = "These are not part of this fulfillment: {scans}. Put them back and scan what the list names."
    detail_ru = "Этого нет в выдаче: {scans}. Верните на место и сканируйте товары из списка."
    members_schema = {"scans": str}


class PickedTooMany(Unprocessable):
    code = "picked-too-many"
    title = "More picked than ordered"
    title_ru = "Собрано больше, чем заказано"
    detail = "Of {sku} only {left} more can be picked, {scanned} were scanned."
    detail_ru = "{sku}: можно собрать ещё {left}, отсканировано {scanned}."
    members_schema = {"sku": str, "left": int, "scanned": int}


class WrongPickupCode(Unprocessable):
    kept = True
    code = "wrong-pickup-code"
    title = "Wrong pickup code"
    title_ru = "Неверный код получения"
    detail = "This is not the code of this pickup. {attempts_left} attempts are left; the customer sees the code in the order."
    detail_ru = "Код не подходит к этой выдаче. Осталось попыток: {attempts_left}; покупатель видит код в своём заказе."
    members_schema = {"attempts_left": int}


class PickupCodeLocked(TooMany):
    code = "pickup-code-locked"
    title = "Too many wrong codes"
    title_ru = "Слишком много неверных кодов"
    detail = "This code is locked. The customer can ask for a new one in the order: POST /v1/orders/{order_number}/pickup-code/renew."
    detail_ru = (
        "Код заблокирован. Покупатель может получить новый в заказе: POST /v1/orders/{order_number}/pickup-code/renew."
    )
    members_schema = {"order_number": str}


class BadPromise(Unprocessable):
    code = "bad-promise"
    title = "This promise cannot be kept"
    title_ru = "Такое обещание невозможно"
    detail = "A later promise must end after it begins and begin in the future."
    detail_ru = "Новый срок должен начинаться в будущем и заканчиваться позже, чем начинается."


class BundleIncomplete(Unprocessable):
    code = "bundle-incomplete"
    title = "A bundle is picked whole"
    title_ru = "Комплект собирают целиком"
    detail = "{sku} is a part of a bundle: scan {missing} with it, or the bundle's own code."
    detail_ru = "{sku} — часть комплекта: отсканируйте вместе с ним {missing} или код самого комплекта."
    members_schema = {"sku": str, "missing": str}


class BadSourcingRules(Unprocessable):
    code = "bad-sourcing-rules"
    title = "These sourcing rules contradict themselves"
    title_ru = "Правила выбора источников противоречивы"
    detail = "The rule {rule} stands twice. Name each rule once, in the tier where it decides."
    detail_ru = "Правило {rule} указано дважды. Назовите каждое правило один раз, на том уровне, где оно решает."
    members_schema = {"rule": str}


class SourcingRulesChanged(Stale):
    code = "sourcing-rules-changed"
    title = "The sourcing rules have changed since you read them"
    title_ru = "Правила выбора источников изменились"
    detail = "You saw version {seen}, now it is {version}. Read them again and repeat the change."
    detail_ru = "Вы видели версию {seen}, теперь {version}. Прочитайте их снова и повторите изменение."
    members_schema = {"seen": int, "version": int}


class BadDryRun(Unprocessable):
    code = "bad-dry-run"
    title = "Where the goods should go is not clear"
    title_ru = "Непонятно, куда нужны товары"
    detail = "Give either `pickup`, a store, or `to`, a point of delivery."
    detail_ru = "Укажите либо `pickup` — магазин выдачи, либо `to` — точку доставки."


class BadDeliveryMethod(Contradictory):
    code = "bad-delivery-method"
    title = "These data of the delivery method contradict themselves"
    title_ru = "Данные способа доставки противоречивы"
    detail = "{field}: {reason}."
    detail_ru = "{field}: {reason}."


class DeliveryMethodChanged(Stale):
    code = "delivery-method-changed"
    title = "The delivery method has changed since you read it"
    title_ru = "Способ доставки изменился"
    detail = "You saw version {seen}, now it is {version}. Read it again and repeat the change."
    detail_ru = "Вы видели версию {seen}, теперь {version}. Прочитайте его снова и повторите изменение."
    members_schema = {"seen": int, "version": int}


class DateIsPast(Unprocessable):
    code = "date-is-past"
    title = "The date lies in the past"
    title_ru = "Дата уже прошла"
    detail = "{on} lies in the past: what can be promised is answered for today or later."
    detail_ru = "{on} уже прошло: что можно обещать, спрашивают на сегодня или позже."
    members_schema = {"on": str}
