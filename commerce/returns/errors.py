"""What returns refuses."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from commerce.kernel.errors import Conflict, NotFound, Unprocessable


class LineLeft(Struct, frozen=True, kw_only=True):
    """A line of the order of which more was to come back than is still out there."""

    n: int
    sku: str
    wanted: int
    left: int


class LineNamed(Struct, frozen=True, kw_only=True):
    """A line of the order."""

    n: int
    sku: str


class LineOfRequest(Struct, frozen=True, kw_only=True):
    """A line of the request, counted from 0, as it named the goods."""

    index: int
    n: int | None
    sku: str | None


class LineRefused(Struct, frozen=True, kw_only=True):
    """A line that the policy does not take back on this ground. `days` are those the ground has, null when it has none."""

    n: int
    sku: str
    ground: str
    reason: Literal["excluded", "too_late", "not_a_distance_sale"]
    days: int | None


class UnknownReturn(NotFound):
    code = "unknown-return"
    title = "No such return"
    title_ru = "Нет такого возврата"
    detail = "No return of yours has this number. It looks like R-4821-3059-1768."
    detail_ru = "У вас нет возврата с таким номером. Номер выглядит так: R-4821-3059-1768."


class SaleNotNamed(Unprocessable):
    code = "sale-not-named"
    title = "Which sale?"
    title_ru = "Не указана покупка"
    detail = "Name the sale by `order` or by `receipt`, not by both."
    detail_ru = "Укажите покупку либо через `order`, либо через `receipt`, но не оба сразу."


class LineNotInOrder(Unprocessable):
    code = "line-not-in-order"
    title = "Not one line of this order"
    title_ru = "Такой строки в заказе нет"
    detail = "See `lines`: each must name one line of the order, by `n`, or by a `sku` that only one line has."
    detail_ru = "Смотрите `lines`: каждая должна указывать одну строку заказа через `n` или через `sku`, если он один."
    members_schema = {"lines": list[LineOfRequest]}


class NotHandedOver(Conflict):
    code = "not-handed-over"
    title = "The customer has not received it"
    title_ru = "Товар ещё не выдан покупателю"
    each = "{sku} has not been handed over."
    each_ru = "{sku} не выдавался."
    detail = "Nothing of it can come back. Cancel it in the order instead."
    detail_ru = "Возвращать нечего. Отмените это в заказе."
    members_schema = {"lines": list[LineNamed]}


class TooManyReturned(Conflict):
    code = "too-many-returned"
    title = "More than is still with the customer"
    title_ru = "Больше, чем осталось у покупателя"
    each = "{sku}: {wanted} brought, {left} can still come back."
    each_ru = "{sku}: принесли {wanted}, вернуть можно ещё {left}."
    detail = "Only what was handed over and has not come back yet can be returned."
    detail_ru = "Вернуть можно только то, что выдано и ещё не возвращено."
    members_schema = {"lines": list[LineLeft]}


class ReturnNotAccepted(Unprocessable):
    code = "return-not-accepted"
    title = "The return policy does not take this back"
    title_ru = "По правилам возврата это не принимается"
    detail = (
        "See `lines`: excluded from a change of mind, or later than `days` after hand-over. A defect is another ground."
    )
    detail_ru = "Смотрите `lines`: возврат без причины исключён или прошло больше `days` дней после выдачи. Брак — другое основание."
    members_schema = {"lines": list[LineRefused]}


class StoreTakesNoReturns(Conflict):
    code = "store-takes-no-returns"
    title = "This store takes no returns"
    title_ru = "Этот магазин не принимает возвраты"
    detail = "Reason: {reason}. Send the customer to a store with the role `accepts_returns`; any of them will do."
    detail_ru = "Причина: {reason}. Направьте покупателя в любой магазин с ролью `accepts_returns`."
    members_schema = {"store": str, "reason": str}
