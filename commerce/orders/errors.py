"""Refusals of `orders`."""

from __future__ import annotations

from msgspec import Struct

from commerce import carts
from commerce.kernel.errors import Conflict, Forbidden, NotFound, Stale, Unprocessable
from commerce.kernel.money import Money


class WantedLine(Struct, frozen=True, kw_only=True):
    """How a line is wanted; `method` null: the cart does not say."""

    sku: str
    method: str | None
    location: str | None


class LineTotal(Struct, frozen=True, kw_only=True):
    """What a line of the cart costs now, and what the shopper last saw for one unit."""

    sku: str
    quantity: int
    unit_price_seen: Money
    unit_price: Money
    total: Money


class LineNotSellable(Struct, frozen=True, kw_only=True):
    """A line of the cart that cannot be ordered: `unpublished`, `not_yet`, `ended`, `stop_sale`, `no_price`, `over_maximum`."""

    sku: str
    reason: str
    maximum: int | None


class UnknownArticle(Struct, frozen=True, kw_only=True):
    """A line of a sale whose goods are not known, as it was given, and why."""

    index: int
    sku: str | None
    barcode: str | None
    reason: str


class UnitsInSale(Struct, frozen=True, kw_only=True):
    """How many units of a SKU a sale would have, packs counted by what they hold."""

    index: int
    sku: str
    barcode: str | None
    quantity: int
    in_sale: int


class LineBelowList(Struct, frozen=True, kw_only=True):
    """A line of a sale that is charged less than the list price, for one whole unit; minor units."""

    index: int
    sku: str
    listed: Money
    charged: Money


class UnknownOrder(NotFound):
    code = "unknown-order"
    title = "No such order"
    title_ru = "Нет такого заказа"
    detail = "There is no order {number} of yours ({hint}). A number has 12 digits, the last one checks the others."
    detail_ru = "Заказа {number} у вас нет ({hint}). В номере 12 цифр, последняя проверяет остальные."
    members_schema = {"number": str, "hint": str}

    def __init__(self, *, number: str, hint: str = "not_found") -> None:
        super().__init__(number=number, hint=hint)


class OrderNotAllowed(Forbidden):
    code = "order-not-allowed"
    title = "Not allowed with this order"
    title_ru = "Недостаточно прав для этого заказа"
    detail = "Only the customer, or staff with the permission {permission} at the order's store, may do this."
    detail_ru = "Это может покупатель или сотрудник с правом {permission} в магазине заказа."
    members_schema = {"permission": str}


class CartEmpty(Unprocessable):
    code = "cart-empty"
    title = "The cart is empty"
    title_ru = "Корзина пуста"
    detail = "Put something into the cart before ordering."
    detail_ru = "Сначала положите что-нибудь в корзину."


class CartChanged(Stale):
    code = "cart-changed"
    title = "The cart has changed"
    title_ru = "Корзина изменилась"
    detail = "You saw version {seen}; this cart is at {version}, or is another one: see `cart`. Show it and let the customer confirm."
    detail_ru = (
        "Вы видели версию {seen}, эта корзина в версии {version} или другая: смотрите `cart`. Дождитесь подтверждения."
    )
    members_schema = {"seen": int, "version": int, "cart": carts.CartView}


class TotalChanged(Conflict):
    code = "total-changed"
    title = "The total has changed"
    title_ru = "Сумма изменилась"
    detail = "The total is no longer the expected one: see `expected`, `total` and `lines`. Show it and order again with the new total."
    detail_ru = "Сумма отличается от ожидаемой: смотрите `expected`, `total` и `lines`. Покажите её и повторите заказ с новой суммой."
    members_schema = {"expected": Money, "total": Money, "lines": list[LineTotal]}


class LinesNotSellable(Unprocessable):
    code = "lines-not-sellable"
    title = "Something in the cart cannot be sold"
    title_ru = "Часть корзины нельзя купить"
    detail = "See `lines`: what cannot be sold and why. Remove it or lower the quantity, then order again."
    detail_ru = "Смотрите `lines`: что нельзя купить и почему. Уберите это или уменьшите количество и повторите заказ."
    members_schema = {"lines": list[LineNotSellable]}


class PickupNotOffered(Unprocessable):
    code = "pickup-not-offered"
    title = "This place does not hand out orders now"
    title_ru = "Здесь сейчас нельзя получить заказ"
    detail = "{location} cannot take the order: {reason}. Choose another place: GET /v1/availability shows which have the goods."
    detail_ru = (
        "{location} не принимает заказ: {reason}. Выберите другое место: GET /v1/availability покажет, где товар есть."
    )
    members_schema = {"location": str, "reason": str, "until": str | None}


class FulfillmentNotOffered(Unprocessable):
    code = "fulfillment-not-offered-yet"
    title = "Not everything is collected in one store"
    title_ru = "Не всё можно получить в одном магазине"
    detail = (
        "An order is collected in one store so far. `lines` names how each is wanted: choose one store for all of them."
    )
    detail_ru = "Пока заказ выдают целиком в одном магазине. В `lines` указано, как получить каждую строку: выберите один магазин."
    members_schema = {"lines": list[WantedLine]}


class ContactNeeded(Unprocessable):
    code = "contact-needed"
    title = "Nobody to call"
    title_ru = "Не указано, с кем связаться"
    detail = "Give `contact` with: {missing}. The store must be able to reach the customer."
    detail_ru = "Передайте `contact`, не хватает: {missing}. Магазину нужно знать, с кем связаться."
    members_schema = {"missing": str}


class AmountTooLarge(Unprocessable):
    code = "amount-too-large"
    title = "Larger than any order can be"
    title_ru = "Слишком большая сумма"
    detail = "The amount passes what the books can hold. Check quantities and prices."
    detail_ru = "Сумма больше допустимой. Проверьте количество и цены."


class OrderChanged(Stale):
    code = "order-changed"
    title = "The order has changed"
    title_ru = "Заказ изменился"
    detail = "You saw version {seen} of the order, it is at {version}. Read it again and decide."
    detail_ru = "Вы видели версию заказа {seen}, сейчас {version}. Прочитайте заказ снова и решите."
    members_schema = {"seen": int, "version": int}


class NotCancellable(Conflict):
    code = "not-cancellable"
    title = "Nothing left to cancel"
    title_ru = "Отменять уже нечего"
    detail = "The order is {state}: what was handed over is returned instead, at any store that accepts returns."
    detail_ru = "Заказ: {state}. Полученное можно вернуть в любом магазине, который принимает возвраты."
    members_schema = {"state": str}


class NothingReady(Conflict):
    code = "nothing-ready"
    title = "Nothing is ready for pickup"
    title_ru = "Пока нечего забирать"
    detail = "A pickup code exists from the moment the store has the goods ready until they are collected."
    detail_ru = "Код получения действует с момента готовности заказа и до выдачи."


class WrongTender(Unprocessable):
    code = "wrong-tender"
    title = "The tenders do not add up to what is owed"
    title_ru = "Сумма оплаты не совпадает с суммой к оплате"
    detail = "See `owed` and `tendered`. Record what was kept, without the change given back."
    detail_ru = "Смотрите `owed` и `tendered`. Укажите полученное за вычетом сдачи."
    members_schema = {"owed": Money, "tendered": Money}


class WrongUnits(Unprocessable):
    code = "wrong-units"
    title = "These units are not waiting"
    title_ru = "Таких единиц нет в ожидании"
    detail = "Of {sku} {left} are waiting in this fulfillment, {wanted} were named."
    detail_ru = "{sku}: ожидает {left}, названо {wanted}."
    members_schema = {"sku": str, "left": int, "wanted": int}


class UnknownArticles(Unprocessable):
    code = "unknown-articles"
    title = "Unknown goods in the sale"
    title_ru = "Неизвестные товары в продаже"
    detail = "See `lines`: by index, what was given and why it is not known. Correct them and send the sale again with the same id."
    detail_ru = (
        "Смотрите `lines`: номер строки, что передано и в чём дело. Исправьте и отправьте продажу снова с тем же id."
    )
    members_schema = {"lines": list[UnknownArticle]}


class NoSuchCustomer(Unprocessable):
    code = "no-such-customer"
    title = "No such customer"
    title_ru = "Нет такого покупателя"
    detail = "There is no profile {customer}. Leave `customer` out for somebody unknown."
    detail_ru = "Профиля {customer} нет. Для неизвестного покупателя не передавайте `customer`."
    members_schema = {"customer": str}


class BadMoment(Unprocessable):
    code = "bad-moment"
    title = "The sale cannot have happened then"
    title_ru = "Недопустимое время продажи"
    detail = "`occurred_at` lies at most 90 days back and at most 5 minutes ahead. Check the device's clock."
    detail_ru = "`occurred_at` — не раньше 90 дней назад и не позже чем через 5 минут. Проверьте часы устройства."


class ExternalIdTaken(Conflict):
    code = "external-id-taken"
    title = "Another order has this external id"
    title_ru = "Этот внешний номер уже у другого заказа"
    detail = "One of `external_ids` belongs to another order already; each is unique in its system. Nothing was booked."
    detail_ru = (
        "Один из `external_ids` уже принадлежит другому заказу; в своей системе он единственный. Ничего не записано."
    )
    members_schema = {"external_ids": dict[str, str]}


class SaleIdReused(Conflict):
    code = "sale-id-reused"
    title = "Another sale has this id"
    title_ru = "Этот id уже у другой продажи"
    detail = (
        "The id {sale} is that of order {order}, booked with other input: see `differs`. Nothing was booked now. Send a sale again "
        "as it was; give another sale an id of its own (a random uuid)."
    )
    detail_ru = (
        "Идентификатор {sale} принадлежит заказу {order} с другими данными: смотрите `differs`. Сейчас ничего не записано. "
        "Повторяйте продажу без изменений; другой продаже дайте свой id (случайный uuid)."
    )
    members_schema = {"sale": str, "order": str, "differs": list[str]}


class TooManyUnits(Unprocessable):
    code = "too-many-units"
    title = "More than anybody sells at once"
    title_ru = "Слишком большое количество"
    each = "{sku}: {in_sale} units."
    each_ru = "{sku}: {in_sale} шт."
    detail = (
        "See `lines`: at most {most} of a variant in one sale, packs counted by what they hold. Correct the quantities."
    )
    detail_ru = "Смотрите `lines`: не больше {most} единиц товара в одной продаже, упаковки считаются по содержимому. Исправьте количество."
    members_schema = {"most": int, "lines": list[UnitsInSale]}


class SaleElsewhere(Conflict):
    code = "sale-elsewhere"
    title = "This sale id belongs to another store"
    title_ru = "Этот id продажи принадлежит другому магазину"
    detail = "The id {sale} was used at another location. Ids of sales are random (uuid) and never reused."
    detail_ru = "Идентификатор {sale} уже использован в другом месте. id продажи — случайный uuid и не повторяется."
    members_schema = {"sale": str}


class NothingToChoose(Conflict):
    code = "nothing-to-choose"
    title = "The customer is not asked anything"
    title_ru = "Выбирать нечего"
    detail = "No store has given up goods of this order, or it was answered already. Read the order again."
    detail_ru = "Магазины не отказывались от товаров этого заказа, или ответ уже получен. Прочитайте заказ заново."


class BadChoice(Unprocessable):
    code = "bad-choice"
    title = "Say where, or that it is cancelled"
    title_ru = "Укажите магазин или отмену"
    detail = "Give either `location`, a store to collect it at, or `cancel`: true. Exactly one of the two."
    detail_ru = "Передайте либо `location` — магазин самовывоза, либо `cancel`: true. Только одно из двух."


class ApprovalNeeded(Forbidden):
    code = "approval-needed"
    title = "Somebody must approve these prices"
    title_ru = "Эти цены нужно подтвердить"
    detail = "Ask who holds {permission} to approve in the same request: Approval-Badge, or Approval-Login with Approval-Pin."
    detail_ru = (
        "Попросите того, у кого есть право {permission}, подтвердить в том же запросе: Approval-Badge или Approval-Login с "
        "Approval-Pin."
    )
    each = "{sku} is charged below the list price."
    each_ru = "{sku}: цена ниже прайс-листа."
    members_schema = {"permission": str, "lines": list[LineBelowList]}
